"""Whether objects were cut where tiles meet: a look at finished labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.labels.blocks import read, whole_plane
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_sam.images.tiles import TileGrid
    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box

    Strip = npt.NDArray[Any]

__all__ = ["audit_seams"]

SHORTEST = 8.0
"""Model pixels, and level-0 pixels, of a straight edge at least: round objects touch over less."""

SHARE = 2 / 3
"""Part of an object's length beside the line that a cut is long at least.

A disc of d pixels touches a line over about the square root of 4 d pixels, less than half of d as
soon as that is `SHORTEST`. Of 100,000 nuclei of a synthetic slide, which are less round, 8 touch a
line over more than half of their length, and none over more than 0.6 of it.
"""

DEPTH = 32
"""Pixels to either side of a line in which that length is measured."""

SEGMENT = 16_384
"""Pixels along a line that are read at once: a strip of them takes 4 MB."""


def audit_seams(
    labels: Labels, grid: TileGrid, plane: tuple[int, ...] = (), region: Box | None = None
) -> list[int]:
    """Find objects that end straight along a line between tiles.

    Where a tile cuts an object, the edge is as long as the object is wide there. Lines are the
    borders of the tiles' cores and of their windows; the plane's own border is none.

    Parameters
    ----------
    labels : ndarray, zarr array or LabelPyramid of int, shape (..., y, x)
    grid : TileGrid
        Tiles in which the objects were found.
    plane : tuple of int
        Index for every leading axis of the labels.
    region : tuple of int, optional
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open, that holds all objects.

    Returns
    -------
    list of int
        Ids of such objects, sorted; none when there are no seams.

    Raises
    ------
    StoreError
        When the labels cannot be read.
    """
    finest = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    region = whole_plane(finest) if region is None else region
    shortest = math.ceil(SHORTEST * max(1.0, grid.sampling))
    cut: set[int] = set()
    for axis in (0, 1):
        along = region[1 - axis], region[3 - axis]
        for line in _lines(grid, axis):
            if not region[axis] <= line <= region[axis + 2]:
                continue
            for strip, above in _strips(finest, plane, axis, line, along):
                cut |= _cut_above(strip[:above][::-1], strip[above], shortest)
                cut |= _cut_above(strip[above:], strip[above - 1], shortest)
    return sorted(cut)


def _lines(grid: TileGrid, axis: int) -> list[int]:
    """First pixels behind the lines that cross an axis."""
    length, side = grid.plane_shape[axis], grid.size * grid.sampling
    lines = set()
    for tile in grid:
        start = grid.window(tile).origin[axis]
        core = grid.core(tile)
        lines |= {round(start), round(start + side), round(core[axis] + 0.5)}
    return sorted(line for line in lines if 0 < line < length)


def _strips(
    labels: LabelArray, plane: tuple[int, ...], axis: int, line: int, along: tuple[int, int]
) -> Iterator[tuple[Strip, int]]:
    """Labels beside a line, piece by piece, turned so that the line lies along the second axis.

    Yields
    ------
    strip : ndarray, shape (n, m)
    above : int
        Rows of it that lie above the line.
    """
    across = labels.shape[-2:][axis]
    low, high = max(0, line - DEPTH), min(across, line + DEPTH)
    for start in range(*along, SEGMENT):
        # The pieces overlap, so that an object lies whole in one of them unless it is longer.
        stop = min(start + SEGMENT + SEGMENT // 4, along[1])
        if axis == 0:
            yield read(labels, plane, (low, start, high, stop)), line - low
        else:
            yield read(labels, plane, (start, low, stop, high)).T, line - low


def _cut_above(side: Strip, beyond: npt.NDArray[Any], shortest: int) -> set[int]:
    """Ids that end at a line.

    Parameters
    ----------
    side : ndarray, shape (n, m)
        Labels on one side, the row beside the line first.
    beyond : ndarray, shape (m,)
        Labels of the row on the other side.
    shortest : int
        Pixels that an edge has at least.
    """
    edge = np.where(side[0] != beyond, side[0], 0)
    changes = np.flatnonzero(edge[1:] != edge[:-1]) + 1
    bounds = np.concatenate([[0], changes, [len(edge)]])
    cut = set()
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        run = stop - start
        if edge[start] == 0 or run < shortest:
            continue
        # An object that is longer than the run by more than its length on either side is no cut.
        near = side[:, max(0, start - run) : stop + run] == edge[start]
        if run >= SHARE * np.count_nonzero(near.any(axis=0)):
            cut.add(int(edge[start]))
    return cut
