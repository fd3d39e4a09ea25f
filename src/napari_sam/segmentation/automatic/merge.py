"""One object once: masks from all tiles and samplings, decided while they stream past."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge_rules import priority
from napari_sam.segmentation.automatic.overlap import Overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from napari_sam.segmentation.automatic.merge_rules import Level, MergeRules

    Rows = npt.NDArray[np.intp]

__all__ = ["Batch", "ResolvedObjects", "resolve"]

FIRST_ROWS = 1024
"""Masks that are compared with each other first; then twice as many, and so on.

The best ones of many copies decide about the others, which then need no comparing.
"""

MOST_ROWS = 65_536
"""Masks that are compared with each other at most: bounds memory."""


class Batch(NamedTuple):
    """Masks from a part of the plane, on the way from its top to its bottom.

    Attributes
    ----------
    found : FoundMasks
    frontier : float
        No mask of a later batch has a box that begins above this y; infinite of the last batch.
    """

    found: FoundMasks
    frontier: float


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedObjects:
    """Masks that became objects, in the order of their ids.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
        Without gaps, from the top of the plane to its bottom.
    found : FoundMasks
        The mask of each.
    level : "best", "whole" or "part"
        By which a pixel in several of them is decided, see `priority`.
    """

    ids: npt.NDArray[np.int64]
    found: FoundMasks
    level: Level

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def together(cls, parts: Sequence[ResolvedObjects], level: Level = "best") -> Self:
        """All objects of several, in their order; the level is for none at all."""
        ids = [np.empty(0, np.int64), *(part.ids for part in parts)]
        found = FoundMasks.together([part.found for part in parts])
        return cls(np.concatenate(ids), found, parts[0].level if parts else level)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> ResolvedObjects:
        """Objects by index or by a mask."""
        return ResolvedObjects(self.ids[rows], self.found.take(rows), self.level)


def resolve(
    batches: Iterable[Batch],
    rules: MergeRules,
    plane_shape: tuple[int, int],
    first_id: int = 1,
) -> Iterator[ResolvedObjects]:
    """Decide which masks are objects, and give each its id.

    Masks are taken in the order of their priority over the whole plane. Each stays unless it is
    one object with a mask that stayed before. The result is the same as if all masks were known
    at once, in whatever batches they come: a mask is kept as soon as all that overlap it are known
    and those before it are decided. So what is held at a time are the masks near the frontier; and
    while an object as high as the plane is undecided, the masks that it overlaps.

    Parameters
    ----------
    batches : iterable of Batch
        From the top of the plane to its bottom.
    rules : MergeRules
    plane_shape : tuple of int
        ``(height, width)``, level-0 pixels.
    first_id : int
        Id of the first object.

    Yields
    ------
    ResolvedObjects
        For every batch the objects whose turn it is. Ids follow the upper, then the left side of
        the objects' boxes, then their priority: not the order of execution.

    Raises
    ------
    ValueError
        When a batch breaks its promise about the frontier.
    """
    undecided = FoundMasks.empty()
    waiting = FoundMasks.empty()  # objects, but others may come before them
    frontier = -math.inf
    for batch in batches:
        if (batch.found.boxes[:, 0] < frontier).any():
            raise ValueError(f"a mask begins above the frontier of {frontier} that was promised")
        frontier = batch.frontier
        new = batch.found.take(rules.passing(batch.found, plane_shape))
        known = FoundMasks.together([undecided, new])
        known = known.take(priority(known, rules.level))
        kept, open_ = _decide(known, frontier, rules)
        undecided = known.take(open_)
        waiting = FoundMasks.together([waiting, known.take(kept)])
        line = min(frontier, undecided.boxes[:, 0].min(initial=np.iinfo(np.int64).max))
        due = waiting.boxes[:, 0] < line
        objects = _in_order(waiting.take(due), rules.level)
        waiting = waiting.take(~due)
        yield ResolvedObjects(first_id + np.arange(len(objects)), objects, rules.level)
        first_id += len(objects)


def _in_order(found: FoundMasks, level: Level) -> FoundMasks:
    found = found.take(priority(found, level))
    return found.take(np.lexsort([found.boxes[:, 1], found.boxes[:, 0]]))


def _decide(found: FoundMasks, frontier: float, rules: MergeRules) -> tuple[Rows, Rows]:
    """Keep masks or leave them open; all others are dropped.

    Parameters
    ----------
    found : FoundMasks
        All that are not decided, in the order of their priority.

    Returns
    -------
    kept, open : ndarray of int
        Rows in order.
    """
    overlaps = Overlaps(found, rules)
    unknown = found.boxes[:, 2] > frontier
    kept = open_ = np.empty(0, np.intp)
    start, size = 0, FIRST_ROWS
    while start < len(found):
        rows = np.arange(start, min(start + size, len(found)))
        start, size = start + size, min(2 * size, MOST_ROWS)
        rows = _without_copies(overlaps, kept, rows)
        # Those that wait for an open one are not compared with each other: they may be many.
        waits = _blocked(overlaps, open_[unknown[open_]], rows)
        waits[~waits] = _blocked(overlaps, open_, rows[~waits])
        also_kept, also_open = _settle(overlaps, rows[waits], rows[~waits], unknown)
        waiting = _without_copies(overlaps, also_kept, rows[waits])
        kept = np.append(kept, also_kept)
        open_ = np.concatenate([open_, also_open, waiting])
    return kept, np.sort(open_)


def _without_copies(overlaps: Overlaps, kept: Rows, rows: Rows) -> Rows:
    """Those of some rows that are no object with one that was kept."""
    first, second, surely = overlaps.candidates(kept, rows)
    dropped = set(second[surely].tolist())
    for a, b in zip(first[~surely].tolist(), second[~surely].tolist(), strict=True):
        if b not in dropped and overlaps.are_one(a, b):
            dropped.add(b)
    return rows[~np.isin(rows, list(dropped))]


def _blocked(overlaps: Overlaps, open_: Rows, rows: Rows) -> npt.NDArray[np.bool_]:
    """Which of some rows may be one object with an open one before them."""
    first, second, _ = overlaps.candidates(open_, rows)
    return np.isin(rows, second[first < second])


def _settle(
    overlaps: Overlaps, waits: Rows, rows: Rows, unknown: npt.NDArray[np.bool_]
) -> tuple[Rows, Rows]:
    """Keep or leave open some rows, best first, each against those before it.

    A row stays open while a mask that overlaps it may be missing, or while one before it that may
    be the same object is open itself.
    """
    stuck = set(rows[unknown[rows] | _blocked(overlaps, waits, rows)].tolist())
    first, second, surely = overlaps.candidates(rows)
    order = np.argsort(first, kind="stable")
    later = list(zip(second[order].tolist(), surely[order].tolist(), strict=True))
    begin = np.searchsorted(first[order], rows, "left").tolist()
    end = np.searchsorted(first[order], rows, "right").tolist()
    dropped: set[int] = set()
    kept: list[int] = []
    left: list[int] = []
    for row, a, b in zip(rows.tolist(), begin, end, strict=True):
        if row in dropped:
            continue
        (left if row in stuck else kept).append(row)
        for other, is_same in later[a:b]:
            if row in stuck:
                stuck.add(other)
            elif other not in dropped and (is_same or overlaps.are_one(row, other)):
                dropped.add(other)
    return np.array(kept, np.intp), np.array(left, np.intp)
