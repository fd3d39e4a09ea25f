"""Masks from the decoder's resolution to level 0."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.images.tiles import Window
from napari_sam.segmentation import enlarge as module
from napari_sam.segmentation.enlarge import Enlarged, enlarge
from napari_sam.segmentation.mask_grid import draw
from napari_sam.segmentation.run_lengths import decode

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


def test_what_is_drawn_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, where = disc((14, 10), 6.3), window(2.0)
    at_once = large(logits, where)
    monkeypatch.setattr(module, "DRAWN_AT_ONCE", 500)
    assert large(logits, where) == at_once
    monkeypatch.setattr(module, "DRAWN_AT_ONCE", 1)
    assert large(logits, where) == at_once


def test_a_mask_without_a_pixel_is_none() -> None:
    assert enlarge(disc((14, 10), -1.0), window(1.0), PLANE) is None
    speck = np.full((SIDE, SIDE), -9.0, np.float32)
    speck[8, 8] = 0.1  # a peak between the centres of pixels
    assert enlarge(speck, window(0.25), PLANE) is not None
    assert enlarge(speck, window(0.125), PLANE) is None


def test_a_mask_with_more_pixels_than_run_lengths_can_count_is_none() -> None:
    everything = np.ones((SIDE, SIDE), np.float32)
    assert enlarge(everything, window(1024.0), (100_000, 100_000)) is None
