from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.images.tiles import TileGrid
from napari_sam.segmentation.automatic import seam_audit
from napari_sam.segmentation.automatic.seam_audit import audit_seams
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

GRID = TileGrid((400, 300), 1.0, size=128, halo=16)
CORES = [112, 208]
"""Between the cores, along either axis; down the plane there is one more, at 304."""

WINDOWS = [96, 128, 192, 224]
"""Where windows begin and end, along either axis."""


def disc(centre: tuple[float, float], radius: float) -> npt.NDArray[np.bool_]:
    y, x = np.indices(GRID.plane_shape)
    return np.asarray((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2)


@pytest.mark.parametrize("line", CORES + WINDOWS)
@pytest.mark.parametrize("axis", [0, 1])
def test_an_object_that_ends_at_a_tile_line_is_found(axis: int, line: int) -> None:
    centre = (line + 4, 150) if axis == 0 else (150, line + 4)
    positions = np.indices(GRID.plane_shape)[axis]
    labels = np.zeros(GRID.plane_shape, np.uint32)
    labels[disc(centre, 20)] = 5
    assert audit_seams(labels, GRID) == []
    for side in (positions < line, positions >= line):
        one = np.where(side, labels, 0)
        assert audit_seams(one, GRID) == [5]
    two = np.where((positions < line) & (labels == 5), 9, labels)
    assert audit_seams(two, GRID) == [5, 9]
    assert audit_seams(np.roll(two, 7, axis), GRID) == []


@pytest.mark.parametrize("radius", [3, 5, 8, 10, 15, 25, 40, 80])
def test_round_objects_that_touch_a_line_are_not_cut(radius: int) -> None:
    for line in (*CORES, 304, 128):
        for shift in np.arange(-1, 1.1, 0.25):
            labels = disc((line - radius + shift, 150), radius).astype(np.uint8)
            assert audit_seams(labels, GRID) == []


def test_the_exact_labels_of_a_slide_have_no_seams() -> None:
    slide = SyntheticSlide((2048, 2048), seed=3)
    labels = slide.labels((0, 0, 2048, 2048))
    for size in (128, 256):
        for sampling in (0.5, 1.0, 2.0):
            assert audit_seams(labels, TileGrid((2048, 2048), sampling, size, size // 8)) == []


def test_the_border_of_the_plane_is_no_seam() -> None:
    labels = np.ones(GRID.plane_shape, np.uint8)
    assert audit_seams(labels, GRID) == []
    labels[112:] = 2
    assert audit_seams(labels, GRID) == [1, 2]


def test_a_plane_of_labels_on_disk_is_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.zeros((2, *GRID.plane_shape), np.uint16)
    labels[1][disc((112, 60), 12)] = 3
    labels[1, :112][labels[1, :112] == 3] = 0
    pyramid = LabelPyramid.from_array(tmp_path / "labels.zarr", labels, axes="ZYX", chunk=64)
    monkeypatch.setattr(seam_audit, "SEGMENT", 64)
    assert audit_seams(pyramid, GRID, plane=(0,)) == []
    assert audit_seams(pyramid, GRID, plane=(1,)) == [3]


def test_only_a_region_is_looked_at_where_objects_lie_in_one() -> None:
    labels = np.zeros(GRID.plane_shape, np.uint8)
    labels[112:132, 30:60] = 1  # both begin at the border of two cores
    labels[112:132, 240:270] = 2
    assert audit_seams(labels, GRID) == [1, 2]
    assert audit_seams(labels, GRID, region=(0, 0, 140, 200)) == [1]
    assert audit_seams(labels, GRID, region=(112, 30, 132, 60)) == [1]
    assert audit_seams(labels, GRID, region=(114, 0, 400, 90)) == []
