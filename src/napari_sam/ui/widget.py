"""The dock widget: the image on top, a tab for each kind of work, what is going on below."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QFormLayout, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from napari_sam.ui.backend import SamBackend
from napari_sam.ui.imports_ahead import import_ahead
from napari_sam.ui.layer_pickers import ImagePicker
from napari_sam.ui.open_panels import panel_of, register, unregister, unwrap
from napari_sam.ui.pages.click_page import ClickPage
from napari_sam.ui.pages.everything_page import EverythingPage
from napari_sam.ui.pages.model_page import ModelPage
from napari_sam.ui.pages.review_page import ReviewPage
from napari_sam.ui.panel_parts import ScrollPanel, StatusLine
from napari_sam.ui.session import Session
from napari_sam.ui.workers import LatestWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_sam.ui.backend import Backend

__all__ = ["SamWidget"]

STYLE = """
QTabBar { qproperty-drawBase: 0; }
QPushButton#sam_candidate { padding: 0; }
QPushButton#sam_candidate:checked { border: 2px solid #ffd11f; }
"""

TABS = (
    ("Click", "Click on objects, choose a mask, accept it."),
    ("Everything", "Let the model find all objects, in view or in the whole image."),
    ("Review", "Look through the objects, the least certain first."),
    ("Model", "Which model looks at the image, and what it sees of it."),
)
"""Name and tooltip of each tab."""


class SamWidget(QWidget):
    """Panel for one viewer. It only shows its `Session` and calls it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    backend : Backend, optional
        Where models come from; the registry and files when not given.
    """

    def __init__(self, napari_viewer: napari.Viewer, backend: Backend | None = None) -> None:
        super().__init__()
        viewer = unwrap(napari_viewer)
        if (older := panel_of(viewer)) is not None:
            older.retire()
        import_ahead()
        self._worker = LatestWorker()
        self.session = Session(viewer, backend or SamBackend(), self._worker, _later)
        self._build()
        self.session.changed.connect(self._sync)
        layers = viewer.layers
        self._list_events = (
            layers.events.renamed,
            layers.events.reordered,
            layers.selection.events.active,
        )
        for event in self._list_events:
            event.connect(self._sync)
        register(self)
        # The session is no Qt object: it can be closed while Qt takes this widget apart.
        self.destroyed.connect(partial(_close, self.session))
        self._sync()

    def bring_up(self) -> None:
        """Show the panel where it is docked."""
        parent = self.parentWidget()
        while parent is not None:
            if isinstance(parent, QDockWidget):
                parent.show()
                parent.raise_()
            parent = parent.parentWidget()

    def retire(self) -> None:
        """Stop working, because another panel took over this viewer."""
        unregister(self)
        _close(self.session)
        for event in self._list_events:
            event.disconnect(self._sync)
        self.setEnabled(False)

    def _build(self) -> None:
        session = self.session
        self.image_picker = ImagePicker(session)
        self.image_picker.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.click_page = ClickPage(session)
        self.everything_page = EverythingPage(session)
        self.review_page = ReviewPage(session)
        self.model_page = ModelPage(session)
        self._pages = (self.click_page, self.everything_page, self.review_page, self.model_page)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for page, (name, tooltip) in zip(self._pages, TABS, strict=True):
            index = self.tabs.addTab(ScrollPanel(page), name)
            self.tabs.setTabToolTip(index, tooltip)
        self.tabs.currentChanged.connect(self._sync)
        session.review.refining.connect(self._show_clicks)
        self.status = StatusLine()
        self.status.setContentsMargins(9, 0, 9, 4)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setContentsMargins(9, 6, 9, 0)
        form.addRow("Image", self.image_picker.native)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        outer.addLayout(form)
        outer.addWidget(self.tabs, 1)
        outer.addWidget(self.status)
        self.setStyleSheet(STYLE)

    def _show_clicks(self) -> None:
        self.tabs.setCurrentIndex(0)

    def _sync(self, *_: Any) -> None:
        """Show what the session holds; of the tabs only the one in view."""
        self.image_picker.sync()
        self._pages[self.tabs.currentIndex()].sync()
        self.status.show_status(self.session.status, busy=self.session.busy)


def _close(session: Session, *_: object) -> None:
    session.changed.disconnect(missing_ok=True)
    session.close()


def _later(call: Callable[[], None]) -> None:
    QTimer.singleShot(0, call)
