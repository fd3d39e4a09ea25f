"""The page "Review": the table of objects, keys and buttons to go through them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import (
    QColor,
    QHideEvent,
    QKeySequence,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QShowEvent,
)
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

from napari_sam.ui.object_table import ObjectTable
from napari_sam.ui.panel_parts import button, keys_label, row
from napari_sam.ui.review_keys import REVIEW_HELP, REVIEW_KEYS
from napari_sam.ui.score_colours import BEST, WORST, ramp

if TYPE_CHECKING:
    from napari_sam.ui.review import Review
    from napari_sam.ui.session import Session

__all__ = ["ReviewPage"]

SLICE = 0.015
"""Seconds of work between two looks at mouse and keys."""

KEYS_TOOLTIP = (
    "Keys while this page or the layer of objects is in use. They are none of napari's: its own "
    "M, X, E, P and F work on the layer as ever."
)


class ReviewPage(QWidget):
    """Shows the session's `Review` and calls it.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._review = session.review
        self.table = ObjectTable(self._review.objects)
        self.table.picked.connect(self._on_picked)
        self.table.doubleClicked.connect(self._review.show_current)
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._work)
        self._build()
        self._bind_keys()
        self._review.reader.listed.connect(self._on_listed)
        self._review.changed.connect(self.sync)
        self.destroyed.connect(partial(_let_go, self._review, self.sync, self._on_listed))
        self.sync()

    def sync(self) -> None:
        """Show what the review holds; what takes long goes on while the page is in view."""
        review = self._review
        self.progress.setText(review.progress)
        self.bar.setMaximum(max(1, len(review.objects)))
        self.bar.setValue(review.objects.looked)
        self.colours.setChecked(review.coloured)
        self.table.show_picked(review.picked, review.current)
        picked = bool(review.picked)
        for each in (self.accept_button, self.delete_button, self.refine_button):
            each.setEnabled(picked)
        self.join_button.setEnabled(len(review.picked) > 1)
        for each in (self.next_button, self.export_button):
            each.setEnabled(bool(review.rows))
        if review.working and self.isVisible():
            self._timer.start()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: D102  Qt's name
        super().showEvent(event)
        self._review.show_frame(shown=True)
        self.sync()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: D102
        super().hideEvent(event)
        self._review.show_frame(shown=False)

    def _build(self) -> None:
        review = self._review
        self.progress = QLabel()
        self.progress.setToolTip("Objects that were accepted in the review, of all there are.")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setToolTip(self.progress.toolTip())
        self.bar.setAccessibleName("Progress of the review")
        self.next_button = button(
            "Next",
            "Go to the least certain object that you have not looked at yet (N).",
            review.next,
        )
        self.accept_button = button(
            "Accept", "It is right: tick it off and go on to the next (A).", review.accept
        )
        self.delete_button = button(
            "Delete", "It is wrong: delete it and go on; Ctrl+Z brings it back (D).", review.delete
        )
        self.refine_button = button(
            "Refine",
            "Correct it with clicks on the page Click; accepting replaces the old mask (R).",
            review.refine,
        )
        self.join_button = button(
            "Join",
            "Make one object of the picked rows; pick several with Ctrl or Shift (J).",
            review.join,
        )
        self.colours = QCheckBox("Colour by score")
        self.colours.setToolTip("Show objects in the colour of their score instead of napari's.")
        self.colours.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.colours.toggled.connect(partial(setattr, review, "coloured"))
        self.export_button = button(
            "Save table …",
            "Write all objects with scores, areas and places to a CSV file.",
            self._on_export,
        )
        self._lay_out()

    def _lay_out(self) -> None:
        legend = QHBoxLayout()
        legend.setSpacing(4)
        legend.addWidget(self.colours)
        legend.addWidget(_caption(f"{WORST:.1f}"))
        legend.addWidget(Ramp(), 1)
        legend.addWidget(_caption(f"{BEST:.1f}"))
        column = QVBoxLayout(self)
        column.setSpacing(6)
        column.addWidget(self.progress)
        column.addWidget(self.bar)
        column.addLayout(row(self.next_button, self.accept_button, self.delete_button))
        column.addLayout(row(self.refine_button, self.join_button, self.export_button))
        column.addLayout(legend)
        column.addWidget(self.table, 1)
        column.addWidget(keys_label(REVIEW_HELP, KEYS_TOOLTIP))

    def _bind_keys(self) -> None:
        """Let the keys work while the focus is on the page, wherever on it."""
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for key, (name, *_) in REVIEW_KEYS.items():
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(getattr(self._review, name))

    def _work(self) -> None:
        if not (self.isVisible() and self._review.work(SLICE)):
            self._timer.stop()

    def _on_listed(self, ids: tuple[int, ...] | None) -> None:
        if ids is None:
            self.table.turn_to(self._review.objects)
        else:
            self.table.update_rows(ids)

    def _on_picked(self, ids: list[int], current: int) -> None:
        self._review.pick(ids, current)
        self._review.show_current()

    def _on_export(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the table of objects", "objects.csv", "Table (*.csv)"
        )
        if path:
            self._review.export(path)


class Ramp(QWidget):
    """The colours of the scores, from the least certain on the left."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(40)
        self.setFixedHeight(10)
        self.setToolTip(
            f"Bright: a score of {WORST:.1f} or less, look here first. Dark: sure. Grey: no score."
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        super().paintEvent(event)
        gradient = QLinearGradient(0, 0, self.width(), 0)
        colours = ramp()
        for place, colour in zip(np.linspace(0, 1, len(colours)), colours.tolist(), strict=True):
            gradient.setColorAt(float(place), QColor.fromRgbF(*colour))
        painter = QPainter(self)
        painter.fillRect(self.rect(), gradient)
        painter.end()


def _let_go(review: Review, sync: Any, on_listed: Any, *_: object) -> None:
    review.changed.disconnect(sync, missing_ok=True)
    review.reader.listed.disconnect(on_listed, missing_ok=True)


def _caption(text: str) -> QLabel:
    label = QLabel(text)
    label.setToolTip("Scores that the colours stand for.")
    return label
