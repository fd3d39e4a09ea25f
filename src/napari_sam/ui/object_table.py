"""The table of objects: sorted, 50,000 rows at once, only those in view are ever made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_sam.ui.score_colours import colour_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from napari_sam.segmentation.session.object_row import ObjectRow
    from napari_sam.ui.object_list import ColumnName, ObjectList

__all__ = ["ObjectTable", "ObjectTableModel"]

COLUMNS: tuple[tuple[ColumnName, str, str, str], ...] = (
    ("id", "Object", "Its number: the value of its pixels.", "000000"),
    (
        "score",
        "Score",
        "How well the mask fits, as the model believes; 1 is perfect. Empty: made by hand.",
        "0.00 ◾◾",
    ),
    (
        "stability",
        "Stability",
        "How little the mask changes when the model is read more or less strictly, 1 at best.",
        "0.000",
    ),
    ("area", "Area", "Its pixels.", "000,000"),
    (
        "source",
        "From",
        "A prompt (clicks, a box), an automatic run, or painted by hand.",
        "automat",
    ),
    ("looked", "✓", "Looked at and accepted in the review.", "✓"),
)
"""Name in the object list, title, tooltip, and a text as wide as what the column holds."""

WIDEST = 4
"""Column that takes the room that is left."""

SOURCES = {"prompt": "prompt", "automatic": "auto", "painted": "painted"}

FEW = 50
"""Up to so many changed objects are shown one by one; with more, the table starts anew."""


class ObjectTableModel(QAbstractTableModel):
    """What the table shows of an object list, in an order of its own.

    Parameters
    ----------
    objects : ObjectList
    """

    def __init__(self, objects: ObjectList) -> None:
        super().__init__()
        self._objects = objects
        self._column, self._falling = 1, False
        self.order: npt.NDArray[np.int64] = self._sorted()

    # What is called from outside

    def turn_to(self, objects: ObjectList) -> None:
        """Show another list, or all of this one anew."""
        self.beginResetModel()
        self._objects = objects
        self.order = self._sorted()
        self.endResetModel()

    def update_rows(self, ids: Collection[int]) -> None:
        """Show objects that were added, changed or removed in the list."""
        order = self._sorted()
        if np.array_equal(order, self.order):
            self._redraw(ids)
        elif len(ids) > FEW:
            self.turn_to(self._objects)
        else:
            self._move(ids, order)

    def rows_of(self, ids: Collection[int]) -> npt.NDArray[np.int64]:
        """Rows of some objects, rising; those that are not shown have none."""
        return np.flatnonzero(np.isin(self.order, np.fromiter(ids, np.int64, len(ids))))

    # What Qt asks

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102  Qt's name
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: D102
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: D102
        row = self._objects.rows.get(int(self.order[index.row()]))
        if row is None:  # gone from the labels, not yet from the table
            return None
        name = COLUMNS[index.column()][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return text_of(row, name)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            centred = name in ("source", "looked")
            side = Qt.AlignmentFlag.AlignHCenter if centred else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.DecorationRole and name == "score":
            return QColor.fromRgbF(*colour_of(row.score).tolist())
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tooltip(row)
        return None

    def headerData(  # noqa: D102
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        _, title, tooltip, _ = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{tooltip} Click to sort."
        return None

    def sort(  # noqa: D102
        self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder
    ) -> None:
        falling = order == Qt.SortOrder.DescendingOrder
        if (column, falling) == (self._column, self._falling):
            return
        self._column, self._falling = column, falling
        self.turn_to(self._objects)

    def _sorted(self) -> npt.NDArray[np.int64]:
        return self._objects.order(COLUMNS[self._column][0], falling=self._falling)

    def _redraw(self, ids: Collection[int]) -> None:
        rows = self.rows_of(ids)
        if len(rows):
            last = self.index(int(rows[-1]), len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(int(rows[0]), 0), last)

    def _move(self, ids: Collection[int], order: npt.NDArray[np.int64]) -> None:
        """Take objects out, and put those that are left where they are in a new order."""
        for row in self.rows_of(ids)[::-1].tolist():
            self.beginRemoveRows(QModelIndex(), row, row)
            self.order = np.delete(self.order, row)
            self.endRemoveRows()
        for row in np.flatnonzero(~np.isin(order, self.order)).tolist():
            self.beginInsertRows(QModelIndex(), row, row)
            self.order = np.insert(self.order, row, order[row])
            self.endInsertRows()


class ObjectTable(QTableView):
    """Table view that says which objects the user picks.

    Attributes
    ----------
    picked : Signal of list of int, int
        Objects were picked; the second is the one that was clicked last.
    """

    picked = Signal(list, int)

    def __init__(self, objects: ObjectList) -> None:
        super().__init__()
        self.setAccessibleName("Objects")
        self._model = ObjectTableModel(objects)
        self._shown: tuple[tuple[int, ...], int | None] = (), None
        self._quiet = False
        self.setModel(self._model)
        self._selection = QItemSelectionModel(self._model)
        self.setSelectionModel(self._selection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(False)
        self.setToolTip("Click on a row to see the object; Ctrl or Shift picks several.")
        self._set_widths()
        self.sortByColumn(1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self._selection.selectionChanged.connect(self._on_selected)
        self._model.modelAboutToBeReset.connect(self._hush)
        self._model.modelReset.connect(self._show_again)

    def turn_to(self, objects: ObjectList) -> None:
        """Show another list, or all of this one anew."""
        self._model.turn_to(objects)

    def update_rows(self, ids: Collection[int]) -> None:
        """Show objects that were added, changed or removed in the list."""
        self._hush()
        self._model.update_rows(ids)
        self._show_again()

    def show_picked(self, ids: tuple[int, ...], current: int | None) -> None:
        """Select the rows of some objects, and scroll to one of them."""
        if (ids, current) != self._shown:
            self._shown = ids, current
            self._show_again()

    def _hush(self) -> None:
        self._quiet = True

    def _show_again(self) -> None:
        """Select the rows of what is picked; they may have moved."""
        ids, current = self._shown
        rows = self._model.rows_of(ids)
        last = len(COLUMNS) - 1
        selection = QItemSelection()
        for block in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else ():
            selection.select(
                self._model.index(int(block[0]), 0), self._model.index(int(block[-1]), last)
            )
        at = self._model.rows_of(() if current is None else (current,))
        index = self._model.index(int(at[0]), 0) if len(at) else QModelIndex()
        self._quiet = True
        self._selection.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._quiet = False
        if index.isValid():
            self.scrollTo(index)

    def sizeHint(self) -> QSize:  # noqa: D102
        return QSize(0, 11 * self._row_height)

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return QSize(0, 5 * self._row_height)

    def _set_widths(self) -> None:
        metrics = QFontMetrics(self.font())
        header = QHeaderView(Qt.Orientation.Horizontal)
        header.setSectionsClickable(True)
        header.setMinimumSectionSize(20)
        self.setHorizontalHeader(header)
        self._row_height = metrics.height() + 6
        for column, (_, title, _, example) in enumerate(COLUMNS):
            widest = max(metrics.horizontalAdvance(text) for text in (title, example))
            self.setColumnWidth(column, widest + 12)
        header.setSectionResizeMode(WIDEST, QHeaderView.ResizeMode.Stretch)
        rows = QHeaderView(Qt.Orientation.Vertical)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # never measures 50,000 rows
        rows.setDefaultSectionSize(self._row_height)
        self.setVerticalHeader(rows)
        rows.hide()

    def _on_selected(self, *_: object) -> None:
        if self._quiet:
            return
        order = self._model.order
        selected = self._selection.selection()
        blocks = [selected[i] for i in range(len(selected))]
        ids = tuple(
            id_ for block in blocks for id_ in order[block.top() : block.bottom() + 1].tolist()
        )
        current = self.currentIndex()
        last = int(order[current.row()]) if current.isValid() else -1
        self._shown = ids, last if last in ids else None
        self.picked.emit(list(ids), last)


def text_of(row: ObjectRow, column: ColumnName) -> str:
    """Text of an object in a column."""
    if column == "score":
        return "" if row.score is None else f"{min(row.score, 1.0):.2f}"
    if column == "stability":
        return "" if row.stability is None else f"{row.stability:.2f}"
    if column == "area":
        return f"{row.area:,}"
    if column == "source":
        return SOURCES[row.source]
    if column == "looked":
        return "✓" if row.state == "accepted" else ""
    return str(row.id)


def _tooltip(row: ObjectRow) -> str:
    y0, x0, y1, x1 = row.box
    where = f"rows {y0:,} to {y1 - 1:,}, columns {x0:,} to {x1 - 1:,}"
    if row.plane:
        where = f"plane {', '.join(map(str, row.plane))}, {where}"
    return f"Object {row.id}: {where}" + (f". Model: {row.model}" if row.model else "")
