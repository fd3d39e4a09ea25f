"""The features of a Labels layer: one row for each object, kept in step as objects change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from napari.layers import Labels

    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["COLUMNS", "FeatureTable"]

COLUMNS = ("score", "stability", "area", "source", "state", "model")
"""What the table tells of an object, beside its id in the column "index" (napari's name)."""

SOURCES = ("prompt", "automatic", "painted")
STATES = ("new", "accepted")


class HasRows(Protocol):
    """Who keeps objects, an `Annotator`."""

    @property
    def rows(self) -> Mapping[int, ObjectRow]:
        """The objects by their ids."""
        ...


class FeatureTable:
    """Rows of the objects, as napari's features table and its tooltips show them.

    Parameters
    ----------
    source : object with rows
        An `Annotator`; read again for every id that changed.
    """

    def __init__(self, source: HasRows) -> None:
        self._source = source
        self._table = _table(source.rows.values())

    def show(self, layer: Labels) -> None:
        """Give a layer the table."""
        layer.features = self._table.rename_axis("index").reset_index()

    def update(self, layer: Labels, ids: Iterable[int]) -> None:
        """Read the rows of some objects anew; costs milliseconds at 50,000 objects."""
        import pandas as pd

        changed = set(ids)
        kept = self._table.drop(index=self._table.index.intersection(list(changed)))
        rows = self._source.rows
        found = _table(rows[i] for i in sorted(changed) if i in rows)
        parts = [part for part in (kept, found) if len(part)]
        self._table = pd.concat(parts).sort_index() if parts else _table(())
        self.show(layer)


def _table(rows: Iterable[ObjectRow]) -> pd.DataFrame:
    import pandas as pd

    rows = list(rows)
    columns: dict[str, Any] = {
        "score": pd.Series([row.score for row in rows], dtype=float),
        "stability": pd.Series([row.stability for row in rows], dtype=float),
        "area": pd.Series([row.area for row in rows], dtype=int),
        "source": pd.Categorical([row.source for row in rows], categories=SOURCES),
        "state": pd.Categorical([row.state for row in rows], categories=STATES),
        "model": pd.Series([row.model for row in rows], dtype=str),
    }
    table = pd.DataFrame({name: columns[name] for name in COLUMNS})
    table.index = pd.Index([row.id for row in rows], dtype=int)
    return table
