"""Where exactly in its cell a nucleus lies: ellipses, a little bent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam.images.hash_noise import mix, uniform

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.hash_noise import Bits, Coordinates, Floats, Index

PITCH = 48
"""Side of a cell in pixels; joined cells have twice that."""

GAP = 1.0
"""Pixels of the lattice between a nucleus and the border of its cell, at least."""

MAX_BEAN = 0.25
"""How far an ellipse is bent at most, in semi-axes."""

BEAN_ROOM = 1 + MAX_BEAN / 2
"""An ellipse so many times as large holds every bent one."""

SMALL_SIZES, LARGE_SIZES = (0.5, 1.0), (0.6, 1.0)
"""Long semi-axis as a share of what fits a cell, and joined cells."""

ROUNDNESS = (0.7, 1.0)
"""Short semi-axis as a share of the long one."""


class Cells(NamedTuple):
    """What some cells hold; every array has the shape ``(rows, columns)``."""

    bits: Bits
    tall: npt.NDArray[np.bool_]
    wide: npt.NDArray[np.bool_]
    present: npt.NDArray[np.bool_]


class Outlines(NamedTuple):
    """Where exactly nuclei are in their cells, flat as in `Table`.

    The matrix takes a step from the middle (u, v) to one in units of the two semi-axes.
    """

    u: Coordinates
    v: Coordinates
    matrix: tuple[Floats, Floats, Floats, Floats]
    bean: Floats

    def squared_distance(
        self, place: npt.NDArray[np.intp], u: Coordinates, v: Coordinates
    ) -> Floats:
        """Squared distance from the middle in radii: below 1 inside a nucleus."""
        step_u = (u - self.u.take(place)).astype(np.float32)
        step_v = (v - self.v.take(place)).astype(np.float32)
        along: Floats = step_u * self.matrix[0].take(place)
        along += step_v * self.matrix[1].take(place)
        across: Floats = step_u * self.matrix[2].take(place)
        across += step_v * self.matrix[3].take(place)
        along *= along
        # A parabolic shear: it makes a bean of the ellipse and keeps the area.
        across += self.bean.take(place) * (along - np.float32(0.5))
        across *= across
        across += along
        return across


def outlines(rows: Index, columns: Index, cells: Cells) -> Outlines:
    """Middle and shape of the nuclei of some cells."""
    bits = mix(cells.bits + np.uint64(1))
    major, minor = semi_axes(cells)
    # A direction without sine and cosine: rational points of the half circle.
    t = _between((-1.0, 1.0), uniform(bits, 0, 16))
    scale = np.float32(1) / (np.float32(1) + t * t)
    cosine: Floats = (np.float32(1) - t * t) * scale
    sine: Floats = (t + t) * scale
    middles = []
    for index, joined, half, start, ahead, aside in zip(
        (rows[:, np.newaxis], columns[np.newaxis]),
        (cells.tall, cells.wide),
        half_sides(cells),
        (16, 32),
        (cosine, sine),
        (sine, cosine),
        strict=True,
    ):
        extent = np.sqrt((major * ahead) ** 2 + (minor * aside) ** 2) * np.float32(BEAN_ROOM)
        free = half - np.float32(GAP) - extent
        corner = np.where(joined, index & ~1, index) * float(PITCH)
        middles.append(corner + half + free * _between((-1.0, 1.0), uniform(bits, start, 16)))
    return Outlines(
        u=middles[0].ravel(),
        v=middles[1].ravel(),
        matrix=(
            (cosine / major).ravel(),
            (sine / major).ravel(),
            (-sine / minor).ravel(),
            (cosine / minor).ravel(),
        ),
        bean=_between((-MAX_BEAN, MAX_BEAN), uniform(bits, 48, 16)).ravel(),
    )


def half_sides(cells: Cells) -> tuple[Floats, Floats]:
    """Halves of the sides of cells along u and v, of joined ones together."""
    half, whole = np.float32(PITCH / 2), np.float32(PITCH)
    return np.where(cells.tall, whole, half), np.where(cells.wide, whole, half)


def semi_axes(cells: Cells) -> tuple[Floats, Floats]:
    """Long and short semi-axis of the ellipses: whatever their direction, they fit bent."""
    large = cells.tall & cells.wide
    size = uniform(cells.bits, 30, 12)
    share = np.where(large, _between(LARGE_SIZES, size), _between(SMALL_SIZES, size))
    room = np.where(large, np.float32(PITCH - GAP), np.float32(PITCH / 2 - GAP))
    major = room * np.float32(1 / BEAN_ROOM) * share
    return major, major * _between(ROUNDNESS, uniform(cells.bits, 42, 10))


def _between(ends: tuple[float, float], share: Floats) -> Floats:
    return np.float32(ends[0]) + np.float32(ends[1] - ends[0]) * share
