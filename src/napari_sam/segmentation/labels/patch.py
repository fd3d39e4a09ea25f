"""Pixels of a box with a value for each, packed small: what an edit of labels is made of."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """Some pixels of a box and their values.

    Outlines are long and smooth and labels constant inside, so deflated bits and runs take a
    few bytes a row.

    Attributes
    ----------
    box : tuple of int
        ``(y0, x0, y1, x1)``, half-open.
    bits : bytes
        Which pixels: a mask of the box, packed to bits and deflated.
    values : ndarray, shape (r,)
        Value of each run of equal pixels, row by row over the mask.
    runs : ndarray of int, shape (r,)
        Lengths of the runs.
    """

    box: Box
    bits: bytes
    values: npt.NDArray[Any]
    runs: npt.NDArray[np.intp]

    @classmethod
    def pack(cls, box: Box, mask: npt.NDArray[np.bool_], pixels: npt.NDArray[Any]) -> Patch:
        """Pack the pixels of a mask.

        Parameters
        ----------
        box : tuple of int
        mask : ndarray of bool, shape of the box
        pixels : ndarray, shape (mask.sum(),)
            Their values, row by row; at least one.
        """
        starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
        runs = np.diff(np.append(starts, len(pixels)))
        return cls(box, zlib.compress(np.packbits(mask).tobytes(), 1), pixels[starts], runs)

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` of the box."""
        y0, x0, y1, x1 = self.box
        return y1 - y0, x1 - x0

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(self.runs.sum())

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which pixels of the box."""
        bits = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        return np.unpackbits(bits, count=math.prod(self.shape)).reshape(self.shape).view(np.bool_)

    @property
    def pixels(self) -> npt.NDArray[Any]:
        """Values of the pixels, row by row."""
        return np.repeat(self.values, self.runs)

    def filled(self, value: int) -> Patch:
        """Give the same pixels one value."""
        return replace(self, values=np.array([value]), runs=np.array([self.area]))

    def sampled(
        self, shown: Iterable[tuple[Box, npt.NDArray[np.intp], npt.NDArray[np.intp]]]
    ) -> Iterator[Patch | None]:
        """Those of the pixels that coarser levels show.

        Parameters
        ----------
        shown : iterable of (box, rows, columns)
            For each level a box of it, and the row and column here that each of its rows and
            columns shows.

        Yields
        ------
        Patch or None
            None where the level shows none of them.
        """
        here = self.mask
        one_value = len(self.values) == 1
        pixels = np.zeros((0, 0) if one_value else self.shape, self.values.dtype)
        if not one_value:
            pixels[here] = self.pixels
        for box, rows, columns in shown:
            grid = np.ix_(rows - self.box[0], columns - self.box[1])
            mask = here[grid]
            if not mask.any():
                yield None
            elif one_value:
                yield Patch.pack(box, mask, np.repeat(self.values, np.count_nonzero(mask)))
            else:
                yield Patch.pack(box, mask, pixels[grid][mask])


def cover(boxes: Iterable[Box]) -> Box:
    """Smallest box that holds some boxes, of which there is at least one."""
    corners = np.array(list(boxes))
    y0, x0 = corners[:, :2].min(axis=0).tolist()
    y1, x1 = corners[:, 2:].max(axis=0).tolist()
    return y0, x0, y1, x1


def within(part: Box, inside: tuple[slice, slice]) -> Box:
    """Rows and columns of a part, from `tight` for example, as a box of the plane."""
    y, x = part[:2]
    rows, columns = inside
    return y + rows.start, x + columns.start, y + rows.stop, x + columns.stop


def tight(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Rows and columns of a mask that hold all that is set, or None when nothing is."""
    spans = []
    for axis in (1, 0):
        hits = np.flatnonzero(np.any(mask, axis=axis))
        if not hits.size:
            return None
        spans.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return spans[0], spans[1]
