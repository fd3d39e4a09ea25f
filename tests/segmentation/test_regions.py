from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.regions import Region

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (100, 160)


def test_without_one_the_whole_plane_is_meant() -> None:
    region = Region.read(None, SHAPE)
    assert region.is_whole
    assert region.key is None
    assert region.holds(np.array([(0.0, 0.0), (99.4, 159.4), (99.6, 0.0)])).tolist() == [1, 1, 0]


def test_a_rectangle_is_cut_off_at_the_plane() -> None:
    region = Region.read((10, -30, 50.5, 70), SHAPE)
    assert region.box == (10, -0.5, 50.5, 70)
    points = np.array([(10.0, 0.0), (9.9, 0.0), (50.4, 69.9), (50.5, 3.0)])
    assert region.holds(points).tolist() == [True, False, True, False]


def test_a_mask_image_says_which_pixels() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:30, 40:60] = 255
    mask[70, 100] = 1
    region = Region.read(mask, SHAPE)
    assert region.box == (19.5, 39.5, 70.5, 100.5)
    y, x = np.mgrid[:100, :160]
    points = np.stack([y.ravel(), x.ravel()], axis=1).astype(float)
    np.testing.assert_array_equal(region.holds(points).reshape(SHAPE), mask > 0)


def test_a_pixel_of_a_coarse_mask_image_covers_whole_pixels_of_the_plane() -> None:
    mask = np.zeros((50, 80), bool)  # every pixel of it is two of the plane
    mask[10, 20] = mask[30, 60] = True
    points = np.array([(19.5, 39.5), (21.4, 41.4), (19.4, 40.0), (21.5, 40.0), (20.0, 41.5)])
    found = Region.read(mask, SHAPE).holds(points)
    assert found.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("shape", [(25, 40), (34, 54), (400, 640)])
def test_a_mask_image_may_be_coarser_or_finer(shape: tuple[int, int]) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]]
    mask = np.hypot(y / shape[0] - 0.5, x / shape[1] - 0.5) < 0.3
    region = Region.read(mask, SHAPE)
    points = np.random.default_rng(0).uniform((0, 0), (99, 159), (500, 2))
    share = (points + 0.5) / SHAPE
    distance = np.hypot(*(share - 0.5).T)
    sure = np.abs(distance - 0.3) > 0.05
    np.testing.assert_array_equal(region.holds(points)[sure], (distance < 0.3)[sure])


def test_a_mask_image_may_be_a_file(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:30, 40:60] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    region = Region.read(tmp_path / "mask.tif", SHAPE)
    assert region.box == (19.5, 39.5, 29.5, 59.5)
    assert region.key == Region.read(mask, SHAPE).key


def test_other_regions_have_other_keys() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[3, 4] = True
    other = mask.copy()
    other[3, 5] = True
    regions = [None, (0, 0, 10, 10), (0, 0, 10, 11), mask, other]
    keys = [Region.read(region, SHAPE).key for region in regions]
    assert len(set(keys)) == 5
    assert Region.read(mask.copy(), SHAPE).key == keys[3]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ((10, 10, 10, 20), "no area"),
        ((200, 0, 300, 20), "outside the plane"),
        ((1, 2, 3), r"expected \(y0, x0, y1, x1\)"),
        (np.zeros(SHAPE, bool), "0 everywhere"),
        (np.ones((100, 100), bool), "same proportions"),
        (np.ones(SHAPE), "float64"),
    ],
)
def test_what_is_no_region_is_refused(source: Any, problem: str) -> None:
    with pytest.raises((InputError, InputTypeError), match=problem):
        Region.read(source, SHAPE)
