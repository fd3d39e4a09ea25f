"""The tab to click on objects: mark one, choose a candidate, accept it, correct what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_sam.ui.candidates_view import CandidatesView
from napari_sam.ui.layer_pickers import LabelsPicker
from napari_sam.ui.panel_parts import button, dot, keys_label, row
from napari_sam.ui.polarity import COLOURS
from napari_sam.ui.shortcuts import HELP

if TYPE_CHECKING:
    from napari_sam.ui.session import Session

__all__ = ["ClickPage"]


class ClickPage(QWidget):
    """Shows prompts, candidates and what can be done with objects.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._make_offer()
        self._make_prompts()
        self._make_candidates()
        self._make_steps()
        self._make_views()
        self._lay_out()
        self.sync()

    def sync(self) -> None:
        """Show what the session holds."""
        session, objects = self.session, self.session.objects
        self.labels_picker.sync()
        self._sync_prompts()
        self.candidates.show_candidates(
            objects.candidates, objects.chosen, session.answering.thumbnails
        )
        self.accept_button.setEnabled(objects.candidates is not None and not session.busy)
        self.accept_button.setText("Replace" if objects.refined is not None else "Accept")
        self.clear_button.setEnabled(session.image is not None)
        annotator = objects.annotator
        for each, step, verb, keys in (
            (self.undo_button, annotator and annotator.can_undo, "Take back", "Ctrl+Z"),
            (self.redo_button, annotator and annotator.can_redo, "Do again", "Ctrl+Shift+Z"),
        ):
            each.setEnabled(bool(step))
            each.setToolTip(f"{verb} {step} ({keys})." if step else f"{verb} ({keys}).")
        self.edit_button.setEnabled(session.image is not None)
        self.edit_button.setChecked(session.editing.is_open)
        is_window = session.editing.window is not None
        self.edit_button.setText("Keep what I painted" if is_window else "Edit by hand")
        self.hover_box.setChecked(session.hover.enabled)
        self.ready_box.setChecked(session.ready_overlay.visible)
        offer = session.reopening.offer
        self.offer.setVisible(offer is not None)
        if offer is not None:
            self.offer_text.setText(offer.text)

    def _sync_prompts(self) -> None:
        session, prompts = self.session, self.session.prompts
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

    def _make_offer(self) -> None:
        reopening = self.session.reopening
        self.offer_text = QLabel()
        self.offer_text.setWordWrap(True)
        self.bring_back_button = button(
            "Bring back",
            "Show the objects of that session again, with all its steps to take back.",
            reopening.bring_back,
        )
        self.not_now_button = button(
            "Not now",
            "Begin with no objects. The earlier ones stay on the disk and are offered again.",
            reopening.decline,
        )
        self.offer = QWidget()
        column = QVBoxLayout(self.offer)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.offer_text)
        column.addLayout(row(self.bring_back_button, self.not_now_button))

    def _make_prompts(self) -> None:
        session = self.session
        self.labels_picker = LabelsPicker(session)
        self.labels_picker.native.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
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

    def _make_candidates(self) -> None:
        session = self.session
        self.candidates = CandidatesView()
        self.candidates.picked.connect(session.choose)
        self.accept_button = button(
            "Accept", "Make the chosen candidate an object (Enter).", session.accept
        )
        self.clear_button = button(
            "Clear", "Wipe the marks on this plane, accept nothing (Esc).", session.clear
        )

    def _make_steps(self) -> None:
        session = self.session
        self.undo_button = button("Undo", "Take back (Ctrl+Z).", session.undo)
        self.redo_button = button("Redo", "Do again (Ctrl+Shift+Z).", session.redo)
        self.edit_button = button(
            "Edit by hand",
            "Paint and erase with napari's own tools. In a large image: in the part that is in "
            "view; press again to keep what you painted.",
            session.editing.toggle,
            checkable=True,
        )

    def _make_views(self) -> None:
        self.hover_box = QCheckBox("Preview under the mouse")
        self.hover_box.setToolTip(
            "Show the mask of whatever the mouse is over, before you click. Only where the model "
            "has looked at the image already."
        )
        self.hover_box.toggled.connect(self._set_hover)
        self.ready_box = QCheckBox("Show where answers come at once")
        self.ready_box.setToolTip(
            "Shade the parts of the image that the model has not looked at yet: a click there "
            "takes longer, once."
        )
        self.ready_box.toggled.connect(self._set_ready)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(4)
        form.addRow("Mark with", row(self.points_button, self.boxes_button))
        form.addRow("A click says", row(self.positive_button, self.negative_button))
        form.addRow("Objects go to", self.labels_picker.native)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(self.offer)
        column.addLayout(form)
        column.addWidget(self.candidates)
        column.addLayout(
            row(self.accept_button, self.clear_button, self.undo_button, self.redo_button)
        )
        column.addWidget(self.edit_button)
        column.addWidget(self.hover_box)
        column.addWidget(self.ready_box)
        column.addWidget(keys_label(HELP, "Mouse and keys, while a prompt layer is selected."))
        column.addStretch(1)

    def _say_positive(self) -> None:
        self.session.prompts.polarity = "positive"
        self.sync()

    def _say_negative(self) -> None:
        self.session.prompts.polarity = "negative"
        self.sync()

    def _set_hover(self, enabled: Any) -> None:
        self.session.hover.enabled = bool(enabled)

    def _set_ready(self, visible: Any) -> None:
        self.session.ready_overlay.visible = bool(visible)
