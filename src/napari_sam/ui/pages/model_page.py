"""The tab for the model: which one, how it computes, what it sees of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_sam.ui.model_picker import ModelPicker
from napari_sam.ui.pages.sight_box import SightBox

if TYPE_CHECKING:
    from qtpy.QtGui import QHideEvent, QShowEvent

    from napari_sam.ui.session import Session

__all__ = ["ModelPage"]

STILL_MS = 250
"""Milliseconds that the view must stand still before the picture is drawn anew."""


class ModelPage(QWidget):
    """Shows the session's `Models` and its `Vision`.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._vision = session.vision
        self._models = session.vision.models
        self.models = ModelPicker(session, self._models)
        self.sight = SightBox(self._vision)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(_heading("Model"))
        column.addWidget(self.models)
        column.addWidget(_heading("What the model sees"))
        column.addWidget(self.sight)
        column.addStretch(1)
        self._still = QTimer(self)
        self._still.setSingleShot(True)
        self._still.setInterval(STILL_MS)
        self._still.timeout.connect(self._vision.refresh)
        self._is_shown = False
        self._vision.changed.connect(self._on_changed)
        self._models.changed.connect(self._on_changed)
        self._view_events = (
            session.viewer.scene.camera.events.zoom,
            session.viewer.scene.camera.events.center,
            session.viewer.dims.events.current_step,
        )
        self.sync()

    def sync(self) -> None:
        """Show what there is."""
        self.models.sync()
        self.sight.sync()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: D102  Qt's name
        super().showEvent(event)
        if self._is_shown:  # a window that was minimised shows its widgets again
            return
        self._is_shown = True
        for each in self._view_events:
            each.connect(self._on_view)
        self._models.look()
        self._vision.is_watched = True
        self.sync()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: D102
        super().hideEvent(event)
        if not self._is_shown:
            return
        self._is_shown = False
        for each in self._view_events:
            each.disconnect(self._on_view)
        self._vision.is_watched = False

    def _on_view(self, _: object = None) -> None:
        self._still.start()

    def _on_changed(self) -> None:
        if self._is_shown:
            self.sync()


def _heading(text: str) -> QLabel:
    label = QLabel(f"<b>{text}</b>")
    label.setToolTip(f"{text}.")
    return label
