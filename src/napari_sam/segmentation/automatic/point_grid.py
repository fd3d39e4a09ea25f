"""Where automatic segmentation asks: a regular grid of points over a plane."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.tiles import TileGrid, TileIndex

__all__ = ["tile_points", "window_points"]


def window_points(plane_shape: tuple[int, int], per_side: int) -> npt.NDArray[np.float64]:
    """Make the paper's grid: as many points along either side of a plane that one window shows.

    Returns
    -------
    ndarray of float64, shape (per_side ** 2, 2)
        ``(y, x)``, level-0 pixels, row by row.
    """
    return _grid(*(_positions(length, per_side) for length in plane_shape))


def tile_points(grid: TileGrid, tile: TileIndex, spacing: float) -> npt.NDArray[np.float64]:
    """Points of the plane's grid that a tile answers: those in its core.

    The grid is the plane's own and the cores partition the plane, so each point belongs to one
    tile wherever tiles lie.

    Parameters
    ----------
    grid : TileGrid
    tile : TileIndex
    spacing : float
        Model pixels between points. Stretched a little, so that they spread evenly over the
        plane; a plane narrower than the spacing has one row of points, in its middle.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        ``(y, x)``, level-0 pixels, row by row.
    """
    y0, x0, y1, x1 = grid.core(tile)
    axes = []
    for length, start, stop in zip(grid.plane_shape, (y0, x0), (y1, x1), strict=True):
        count = max(1, round(length / (spacing * grid.sampling)))
        along = _positions(length, count)
        axes.append(along[(along >= start) & (along < stop)])
    return _grid(*axes)


def _positions(length: int, count: int) -> npt.NDArray[np.float64]:
    """Place points at the middles of equal parts of an axis, pixel centres at integers."""
    return (np.arange(count) + 0.5) * length / count - 0.5


def _grid(ys: npt.NDArray[np.float64], xs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array(list(itertools.product(ys, xs)), np.float64).reshape(-1, 2)
