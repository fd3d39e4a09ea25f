"""The dock widget: pick image and model, mark an object, choose a candidate, accept it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QDockWidget,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam.ui.backend import SamBackend
from napari_sam.ui.candidates_view import CandidatesView
from napari_sam.ui.layer_pickers import ImagePicker, LabelsPicker
from napari_sam.ui.model_picker import ModelPicker
from napari_sam.ui.open_panels import panel_of, register, unregister, unwrap
from napari_sam.ui.panel_parts import (
    ScrollPanel,
    StatusLine,
    button,
    dot,
    help_label,
    keep_place,
    row,
)
from napari_sam.ui.polarity import COLOURS
from napari_sam.ui.session import Session
from napari_sam.ui.workers import LatestWorker

if TYPE_CHECKING:
    import napari

    from napari_sam.ui.backend import Backend

__all__ = ["SamWidget"]

STYLE = """
QPushButton#sam_candidate { padding: 0; }
QPushButton#sam_candidate:checked { border: 2px solid #ffd11f; }
"""


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
        self._worker = LatestWorker()
        self.session = Session(viewer, backend or SamBackend(), self._worker)
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
        self.labels_picker = LabelsPicker(session)
        self.model_picker = ModelPicker(session.backend.choices())
        self.model_picker.picked.connect(session.use_model)
        self.contrast = QLabel()
        self.contrast.setToolTip("Intensities that the model sees black and white, everywhere.")
        self.take_contrast = button(
            "update",
            "Let the model see the image in the contrast that is shown now; it looks at it anew.",
            session.image_watch.take_limits,
        )
        self.points_button = button(
            "Points",
            "Click on objects: makes or selects the point prompts.",
            session.draw_points,
            checkable=True,
        )
        self.boxes_button = button(
            "Boxes",
            "Draw boxes around objects: makes or selects the box prompts.",
            session.draw_boxes,
            checkable=True,
        )
        self.positive_button = button(
            "Object",
            "A left click says: this is the object (key T).",
            self._say_positive,
            checkable=True,
        )
        self.negative_button = button(
            "Background",
            "A left click says: this is not the object (key T). A right click, or one with Alt "
            "held, always says so.",
            self._say_negative,
            checkable=True,
        )
        self.positive_button.setIcon(dot(COLOURS[0]))
        self.negative_button.setIcon(dot(COLOURS[1]))
        self.candidates = CandidatesView()
        self.candidates.picked.connect(session.choose)
        self.accept_button = button(
            "Accept", "Make the chosen candidate an object (Enter).", session.accept
        )
        self.clear_button = button(
            "Clear", "Wipe the marks on this plane, accept nothing (Esc).", session.clear
        )
        self.undo_button = button(
            "Undo", "Take the last accepted object back (Ctrl+Z).", session.undo
        )
        self.status = StatusLine()
        self.device = QLabel()
        self.device.setToolTip("The model and the device that gave the last answer.")
        self._lay_out()

    def _lay_out(self) -> None:
        keep_place(self.take_contrast)
        contrast = QHBoxLayout()
        contrast.addWidget(self.contrast, 1)
        contrast.addWidget(self.take_contrast)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(4)
        for picker in (self.image_picker, self.labels_picker):
            picker.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        form.addRow("Image", self.image_picker.native)
        form.addRow("Model", self.model_picker)
        form.addRow("Objects to", self.labels_picker.native)
        form.addRow("Contrast", contrast)
        form.addRow("Mark with", row(self.points_button, self.boxes_button))
        form.addRow("A click says", row(self.positive_button, self.negative_button))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setSpacing(8)
        column.addLayout(form)
        column.addWidget(self.candidates)
        column.addWidget(self.status)
        column.addLayout(row(self.accept_button, self.clear_button, self.undo_button))
        column.addWidget(help_label())
        column.addWidget(self.device)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrollPanel(content))
        self.setStyleSheet(STYLE)

    def _sync(self, *_: Any) -> None:
        """Show what the session holds."""
        session = self.session
        self.image_picker.sync()
        self.labels_picker.sync()
        objects, prompts = session.objects, session.prompts
        self.candidates.show_candidates(objects.candidates, objects.chosen, session.thumbnails)
        self.status.show_status(session.status, busy=session.busy)
        self.device.setText(session.device)
        limits = session.image_watch.limits
        self.contrast.setText("" if limits is None else f"{limits[0]:.5g} to {limits[1]:.5g}")
        self.take_contrast.setVisible(session.image_watch.shows_other_limits)
        active = session.viewer.layers.selection.active
        for each, layer in (
            (self.points_button, prompts.points),
            (self.boxes_button, prompts.boxes),
        ):
            each.setEnabled(session.image is not None)
            each.setChecked(layer is not None and layer is active)
        for each, polarity in (
            (self.positive_button, "positive"),
            (self.negative_button, "negative"),
        ):
            each.setEnabled(prompts.points is not None)
            each.setChecked(prompts.points is not None and prompts.polarity == polarity)
        self.accept_button.setEnabled(objects.candidates is not None and not session.busy)
        self.clear_button.setEnabled(session.image is not None)

    def _say_positive(self) -> None:
        self.session.prompts.polarity = "positive"
        self._sync()

    def _say_negative(self) -> None:
        self.session.prompts.polarity = "negative"
        self._sync()


def _close(session: Session, *_: object) -> None:
    session.changed.disconnect(missing_ok=True)
    session.close()
