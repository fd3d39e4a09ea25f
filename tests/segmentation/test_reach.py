from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam import Prompt, Segmenter
from napari_sam.images.tiles import TileGrid, TileIndex, Window
from napari_sam.model.config import VARIANTS
from napari_sam.segmentation.candidates import Candidate, Candidates
from napari_sam.segmentation.reach import cut_sides, next_window, whole_candidates

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

CONFIG = VARIANTS["tiny"]  # tiles of 128 model pixels, 32 logits along a side
PLANE = (1000, 1000)


def candidate(
    rows: slice, columns: slice, window: Window, shape: tuple[int, int] = PLANE
) -> Candidate:
    logits = np.full((1, 32, 32), -5, np.float32)
    logits[0, rows, columns] = 5
    return Candidates(logits, np.ones(1, np.float32), window, (), shape)[0]


INNER = TileGrid.for_cells(PLANE, 1.0, 128, 16).window(TileIndex(3, 3))
CORNER = TileGrid.for_cells(PLANE, 1.0, 128, 16).window(TileIndex(0, 0))


def test_a_mask_inside_its_tile_is_whole() -> None:
    inside = candidate(slice(1, 31), slice(1, 31), INNER)
    assert not any(cut_sides(inside))
    assert next_window(inside, Prompt(points=[(350, 350)]), CONFIG, 0) is None


@pytest.mark.parametrize(
    ("rows", "columns", "sides"),
    [
        (slice(0, 9), slice(4, 9), (True, False, False, False)),
        (slice(4, 9), slice(0, 9), (False, True, False, False)),
        (slice(20, 32), slice(4, 9), (False, False, True, False)),
        (slice(4, 9), slice(20, 32), (False, False, False, True)),
    ],
)
def test_the_sides_that_cut_a_mask_are_known(rows: slice, columns: slice, sides: tuple) -> None:
    assert cut_sides(candidate(rows, columns, INNER)) == sides


def test_the_edge_of_the_image_cuts_nothing() -> None:
    assert not any(cut_sides(candidate(slice(0, 9), slice(0, 9), CORNER)))
    small = (100, 90)
    window = TileGrid.for_cells(small, 1.0, 128, 16).window(TileIndex(0, 0))
    assert not any(cut_sides(candidate(slice(0, 32), slice(0, 32), window, small)))


def test_a_cut_mask_is_asked_for_in_a_window_centred_on_it() -> None:
    cut = candidate(slice(10, 20), slice(24, 32), INNER)
    window = next_window(cut, Prompt(points=[(350, 400)]), CONFIG, 0)
    assert window is not None
    assert window.sampling == (1.0, 1.0)
    assert cut.bounds is not None
    middle = (np.array(cut.bounds[:2]) + cut.bounds[2:]) / 2
    np.testing.assert_allclose(np.array(window.origin) + 64, middle, atol=1)


@pytest.mark.parametrize("moves", [0, 2])
def test_a_mask_larger_than_a_tile_goes_up_an_octave(moves: int) -> None:
    rows = slice(0, 32) if moves == 0 else slice(0, 9)  # cut at both ends, or still cut when moved
    window = next_window(
        candidate(rows, slice(9, 20), INNER), Prompt(points=[(350, 350)]), CONFIG, moves
    )
    assert window is not None
    assert window.sampling == (2.0, 2.0)


def three(scores: list[float], cut: list[bool]) -> Candidates:
    logits = np.full((3, 32, 32), -5, np.float32)
    for mask, is_cut in zip(logits, cut, strict=True):
        mask[8:24, 8 : 32 if is_cut else 24] = 5
    return Candidates(logits, np.array(scores, np.float32), INNER, (), PLANE)


def test_cut_masks_are_left_out_where_a_whole_one_is_about_as_good() -> None:
    stays = whole_candidates(three([0.95, 0.92, 0.5], cut=[True, False, False]))
    assert stays is not None
    np.testing.assert_allclose(stays.scores, [0.92, 0.5])
    assert not any(any(cut_sides(one)) for one in stays)


def test_a_cut_mask_that_is_clearly_the_best_is_followed() -> None:
    assert whole_candidates(three([0.95, 0.7, 0.5], cut=[True, False, False])) is None
    assert whole_candidates(three([0.95, 0.94, 0.9], cut=[True, True, True])) is None


def test_without_a_cut_all_three_stay() -> None:
    found = three([0.95, 0.7, 0.5], cut=[False, False, False])
    assert whole_candidates(found) is found


@pytest.mark.parametrize(
    ("centre", "radius"),
    [
        ((96.0, 300.0), 30.0),
        ((480.5, 480.5), 30.0),
        ((500.0, 400.0), 50.0),
        ((450.0, 500.0), 200.0),
    ],
)
def test_no_object_is_cut_wherever_it_lies(
    brightness_model: Sam, centre: tuple[float, float], radius: float
) -> None:
    y, x = np.mgrid[: PLANE[0], : PLANE[1]]
    truth = np.hypot(y - centre[0], x - centre[1]) <= radius
    segmenter = Segmenter(brightness_model, truth.astype(np.uint8) * 255)
    found = segmenter.predict(points=[centre], sampling=1)
    mask = np.zeros(PLANE, bool)
    (top, left), (height, width) = found.origin, found.masks.shape[1:]
    mask[top : top + height, left : left + width] = found.masks[0]
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95


def test_many_prompts_are_followed_as_one_is(brightness_model: Sam) -> None:
    y, x = np.mgrid[: PLANE[0], : PLANE[1]]
    centres = [(96.0, 300.0), (480.5, 480.5), (700.0, 200.0)]
    radii = [20.0, 30.0, 150.0]
    image = np.zeros(PLANE, np.uint8)
    for centre, radius in zip(centres, radii, strict=True):
        image[np.hypot(y - centre[0], x - centre[1]) <= radius] = 255
    prompts = [Prompt(points=[centre]) for centre in centres]
    together = Segmenter(brightness_model, image).predict_many(prompts, sampling=1)
    for centre, other in zip(centres, together, strict=True):
        alone = Segmenter(brightness_model, image).predict(points=[centre], sampling=1)
        assert alone.window == other.window
        np.testing.assert_array_equal(alone.logits, other.logits)
