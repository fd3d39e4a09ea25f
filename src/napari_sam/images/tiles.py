"""Where a model looks: windows on a plane, and the grid of tiles that covers it.

Coordinates
-----------
Points of the public API are ``(y, x)`` in level-0 pixels with pixel centres at
integers. A *model coordinate* is continuous, ``(x, y)``, and model pixel ``i``
covers ``[i, i + 1)``. `Window.to_model` and `Window.to_image` are the only
places where one becomes the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

HALO_CELLS = 8
"""Cells of halo on each side of a core: 64 cells a tile = 8 + 48 + 8."""


@dataclass(frozen=True, slots=True)
class Window:
    """A square of model pixels on a plane: what the model sees at once.

    Parameters
    ----------
    origin : tuple of float
        ``(y, x)`` of the window's outer corner in level-0 pixels, counted from the
        outer corner of the image (the centre of pixel 0 is at 0.5). Never negative:
        a window is padded at its far sides only.
    sampling : tuple of float
        Level-0 pixels per model pixel along ``(y, x)``.
    size : int
        Model pixels along each side.
    """

    origin: tuple[float, float]
    sampling: tuple[float, float]
    size: int

    def to_model(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert level-0 points to model coordinates.

        Parameters
        ----------
        points : array_like, shape (..., 2)
            ``(y, x)``, level-0 pixels, pixel centres at integers.

        Returns
        -------
        ndarray of float64, shape (..., 2)
            ``(x, y)``, continuous model pixels.
        """
        yx = (np.asarray(points, dtype=np.float64) + 0.5 - self.origin) / self.sampling
        return yx[..., ::-1]

    def to_image(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Convert model coordinates ``(x, y)`` to level-0 points ``(y, x)``; see `to_model`."""
        yx = np.asarray(points, dtype=np.float64)[..., ::-1]
        return yx * self.sampling + self.origin - 0.5

    def extent(self, plane_shape: tuple[int, int]) -> tuple[int, int]:
        """Model pixels ``(height, width)`` of the window that lie on the plane.

        A model pixel that the plane only partly covers counts.
        """
        height, width = (
            min(self.size, math.ceil(round((length - start) / step, 6)))
            for length, start, step in zip(plane_shape, self.origin, self.sampling, strict=True)
        )
        return height, width


class TileIndex(NamedTuple):
    """Row and column of a tile in its grid."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The tiles of a plane at one sampling.

    Along one axis tiles of ``size`` model pixels start every ``core`` model pixels, so
    neighbours share two halos::

        plane   |------------------------------------------|
        tile 0  [core............|halo]
        tile 1            [halo|core......|halo]
        tile 2                     [halo|core..............]

    A core is what belongs to a tile alone: the cores partition the plane. Where a tile ends
    with the plane there is nothing to see beyond, and its core takes that halo in. A plane
    that fits one tile is one tile.

    Parameters
    ----------
    plane_shape : tuple of int
        ``(height, width)`` of the plane in level-0 pixels.
    sampling : float
        Level-0 pixels per model pixel, a power of two.
    size : int
        Model pixels along a side of a tile.
    halo : int
        Model pixels of halo on each side of a core.
    """

    plane_shape: tuple[int, int]
    sampling: float
    size: int
    halo: int

    def __post_init__(self) -> None:
        if min(self.plane_shape) < 1:
            raise InputError(f"a plane of shape {self.plane_shape} has no pixels to tile")
        if not 0 <= 2 * self.halo < self.size:
            raise InputError(f"a halo of {self.halo} leaves no core in a tile of {self.size}")

    @classmethod
    def for_cells(
        cls, plane_shape: tuple[int, int], sampling: float, size: int, cell: int
    ) -> TileGrid:
        """Grid of tiles of ``size`` model pixels with the usual halo of `HALO_CELLS` cells."""
        return cls(plane_shape, sampling, size, halo=_halo_cells(size // cell) * cell)

    @property
    def step(self) -> int:
        """Model pixels from one tile's start to the next's: the side of a core."""
        return self.size - 2 * self.halo

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tiles along ``(y, x)``."""
        rows, columns = (self._count(length) for length in self.plane_shape)
        return rows, columns

    def _count(self, length: int) -> int:
        model_length = math.ceil(length / self.sampling)
        return 1 + max(0, math.ceil((model_length - self.size) / self.step))

    def __len__(self) -> int:
        rows, columns = self.shape
        return rows * columns

    def __iter__(self) -> Iterator[TileIndex]:
        rows, columns = self.shape
        return (TileIndex(row, column) for row in range(rows) for column in range(columns))

    def window(self, tile: TileIndex) -> Window:
        """Window of a tile: its core and halo."""
        stride = self.step * self.sampling
        return Window(
            origin=(tile.row * stride, tile.column * stride),
            sampling=(self.sampling, self.sampling),
            size=self.size,
        )

    def tile_of(self, window: Window) -> TileIndex | None:
        """Tile that a window is, or None when it lies between the tiles."""
        stride = self.step * self.sampling
        row, column = (int(start // stride) for start in window.origin)
        rows, columns = self.shape
        tile = TileIndex(row, column)
        is_tile = row < rows and column < columns and self.window(tile) == window
        return tile if is_tile else None

    def core(self, tile: TileIndex) -> tuple[float, float, float, float]:
        """Box ``(y0, x0, y1, x1)`` of a tile's core, half-open, pixel centres at integers."""
        spans = [
            self._core_span(index, count, length)
            for index, count, length in zip(tile, self.shape, self.plane_shape, strict=True)
        ]
        (y0, y1), (x0, x1) = spans
        return y0 - 0.5, x0 - 0.5, y1 - 0.5, x1 - 0.5

    def _core_span(self, index: int, count: int, length: int) -> tuple[float, float]:
        start = (index * self.step + self.halo) * self.sampling if index > 0 else 0.0
        stop = ((index + 1) * self.step + self.halo) * self.sampling
        return start, stop if index < count - 1 else float(length)

    def tile_at(self, point: tuple[float, float]) -> TileIndex:
        """Tile whose core holds a level-0 point ``(y, x)``; beyond the plane the nearest tile."""
        row, column = (
            min(max(math.floor(((p + 0.5) / self.sampling - self.halo) / self.step), 0), count - 1)
            for p, count in zip(point, self.shape, strict=True)
        )
        return TileIndex(row, column)

    def tiles_in(self, box: tuple[float, float, float, float]) -> list[TileIndex]:
        """Tiles whose cores meet a box ``(y0, x0, y1, x1)`` in level-0 pixels, row by row."""
        y0, x0, y1, x1 = box
        first, last = self.tile_at((y0, x0)), self.tile_at((y1, x1))
        return [
            TileIndex(row, column)
            for row in range(first.row, last.row + 1)
            for column in range(first.column, last.column + 1)
        ]

    def window_around(self, point: tuple[float, float]) -> Window:
        """Tile-sized window with a point in its middle, moved back where it would leave the plane.

        Its origin lies on whole model pixels of the grid, so that it samples the image exactly
        where the tiles do.
        """
        starts = []
        for p, length in zip(point, self.plane_shape, strict=True):
            centre = (p + 0.5) / self.sampling
            last = max(0, math.ceil(length / self.sampling) - self.size)
            starts.append(min(max(round(centre - self.size / 2), 0), last) * self.sampling)
        return Window((starts[0], starts[1]), (self.sampling, self.sampling), self.size)


def _halo_cells(cells: int) -> int:
    """Halo in cells: 8 of 64, and the same eighth for the small models of tests."""
    return HALO_CELLS * cells // 64


def window_to_fit(plane_shape: tuple[int, int], size: int) -> Window:
    """Window of the reference's own preprocessing: the long side is the window's side.

    Segment Anything's released ``ResizeLongestSide``: both sides are rounded to whole model
    pixels, so the sampling may differ a little between the axes.
    """
    scale = size / max(plane_shape)
    height, width = (max(1, int(length * scale + 0.5)) for length in plane_shape)
    return Window((0.0, 0.0), (plane_shape[0] / height, plane_shape[1] / width), size)
