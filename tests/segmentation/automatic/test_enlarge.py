"""Masks from the decoder's resolution to level 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.images.tiles import Window
from napari_sam.segmentation.automatic.enlarge import Enlarged, enlarge
from napari_sam.segmentation.automatic.run_lengths import decode, encode
from napari_sam.segmentation.mask_grid import bounding_box, draw, valid_logits

SIDE, SIZE = 32, 128
PLANE = (300, 200)


def disc(centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    return (radius - np.hypot(y - centre[0], x - centre[1])).astype(np.float32)


def window(sampling: float, origin: tuple[float, float] = (0.0, 0.0)) -> Window:
    return Window(origin, (sampling, sampling), SIZE)


def large(logits: np.ndarray, where: Window, plane: tuple[int, int] = PLANE) -> Enlarged:
    enlarged = enlarge(logits, where, plane)
    assert enlarged is not None
    return enlarged


def drawn(enlarged: Enlarged) -> np.ndarray:
    y0, x0, y1, x1 = enlarged.box
    return decode(enlarged.rle, (y1 - y0, x1 - x0))


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1.0, 2.0])
def test_a_mask_is_what_drawing_the_whole_plane_gives(sampling: float) -> None:
    where = window(sampling, (8.0 * sampling, 16.0 * sampling))
    logits = disc((14, 10), 6.3)
    whole = draw(logits[np.newaxis], where, (0, 0, *PLANE))[0] > 0
    enlarged = large(logits, where)
    y0, x0, y1, x1 = enlarged.box
    assert enlarged.area == np.count_nonzero(whole) > 0
    np.testing.assert_array_equal(drawn(enlarged), whole[y0:y1, x0:x1])


def test_the_box_is_tight() -> None:
    mask = drawn(large(disc((14, 10), 6.3), window(1.0)))
    assert mask.shape[0] < 60
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        assert edge.any()
        assert not edge.all()


def test_a_mask_ends_with_the_plane() -> None:
    enlarged = large(disc((31, 10), 9.0), window(1.0), (100, 60))
    assert enlarged.box[2] == 100
    assert enlarged.box[0] > 80


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 10_000),
    sampling=st.sampled_from([0.125, 0.25, 0.5, 1.0, 1.37]),
    origin=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    plane=st.tuples(st.integers(1, 150), st.integers(1, 150)),
)
def test_any_mask_is_what_drawing_gives(
    seed: int, sampling: float, origin: tuple[int, int], plane: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    where = window(sampling, (min(origin[0], plane[0] - 1), min(origin[1], plane[1] - 1)))
    logits = random.normal(-0.3, 1.0, (SIDE, SIDE)).astype(np.float32)
    rows, columns = valid_logits(where, SIDE, plane)
    logits[rows:], logits[:, columns:] = -1, -1
    box = bounding_box(logits, where, plane)
    enlarged = enlarge(logits, where, plane)
    expected, ours = np.zeros(plane, np.bool_), np.zeros(plane, np.bool_)
    if box is not None:
        y0, x0, y1, x1 = box
        expected[y0:y1, x0:x1] = draw(logits[np.newaxis], where, box)[0] > 0
    if enlarged is not None:
        y0, x0, y1, x1 = enlarged.box
        ours[y0:y1, x0:x1] = drawn(enlarged)
        assert enlarged.rle == encode(ours[y0:y1, x0:x1])
        assert enlarged.area == np.count_nonzero(ours)
    assert np.count_nonzero(ours != expected) <= 1  # a logit of 0 but for rounding


def test_a_mask_without_a_pixel_is_none() -> None:
    assert enlarge(disc((14, 10), -1.0), window(1.0), PLANE) is None
    speck = np.full((SIDE, SIDE), -9.0, np.float32)
    speck[8, 8] = 0.1  # a peak between the centres of pixels
    assert enlarge(speck, window(0.25), PLANE) is not None
    assert enlarge(speck, window(0.125), PLANE) is None


def test_a_mask_with_more_pixels_than_run_lengths_can_count_is_none() -> None:
    everything = np.ones((SIDE, SIDE), np.float32)
    assert enlarge(everything, window(1024.0), (100_000, 100_000)) is None
