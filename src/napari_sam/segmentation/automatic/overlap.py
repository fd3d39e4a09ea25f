"""Which masks may overlap, and how many pixels they share, looking at no more than is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.automatic.mask_part import MaskParts

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.automatic.found import FoundMasks
    from napari_sam.segmentation.automatic.merge_rules import MergeRules

    Boxes = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.intp]

__all__ = ["Overlaps", "box_pairs"]

FINEST = 4
"""Masks up to 2 ** 4 pixels long share one lattice of cells: finer ones would save nothing."""


def box_pairs(boxes: Boxes, some: Rows, others: Rows | None = None) -> tuple[Rows, Rows]:
    """Pairs of boxes that share a pixel.

    Boxes of every octave of length have a lattice of cells as long as the longest of them, so
    that a box lies in four cells at most, in its own lattice and in every coarser one. Two boxes
    are compared in the cells of the longer one. Time and memory grow with the boxes and the pairs,
    whatever their sizes.

    Parameters
    ----------
    boxes : ndarray of int, shape (n, 4)
        ``(y0, x0, y1, x1)``, half-open, none empty.
    some, others : ndarray of int
        Rows. Each pair has one of either, or both of `some`, the lower row first, where there
        are no others.

    Returns
    -------
    first, second : ndarray of int, shape (m,)
        Rows of `boxes`.
    """
    octave_of = _octaves(boxes[some])
    pairs = [(np.empty(0, np.intp), np.empty(0, np.intp))]
    if others is None:
        for octave in np.unique(octave_of).tolist():
            long = some[octave_of == octave]
            pairs.append(_meeting(boxes, some[octave_of < octave], long, octave))
            one, other = _meeting(boxes, long, long, octave)
            pairs.append((one[one < other], other[one < other]))
    elif len(some) and len(others):
        octave_of_others = _octaves(boxes[others])
        for octave in np.union1d(octave_of, octave_of_others).tolist():
            long = others[octave_of_others == octave]
            pairs.append(_meeting(boxes, some[octave_of <= octave], long, octave))
            short = others[octave_of_others < octave]
            pairs.append(_meeting(boxes, short, some[octave_of == octave], octave)[::-1])
    first, second = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
    if others is None:
        return np.minimum(first, second), np.maximum(first, second)
    return first, second


def _octaves(boxes: Boxes) -> npt.NDArray[np.int64]:
    """Exponent of the power of two that a box is at most as long as."""
    longest = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1)
    return np.asarray(np.maximum(np.ceil(np.log2(longest)), FINEST), np.int64)


def _meeting(boxes: Boxes, some: Rows, others: Rows, octave: int) -> tuple[Rows, Rows]:
    """Pairs of some boxes and others that meet in a cell of a lattice."""
    cells, rows = _in_cells(boxes, others, octave)
    order = np.argsort(cells, kind="stable")
    cells, rows = cells[order], rows[order]
    asked, asking = _in_cells(boxes, some, octave)
    start = np.searchsorted(cells, asked, "left")
    count = np.searchsorted(cells, asked, "right") - start
    first = np.repeat(asking, count)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    second = rows[np.repeat(start, count) + offset]
    top, bottom = _common(boxes, first, second)
    found = (bottom > top).all(axis=1)
    # Both lie in several cells: the one that holds the corner of what they share counts.
    found &= np.repeat(asked, count) == _cell(top >> octave)
    return first[found], second[found]


def _in_cells(boxes: Boxes, rows: Rows, octave: int) -> tuple[npt.NDArray[np.int64], Rows]:
    """Cells that boxes lie in, and the row that each belongs to."""
    first, last = boxes[rows, :2] >> octave, (boxes[rows, 2:] - 1) >> octave
    cells, owners = [], []
    for down in (0, 1):
        for right in (0, 1):
            cell = first + np.array((down, right))
            there = (cell <= last).all(axis=1)
            cells.append(_cell(cell[there]))
            owners.append(rows[there])
    return np.concatenate(cells), np.concatenate(owners)


def _cell(place: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give a cell a number from its row and column."""
    return np.asarray((place[:, 0] << 32) + place[:, 1])


def _common(boxes: Boxes, first: Rows, second: Rows) -> tuple[Boxes, Boxes]:
    """Corners ``(y, x)`` of what pairs of boxes share."""
    top = np.maximum(boxes[first, :2], boxes[second, :2])
    return top, np.minimum(boxes[first, 2:], boxes[second, 2:])


class Overlaps:
    """Says which masks are one object under some rules.

    Most pairs are decided by boxes and areas alone, exactly: masks share no more pixels than
    their boxes do, and at least as many as their areas together exceed the box around both. Only
    the others are drawn, where the boxes meet.

    Parameters
    ----------
    found : FoundMasks
    rules : MergeRules
    """

    def __init__(self, found: FoundMasks, rules: MergeRules) -> None:
        self._found = found
        self._rules = rules
        self._masks = MaskParts(found)

    def candidates(
        self, some: Rows, others: Rows | None = None
    ) -> tuple[Rows, Rows, npt.NDArray[np.bool_]]:
        """Pairs of masks that may be one object, and whether they surely are.

        Parameters and order as of `box_pairs`.
        """
        boxes, areas = self._found.boxes, self._found.areas
        first, second = box_pairs(boxes, some, others)
        a, b = areas[first], areas[second]
        top, bottom = _common(boxes, first, second)
        most = np.minimum((bottom - top).prod(axis=1), np.minimum(a, b))
        possibly = self._rules.are_one(most, a, b)
        first, second, a, b = first[possibly], second[possibly], a[possibly], b[possibly]
        around = np.maximum(boxes[first, 2:], boxes[second, 2:]) - np.minimum(
            boxes[first, :2], boxes[second, :2]
        )
        least = np.maximum(a + b - around.prod(axis=1), 0)
        return first, second, self._rules.are_one(least, a, b)

    def are_one(self, first: int, second: int) -> bool:
        """Whether two masks are one object."""
        boxes, areas = self._found.boxes, self._found.areas
        (ay0, ax0, ay1, ax1), (by0, bx0, by1, bx1) = boxes[first].tolist(), boxes[second].tolist()
        part = max(ay0, by0), max(ax0, bx0), min(ay1, by1), min(ax1, bx1)
        shared = self._masks.count_shared(first, second, part)
        pair = np.array([[shared], [areas[first]], [areas[second]]])
        return bool(self._rules.are_one(*pair)[0])
