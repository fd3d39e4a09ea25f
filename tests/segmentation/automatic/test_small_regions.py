"""Islands and holes of masks."""

from __future__ import annotations

import numpy as np

from napari_sam.segmentation.automatic.small_regions import without_small_regions


def logits_of(*rows: str) -> np.ndarray:
    """Draw logits: 5 where there is a #, -3 elsewhere."""
    return np.array([[5.0 if c == "#" else -3.0 for c in row] for row in rows], np.float32)


MASK = logits_of(
    "..........",
    ".#####....",
    ".#####..#.",
    ".##.##..#.",
    ".#####....",
    ".#####....",
    "..........",
)


def test_a_small_hole_is_filled_and_a_small_island_goes() -> None:
    cleaned = without_small_regions(MASK, 3) > 0
    assert cleaned[3, 3]
    assert not cleaned[2:4, 8].any()
    assert np.count_nonzero(cleaned) == 25


def test_what_is_large_enough_stays() -> None:
    cleaned = without_small_regions(MASK, 2)
    assert (cleaned[2:4, 8] > 0).all()  # two logits
    assert cleaned[3, 3] > 0  # one
    np.testing.assert_array_equal(without_small_regions(MASK, 1), MASK)
    assert without_small_regions(MASK, 0) is MASK


def test_only_signs_change_and_only_there() -> None:
    cleaned = without_small_regions(MASK, 3)
    changed = cleaned != MASK
    assert np.count_nonzero(changed) == 3
    np.testing.assert_array_equal(cleaned[changed], -MASK[changed])


def test_the_largest_part_of_a_small_mask_stays() -> None:
    mask = logits_of("........", ".##..#..", ".#......", "........")
    cleaned = without_small_regions(mask, 100) > 0
    assert cleaned[1:3, 1:3].sum() == 3
    assert not cleaned[1, 5]


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask = logits_of("......", ".#....", "..#...", "...#..", "......")
    np.testing.assert_array_equal(without_small_regions(mask, 3), mask)
    assert np.count_nonzero(without_small_regions(logits_of("#.#", "...", "#.."), 2) > 0) == 1


def test_a_bay_that_is_open_to_the_border_is_no_hole() -> None:
    mask = logits_of("####", "#..#", "#.##", "#.##")
    np.testing.assert_array_equal(without_small_regions(mask, 10), mask)
    closed = logits_of("####", "#..#", "#.##", "####")
    assert (without_small_regions(closed, 10) > 0).all()
