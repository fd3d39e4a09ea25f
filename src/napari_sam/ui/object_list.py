"""The objects of a label image as columns of numbers: sorted in milliseconds, least certain first.

Reading 50,000 rows takes longer than the GUI may stand still, so it is done in parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    import numpy.typing as npt

    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["ColumnName", "ObjectList"]

ColumnName = Literal["id", "plane", "score", "stability", "area", "source", "looked"]

DTYPE = np.dtype(
    [
        ("id", np.int64),
        ("plane", np.int64),  # sorts like the plane's index
        ("score", np.float64),  # NaN where there is none
        ("stability", np.float64),
        ("area", np.int64),
        ("source", "U9"),
        ("looked", np.bool_),  # looked at and accepted in the review
    ]
)

PART = 1_000
"""Rows read at a time: about 2 ms."""

AXIS = 2**20
"""Longest leading axis of an image that planes are sorted rightly for."""


class ObjectList:
    """Columns of all objects, in the order of their ids.

    Parameters
    ----------
    find_rows : callable
        Gives the rows by their ids, asked every time: a long step replaces the mapping.
    """

    def __init__(self, find_rows: Callable[[], Mapping[int, ObjectRow]]) -> None:
        self._find_rows = find_rows
        self._table = np.empty(0, DTYPE)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, id_: int) -> bool:
        index = int(np.searchsorted(self.ids, id_))
        return index < len(self) and self.ids[index] == id_

    @property
    def rows(self) -> Mapping[int, ObjectRow]:
        """The rows as they are now; those of the list may be older."""
        return self._find_rows()

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Ids of the objects, rising."""
        return self._table["id"]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Scores, NaN where there is none."""
        return self._table["score"]

    @property
    def looked(self) -> int:
        """Number of objects that were looked at."""
        return int(np.count_nonzero(self._table["looked"]))

    def fill(self) -> Iterator[None]:
        """Read all rows, a part for each step; they appear when the last was read."""
        rows = self.rows
        ids = np.sort(np.fromiter(rows, np.int64, len(rows)))
        parts = []
        for start in range(0, len(ids), PART):
            parts.append(self._read(ids[start : start + PART].tolist()))
            yield
        self._table = np.concatenate(parts) if parts else np.empty(0, DTYPE)

    def update(self, ids: Collection[int]) -> None:
        """Read the rows of some objects anew: those added, changed or gone."""
        wanted = np.unique(np.fromiter(ids, np.int64, len(ids)))
        kept = self._table[~np.isin(self.ids, wanted)]
        read = self._read(wanted.tolist())
        places = np.searchsorted(kept["id"], read["id"])
        self._table = np.insert(kept, places, read)

    def order(self, column: ColumnName, *, falling: bool = False) -> npt.NDArray[np.int64]:
        """Ids sorted by a column, those without a value last; ties by stability, then by id."""
        values = self._table[column]
        if column == "source":
            values = np.unique(values, return_inverse=True)[1]
        values = values.astype(np.float64)
        stability = self._table["stability"]
        keys = (self.ids, stability, -values if falling else values)
        return np.asarray(self.ids[np.lexsort(keys)])

    def place(self, id_: int) -> tuple[float, float, int] | None:
        """Where an object stands among the others, least certain first; None when it is gone."""
        index = int(np.searchsorted(self.ids, id_))
        if index == len(self) or self.ids[index] != id_:
            return None
        row = self._table[index]
        return _last(row["score"]), _last(row["stability"]), id_

    def next_from(self, place: tuple[float, float, int] | None) -> int | None:
        """Least certain object beyond a place that was not looked at yet.

        The search goes round: after the most certain comes the least certain.

        Parameters
        ----------
        place : tuple or None
            As `place` gives it, also of an object that is gone since; None to begin at the least
            certain.

        Returns
        -------
        int or None
            None when all objects were looked at.
        """
        waiting = self._table[~self._table["looked"]]
        if not len(waiting):
            return None
        if place is not None:
            beyond = waiting[_is_beyond(waiting, place)]
            waiting = beyond if len(beyond) else waiting
        keys = (waiting["id"], waiting["stability"], waiting["score"])
        return int(waiting["id"][np.lexsort(keys)[0]])

    def _read(self, ids: Iterable[int]) -> npt.NDArray[np.void]:
        found = [row for row in map(self.rows.get, ids) if row is not None]
        return np.array(
            [
                (
                    row.id,
                    _plane_number(row.plane),
                    np.nan if row.score is None else row.score,
                    np.nan if row.stability is None else row.stability,
                    row.area,
                    row.source,
                    row.state == "accepted",
                )
                for row in found
            ],
            DTYPE,
        )


def _plane_number(plane: tuple[int, ...]) -> int:
    number = 0
    for index in plane[-3:]:
        number = number * AXIS + index
    return number


def _last(value: float) -> float:
    """Give a number that sorts where NaN does: after all others."""
    return np.inf if np.isnan(value) else float(value)


def _is_beyond(
    table: npt.NDArray[np.void], place: tuple[float, float, int]
) -> npt.NDArray[np.bool_]:
    score = np.nan_to_num(table["score"], nan=np.inf)
    stability = np.nan_to_num(table["stability"], nan=np.inf)
    same_score = score == place[0]
    same = same_score & (stability == place[1])
    more_stable = same_score & (stability > place[1])
    beyond: npt.NDArray[np.bool_] = (
        (score > place[0]) | more_stable | (same & (table["id"] > place[2]))
    )
    return beyond
