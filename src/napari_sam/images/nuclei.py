"""Nuclei without end: which one lies at a point of a synthetic slide, from the point alone.

The cells of a square lattice hold one nucleus or none; some are joined, two or four of them, and
hold one together. A nucleus lies wholly inside its cell, so a point looks at one cell only. Rows of
cells are shifted against each other and the lattice is bent by a smooth displacement, and the
nuclei with it: they neither stand in line nor look alike. Towards the slide's borders the
displacement across them fades out: the bent lattice fills the slide exactly, and nuclei in cells
that fit are whole.

Coordinates here are continuous level-0 pixels counted from the slide's outer corner (the centre of
pixel 0 is at 0.5); on the lattice, before shifting and bending, they are called ``u`` and ``v``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam.images.hash_noise import (
    hash_axis,
    hash_grid,
    make_key,
    mix,
    smooth_field,
    uniform,
)
from napari_sam.images.outlines import PITCH, Cells, half_sides, outlines, semi_axes

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.hash_noise import Coordinates, Floats, Index

BENDS = ((24.0, 400.0), (6.0, 150.0))
"""Displacements of the lattice: pixels along either axis, and the distance they change over."""

FADE = 300.0
"""Pixels from a border over which the displacement across it fades out."""

REACH = sum(most for most, _ in BENDS)
"""Pixels that the lattice is displaced by at most."""

MAX_EXTENT = 320
"""Pixels along an axis that a nucleus has at most, by far.

On the lattice it has up to 94. The slope of the displacement is at most 3 * 24 / 400 + 3 * 6 / 150
= 0.3, and 30 / 300 more where it fades out, so lengths grow by at most 1 / (1 - 0.4 - 0.3).
"""

FOURS, PAIRS = 0.16, 0.24
"""Part of the slide in which four cells are joined, and two, on top of each other or abreast."""

DIM, BRIGHT = 500.0, 2400.0
"""Brightness of nuclei above the background; the dim ones are more."""

CROWDS = (40.0, 576.0)
"""How dense nuclei are changes over this part of the slide's long side, at least these pixels."""

TISSUE_LOBES = ((4.0, 0.6), (11.0, 0.35), (31.0, 0.22), (83.0, 0.15))
"""Random fields of the tissue: how many knots fit along the slide, and how strong they are."""

SMALLEST_LOBE = 300.0
"""Distance in pixels between the knots of those fields, at least."""

DOME_HEIGHT, DOME_SLOPE = 1.45, 1.9
"""What tissue is in the middle of the slide without those fields, and how it falls from there."""

_STREAMS = range(13)
_JOINT, _SINGLE, _JOINED, _SHIFT, _UP_1, _UP_2, _ALONG_1, _ALONG_2, _CROWD = _STREAMS[:9]
_LOBES = _STREAMS[9:]


class Table(NamedTuple):
    """Nuclei of some cells, one number each: flat over rows and columns.

    Attributes
    ----------
    label : ndarray of uint32
        Id, 0 where a cell is empty.
    brightness : ndarray of float32
        In its middle, above the background; 0 where a cell is empty.
    radius : ndarray of float32
        Of the disc of the same area.
    share : ndarray of float32
        Part of the cell that it covers.
    """

    label: npt.NDArray[np.uint32]
    brightness: Floats
    radius: Floats
    share: Floats


@dataclass(frozen=True)
class NucleiLattice:
    """The nuclei of a slide.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` of the slide in pixels.
    seed : int
        Another seed gives another slide.
    """

    shape: tuple[int, int]
    seed: int

    @cached_property
    def _keys(self) -> tuple[int, ...]:
        return tuple(make_key(self.seed, stream) for stream in _STREAMS)

    def labels(self, y: Coordinates, x: Coordinates) -> npt.NDArray[np.uint32]:
        """Id of the nucleus at every pair of a ``y`` and an ``x``, 0 where there is none."""
        rows, columns, place, u, v = self.look_up(y, x)
        cells = self.cells(rows, columns)
        if not cells.present.any():
            return np.zeros(place.shape, np.uint32)
        inside = outlines(rows, columns, cells).squared_distance(place, u, v) < 1
        found = self.table(rows, columns, cells).label.take(place)
        found[~inside] = 0
        return found

    def count(self) -> int:
        """Count the nuclei of the whole slide, some rows of cells at a time."""
        rows, columns = np.arange(self.shape[0] // PITCH), np.arange(self._per_row)
        total = 0
        for start in range(0, len(rows), 64):
            some = rows[start : start + 64]
            cells = self.cells(some, columns)
            first = (some % 2 == 0)[:, np.newaxis] | ~cells.tall
            first &= (columns % 2 == 0) | ~cells.wide
            total += int((cells.present & first).sum())
        return total

    @property
    def _per_row(self) -> int:
        """Cells that come into question in a row: with its shift it is up to two cells longer."""
        return self.shape[1] // PITCH + 3

    def look_up(
        self, y: Coordinates, x: Coordinates, bent: bool = True
    ) -> tuple[Index, Index, npt.NDArray[np.intp], Coordinates, Coordinates]:
        """Find the cell of every pair of a ``y`` and an ``x``.

        Parameters
        ----------
        y, x : ndarray of float64
        bent : bool
            Whether to bend the lattice. Without, points may be up to `REACH` pixels away from
            where they belong, which is cheaper and enough for very coarse levels.

        Returns
        -------
        rows, columns : ndarray of int64
            Rows and columns of the cells that come into question.
        place : ndarray of int, shape (len(y), len(x))
            Which of them, flat, a pair is in.
        u, v : ndarray of float64
            Where it is on the lattice; broadcast to the shape of ``place``.
        """
        u, v = y[:, np.newaxis], x[np.newaxis]
        if bent:
            u = u + self._displacement((_UP_1, _UP_2), y, x) * _fade(y, self.shape[0])[:, None]
            v = v + self._displacement((_ALONG_1, _ALONG_2), y, x) * _fade(x, self.shape[1])
        rows = _candidates(y, REACH if bent else 0.0)
        row = _rank(np.floor(u * (1 / PITCH)), rows)
        v = v + self._shift(rows).take(row)
        column = np.floor(v * (1 / PITCH)).astype(np.intp)
        columns = np.arange(column.min(), column.max() + 1)
        column -= columns[0]
        return rows, columns, row * len(columns) + column, u, v

    def _displacement(self, streams: tuple[int, int], y: Coordinates, x: Coordinates) -> Floats:
        first, second = (
            smooth_field(self._keys[stream], y, x, distance) * np.float32(most)
            for stream, (most, distance) in zip(streams, BENDS, strict=True)
        )
        first += second
        return first

    def _shift(self, rows: Index) -> Coordinates:
        """Shift of rows of cells along v, the same for the two rows of joined cells."""
        bits = hash_axis(self._keys[_SHIFT], rows >> 1)
        return uniform(bits, 40, 16).astype(np.float64) * (2 * PITCH)

    def tissue(self, y: Coordinates, x: Coordinates) -> Floats:
        """Tissue: above 0 inside a lobed section with holes, about half of the slide.

        In the middle of the slide it always is: the fields cannot outweigh the dome there.
        """
        height, width = self.shape
        fall_y, fall_x = (
            (DOME_SLOPE * (2 * position / length - 1) ** 2).astype(np.float32)
            for position, length in ((y, height), (x, width))
        )
        tissue: Floats = (np.float32(DOME_HEIGHT) - fall_y)[:, np.newaxis] - fall_x
        for stream, (count, strength) in zip(_LOBES, TISSUE_LOBES, strict=True):
            distance = max(max(self.shape) / count, SMALLEST_LOBE)
            tissue += smooth_field(self._keys[stream], y, x, distance) * np.float32(strength)
        return tissue

    def cells(self, rows: Index, columns: Index) -> Cells:
        """Say which of some cells are joined, and which hold a nucleus that is on the slide."""
        pair_rows, pair_columns = rows >> 1, columns >> 1
        joint = uniform(hash_grid(self._keys[_JOINT], pair_rows, pair_columns), 40, 20)
        joint[~self._fit(pair_rows * 2, pair_columns * 2, 2 * PITCH)] = 1
        tall = joint < np.float32(FOURS + PAIRS)
        wide = (joint < np.float32(FOURS)) | (
            (joint >= np.float32(FOURS + PAIRS)) & (joint < np.float32(FOURS + 2 * PAIRS))
        )
        single, joined = self._keys[_SINGLE], self._keys[_JOINED]
        across = np.where(
            tall, hash_axis(joined, pair_rows)[:, None], hash_axis(single, rows)[:, None]
        )
        along = np.where(wide, hash_axis(~joined, pair_columns), hash_axis(~single, columns))
        bits = mix(across + along)
        # Four cells look at one place, so that they agree when they are joined.
        y = (pair_rows + 0.5).astype(np.float64) * (2 * PITCH)
        x = pair_columns.astype(np.float64) * (2 * PITCH)
        distance = max(max(self.shape) / CROWDS[0], CROWDS[1])
        crowd = smooth_field(self._keys[_CROWD], y, x, distance)
        chance = self.tissue(y, x)
        chance *= 4
        np.clip(chance, 0, 1, out=chance)
        chance *= np.float32(0.75) + np.float32(0.25) * crowd
        present = uniform(bits, 14, 16) < chance
        present &= self._fit(rows, columns, PITCH)
        return Cells(bits, tall, wide, present)

    def _fit(self, rows: Index, columns: Index, side: int) -> npt.NDArray[np.bool_]:
        """Whether cells of a side that start at some rows and columns are wholly on the slide."""
        height, width = self.shape
        vertically = (rows >= 0) & (rows * PITCH + side <= height)
        start = columns * PITCH - self._shift(rows)[:, np.newaxis]
        return vertically[:, np.newaxis] & (start >= 0) & (start + side <= width)

    def table(self, rows: Index, columns: Index, cells: Cells) -> Table:
        """Id, brightness and size of the nuclei of some cells."""
        major, minor = semi_axes(cells)
        shade = uniform(cells.bits, 52, 12)
        brightness = np.float32(DIM) + np.float32(BRIGHT - DIM) * shade * shade
        brightness[~cells.present] = 0
        first_row = np.where(cells.tall, (rows & ~1)[:, np.newaxis], rows[:, np.newaxis])
        label = first_row * self._per_row + np.where(cells.wide, columns & ~1, columns) + 1
        label[~cells.present] = 0
        area = major * minor
        half_u, half_v = half_sides(cells)
        share = area * np.float32(np.pi / 4) / (half_u * half_v)
        return Table(
            label.astype(np.uint32).ravel(),
            brightness.ravel(),
            np.sqrt(area).ravel(),
            share.ravel(),
        )


def _fade(position: Coordinates, length: int) -> Floats:
    """Factor of the displacement across the two borders of an axis: 0 there, 1 far away."""
    return np.minimum(np.minimum(position, length - position) / FADE, 1).astype(np.float32)


def _candidates(position: Coordinates, reach: float) -> Index:
    """Rows of cells that positions may be in once they are displaced by up to ``reach``."""
    rows = [np.floor((position + shift) * (1 / PITCH)) for shift in (-reach, 0.0, reach)]
    return np.unique(np.concatenate(rows)).astype(np.int64)


def _rank(row: Coordinates, rows: Index) -> npt.NDArray[np.intp]:
    """Position of every row in the sorted ``rows``."""
    place: npt.NDArray[np.intp] = row.astype(np.intp) - rows[0]
    span = int(rows[-1] - rows[0]) + 1
    if len(rows) == span:
        return place
    ranks = np.zeros(span, np.intp)
    ranks[rows - rows[0]] = np.arange(len(rows))
    return np.asarray(ranks.take(place))
