"""The levels of one image: how they lie on each other, and how a part of one is read."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.arrays import check_dtype, chunk_shape, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.images.arrays import ArrayLike
    from napari_sam.images.axes import Axes

TOLERANCE = 0.005
"""Share by which a scale in the metadata may be off: microns are often written with few digits."""


class Pyramid:
    """Levels of an image, finest first.

    The centre of pixel ``i`` of a level lies at ``i * factor + shift`` in level-0 pixels, along
    every axis. An averaged level shares its outer corner with level 0, so its shift is
    ``(factor - 1) / 2``; a level of every n-th pixel has the shift 0.

    Parameters
    ----------
    levels : sequence of array
        With the same axes.
    axes : Axes
    scales : sequence of sequence of float, optional
        Level-0 pixels per pixel, for each level and axis, as the metadata has them. Taken from
        the sizes of the levels when not given.
    shifts : sequence of sequence of float, optional
        For each level and axis. Shared outer corners when not given.
    name : str
        For messages.

    Raises
    ------
    InputError, InputTypeError
        When the levels are not one pyramid.
    """

    def __init__(
        self,
        levels: Sequence[ArrayLike],
        axes: Axes,
        scales: Sequence[Sequence[float]] | None = None,
        shifts: Sequence[Sequence[float]] | None = None,
        name: str = "image",
    ) -> None:
        self.levels = tuple(levels)
        self.axes = axes
        self.name = name
        shapes = [tuple(int(n) for n in level.shape) for level in self.levels]
        check_dtype(np.dtype(self.levels[0].dtype), name)
        _check_shapes(shapes, axes, name, may_repeat=scales is not None)
        self.shapes = tuple(shapes)
        given = scales or _scales_of_sizes(shapes)
        self._factors = [
            tuple(map(agreed_factor, scale, shapes[0], shape))
            for scale, shape in zip(given, shapes, strict=True)
        ]
        self._shifts = [
            tuple(map(float, shifts[level])) if shifts else tuple((f - 1) / 2 for f in factors)
            for level, factors in enumerate(self._factors)
        ]
        self._check_cover()

    def factor(self, level: int) -> tuple[float, float]:
        """Level-0 pixels per pixel of a level, ``(y, x)``."""
        factors = self._factors[level]
        return factors[self.axes.y], factors[self.axes.x]

    def to_level(self, level: int, edge: tuple[float, float]) -> tuple[float, float]:
        """Convert ``(y, x)`` counted from the outer corner of level 0 to the same of a level."""
        y, x = (
            # The corner of pixel 0 is half a pixel before its centre, in either level.
            round((e - 0.5 - self._shifts[level][i]) / self._factors[level][i] + 0.5, 9)
            for e, i in zip(edge, (self.axes.y, self.axes.x), strict=True)
        )
        return y, x

    def chunk(self, level: int) -> tuple[int, int]:
        """Pixels ``(y, x)`` that are read at once; 1 where any part can be read alone."""
        chunks = chunk_shape(self.levels[level])
        return (chunks[self.axes.y], chunks[self.axes.x]) if chunks else (1, 1)

    def decoded(self, level: int, size: tuple[int, int], n_channels: int) -> int:
        """Values that are unpacked to read a block of ``size`` pixels, aligned with the chunks."""
        chunks = chunk_shape(self.levels[level]) or (1,) * len(self.axes.names)
        wanted = {self.axes.y: size[0], self.axes.x: size[1], self.axes.channel: n_channels}
        return math.prod(
            min(max(chunk, wanted.get(axis, 1)), length)
            for axis, (chunk, length) in enumerate(zip(chunks, self.shapes[level], strict=True))
        )

    def read(
        self,
        level: int,
        plane: tuple[int, ...],
        channels: Sequence[int],
        box: tuple[int, int, int, int],
    ) -> npt.NDArray[Any]:
        """Read pixels as they are stored.

        Parameters
        ----------
        level : int
        plane : tuple of int
            Index for every leading axis, of level 0.
        channels : sequence of int
            In the order that they are wanted in.
        box : tuple of int
            ``(y0, x0, y1, x1)``, half-open, in pixels of the level; cut off at its edges.

        Returns
        -------
        ndarray, shape (channels, y, x)
        """
        axes, shape = self.axes, self.shapes[level]
        key: list[int | slice] = [0] * len(shape)
        for axis, index in zip(axes.leading, plane, strict=True):
            key[axis] = self._plane_index(level, axis, index)
        for axis, start, stop in ((axes.y, box[0], box[2]), (axes.x, box[1], box[3])):
            start = min(max(start, 0), shape[axis])
            key[axis] = slice(start, max(start, min(stop, shape[axis])))
        if axes.channel is None:
            return self._fetch(level, tuple(key))[np.newaxis]
        blocks: dict[int, npt.NDArray[Any]] = {}
        for first, last in self._runs(level, channels):
            key[axes.channel] = slice(first, last + 1)
            block = self._fetch(level, tuple(key))
            block = np.moveaxis(block, axes.channel_in_plane, 0)
            blocks |= dict(zip(range(first, last + 1), block, strict=True))
        return np.stack([blocks[channel] for channel in channels])

    def _fetch(self, level: int, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        try:
            return fetch(self.levels[level], key)
        except MemoryError:
            raise
        except Exception as error:  # every kind of array has its own
            raise InputError(
                f"{self.name} could not be read (level {level}): {error}; it may be damaged, or "
                "out of reach"
            ) from error

    def _runs(self, level: int, channels: Sequence[int]) -> list[tuple[int, int]]:
        """First and last channel of each read: all in one, unless a chunk holds fewer of them."""
        wanted = sorted(channels)
        chunks = chunk_shape(self.levels[level])
        together = chunks[self.axes.channel] if chunks and self.axes.channel is not None else None
        if together is None or together > wanted[-1] - wanted[0]:
            return [(wanted[0], wanted[-1])]
        runs = [(wanted[0], wanted[0])]
        for channel in wanted[1:]:
            first, last = runs[-1]
            if channel == last + 1:
                runs[-1] = first, channel
            else:
                runs.append((channel, channel))
        return runs

    def _plane_index(self, level: int, axis: int, index: int) -> int:
        """Nearest index along a leading axis that a level may have fewer of."""
        if self.shapes[level][axis] == self.shapes[0][axis]:
            return index
        near = (index - self._shifts[level][axis]) / self._factors[level][axis]
        return min(max(math.floor(near + 0.5), 0), self.shapes[level][axis] - 1)

    def _check_cover(self) -> None:
        """Refuse levels that leave more than one of their own pixels of the plane uncovered."""
        for level, shape in enumerate(self.shapes):
            for axis in (self.axes.y, self.axes.x):
                factor, length = self._factors[level][axis], self.shapes[0][axis]
                start = self._shifts[level][axis] - (factor - 1) / 2
                if start > factor or start + (shape[axis] + 1) * factor < length:
                    raise InputError(
                        f"the metadata of {self.name} say that level {level} starts at {start:g} "
                        f"and is {factor:g} times as coarse as level 0 along "
                        f"{self.axes.names[axis]}, but its length is {shape[axis]} of {length}: "
                        "correct them, or give the levels as a list of arrays"
                    )


def agreed_factor(scale: float, length: int, short: int) -> float:
    """Level-0 pixels per pixel of a level along an axis, where metadata and sizes agree.

    Levels are cut off or padded to whole pixels (and some to whole chunks), so sizes alone do not
    say it exactly; scales are rounded to a few digits, which over 100,000 pixels is more than a
    pixel. A scale that was rounded from a whole number, or from the ratio of the sizes, becomes
    that; every other one is kept.
    """
    ratio, whole = length / short, round(scale)
    off = abs(length / scale - short)  # in pixels of the level
    if off > 0.01 and whole and abs(scale - whole) <= TOLERANCE * whole:
        return float(whole)
    return ratio if off > 1 and abs(scale - ratio) <= TOLERANCE * ratio else scale


def _scales_of_sizes(shapes: Sequence[tuple[int, ...]]) -> list[tuple[float, ...]]:
    """Level-0 pixels per pixel from the sizes alone, step by step from level to level.

    A step that, rounded up or down, makes one length of the other is taken as a whole number:
    501 and 500 are both every second of 1001. Other steps are the ratio of the lengths.
    """
    scales = [(1.0,) * len(shapes[0])]
    for finer, coarser in pairwise(shapes):
        scales.append(tuple(map(_step, scales[-1], shapes[0], finer, coarser)))
    return scales


def _step(scale: float, length: int, finer: int, coarser: int) -> float:
    step = round(finer / coarser)
    if scale == int(scale) and coarser in (finer // step, -(-finer // step)):
        return scale * step
    return length / coarser


def _check_shapes(
    shapes: Sequence[tuple[int, ...]], axes: Axes, name: str, may_repeat: bool
) -> None:
    shape = shapes[0]
    if len(axes.names) != len(shape):
        raise InputError(
            f"axes {axes.names!r} name {len(axes.names)} axes, but {name} has shape {shape}: give "
            "one letter for each axis"
        )
    for shape in shapes:
        if 0 in shape:
            raise InputError(f"{name} of shape {shape} is empty: expected at least one pixel")
    for finer, coarser in pairwise(shapes):
        if (
            len(coarser) != len(finer)
            or (coarser == finer and not may_repeat)
            or any(c > f for c, f in zip(coarser, finer, strict=True))
            or (axes.channel is not None and coarser[axes.channel] != finer[axes.channel])
        ):
            raise InputError(
                f"{name} has levels of the shapes {list(shapes)}: expected the finest first, each "
                "one smaller, with the same axes and channels; planes of one size are given as one "
                "array, for example numpy.stack(planes)"
            )
