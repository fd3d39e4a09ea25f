from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.images.tiles import Window
from napari_sam.segmentation.mask_grid import (
    PROMPT_LOGIT,
    bounding_box,
    draw,
    from_mask,
    move,
    valid_logits,
)


def random_logits(n: int = 1, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, side, side)).astype(np.float32)


def test_drawing_all_pixels_is_what_torch_interpolates() -> None:
    logits = random_logits(3)
    drawn = draw(logits, Window((0.0, 0.0), (1.0, 1.0), 128), (0, 0, 128, 128))
    reference = F.interpolate(torch.from_numpy(logits)[None], (128, 128), mode="bilinear")[0]
    np.testing.assert_allclose(drawn, reference.numpy(), atol=1e-5)


def test_a_part_is_drawn_as_in_the_whole() -> None:
    logits = random_logits()
    window = Window((7.0, 3.0), (0.5, 0.5), 128)
    whole = draw(logits, window, (0, 0, 80, 90))
    np.testing.assert_array_equal(draw(logits, window, (20, 30, 50, 70)), whole[:, 20:50, 30:70])


@given(
    st.integers(-2, 3),
    st.tuples(st.integers(0, 400), st.integers(0, 400)),
    st.tuples(st.integers(50, 600), st.integers(50, 600)),
    st.integers(0, 100),
)
def test_the_bounding_box_holds_every_pixel_of_the_mask(
    power: int, origin: tuple[int, int], beyond: tuple[int, int], seed: int
) -> None:
    logits = np.full((1, 32, 32), -3, np.float32)
    rng = np.random.default_rng(seed)
    y, x = rng.integers(0, 32, (2, 3))
    logits[0, y, x] = rng.uniform(0.1, 20, 3)
    window = Window((float(origin[0]), float(origin[1])), (2.0**power,) * 2, 128)
    shape = (origin[0] + beyond[0], origin[1] + beyond[1])
    mask = draw(logits, window, (0, 0, *shape))[0] > 0
    rows, columns = (np.arange(n) + 0.5 for n in shape)
    end = 128 * 2.0**power
    mask &= ((rows >= origin[0]) & (rows < origin[0] + end))[:, None]
    mask &= ((columns >= origin[1]) & (columns < origin[1] + end))[None]
    box = bounding_box(logits, window, shape)
    if box is None:
        visible = logits[0][
            : valid_logits(window, 32, shape)[0], : valid_logits(window, 32, shape)[1]
        ]
        assert not (visible > 0).any()
        return
    outside = mask.copy()
    outside[box[0] : box[2], box[1] : box[3]] = False
    assert not outside.any()


def test_an_empty_mask_has_no_box() -> None:
    window = Window((0.0, 0.0), (1.0, 1.0), 128)
    assert bounding_box(np.full((2, 32, 32), -1, np.float32), window, (100, 100)) is None


def test_logits_over_padding_do_not_count() -> None:
    window = Window((0.0, 0.0), (1.0, 1.0), 128)  # four pixels a logit
    assert valid_logits(window, 32, (128, 300)) == (32, 32)
    assert valid_logits(window, 32, (100, 2)) == (25, 1)
    assert valid_logits(window, 32, (102.1, 101.9)) == (26, 25)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampling", [0.25, 1.0, 4.0])
def test_a_mask_becomes_logits_and_a_mask_again(sampling: float) -> None:
    window = Window((8.0, 16.0), (sampling, sampling), 128)
    pitch = 4 * sampling
    end = (8 + 24 * pitch, 16 + 16 * pitch)
    shape = (int(end[0]), int(end[1]))
    mask = np.zeros(shape, bool)
    top, left = int(8 + 4 * pitch), int(16 + 5 * pitch)  # edges on edges of logits
    mask[top:, left:] = True
    logits = from_mask(mask[3:, 2:], (3, 2), window, 32)
    assert logits.max() == pytest.approx(PROMPT_LOGIT)
    assert logits.min() == pytest.approx(-PROMPT_LOGIT)
    drawn = draw(logits[None], window, (8, 16, *shape))[0] > 0
    different = np.argwhere(drawn != mask[8:, 16:])
    corners = [
        (top - 8, left - 16),
        (top - 8, shape[1] - 17),
        (shape[0] - 9, left - 16),
        (shape[0] - 9, shape[1] - 17),
    ]
    distance = np.abs(different[:, None] - corners).max(axis=2).min(axis=1, initial=shape[0])
    assert (distance < pitch / 2).all()  # interpolation rounds the corners, and nothing else


def test_half_covered_logits_are_undecided() -> None:
    window = Window((0.0, 0.0), (1.0, 1.0), 128)
    mask = np.zeros((128, 128), bool)
    mask[:, :66] = True  # ends in the middle of logit 16
    logits = from_mask(mask, (0, 0), window, 32)
    np.testing.assert_allclose(logits[0, 15:18], [PROMPT_LOGIT, 0, -PROMPT_LOGIT], atol=1e-5)


def test_logits_moved_to_their_own_window_are_themselves() -> None:
    logits = random_logits()[0]
    window = Window((0.0, 0.0), (1.0, 1.0), 128)
    assert move(logits, window, window) is logits


@pytest.mark.parametrize(
    "target", [Window((16.0, 32.0), (1.0, 1.0), 128), Window((4.0, 8.0), (0.5, 0.5), 128)]
)
def test_moved_logits_draw_the_same_mask_where_both_windows_see_it(target: Window) -> None:
    side = 32
    y, x = np.mgrid[:side, :side]
    disc = (6.0 - np.hypot(y - 10.0, x - 13.0)).astype(np.float32)
    source = Window((0.0, 0.0), (1.0, 1.0), 128)
    box = (20, 35, 64, 70)
    before = draw(disc[None], source, box)[0] > 0
    after = draw(move(disc, source, target)[None], target, box)[0] > 0
    assert before.any()
    assert (before != after).mean() < 0.02


def test_where_the_source_says_nothing_the_lowest_logit_stands() -> None:
    logits = random_logits()[0]
    moved = move(logits, Window((0.0, 0.0), (1.0, 1.0), 128), Window((64.0, 0.0), (1.0, 1.0), 128))
    assert (moved[20:] == logits.min()).all()
    np.testing.assert_allclose(moved[:15], logits[16:31], atol=1e-6)
