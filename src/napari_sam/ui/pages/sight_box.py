"""What the model sees, to look at and to change: channels, limits, a picture, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QDoubleValidator, QImage, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_sam.ui.panel_parts import button, row
from napari_sam.ui.sight import MOST_CHANNELS
from napari_sam.ui.sight_picture import PICTURE_SIDE

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam.ui.sight import LimitsFrom, Sight
    from napari_sam.ui.split_channels import ChannelAxis
    from napari_sam.ui.vision import Vision

__all__ = ["SightBox"]

SHOWN = 140
"""Side of the picture on the screen."""

NOTHING = "none"

ORIGINS: dict[LimitsFrom, str] = {
    "layer": "as the layer showed it",
    "measured": "measured",
    "typed": "typed",
}


class SightBox(QWidget):
    """Shows the session's `Vision` and calls it.

    Parameters
    ----------
    vision : Vision
    """

    def __init__(self, vision: Vision) -> None:
        super().__init__()
        self._vision = vision
        self.picture = QLabel()
        self.picture.setFixedSize(SHOWN, SHOWN)
        self.picture.setFrameShape(QFrame.Shape.StyledPanel)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setToolTip(
            "What the model gets of the middle of the view: as large, as bright, in these colours."
        )
        self.origin = QLabel()
        self.origin.setWordWrap(True)
        self.shown_button = button(
            "As shown", "See the contrast that the layer shows now.", vision.use_shown_limits
        )
        self.measure_button = button(
            "Measure",
            "Measure dark and bright over the whole image; a few odd pixels do not count.",
            vision.measure,
        )
        self.limits = [_LimitsRow(self) for _ in range(MOST_CHANNELS)]
        self.channels = [self._channel_combo(name) for name in ("red", "green", "blue")]
        self.axis_label = QLabel()
        self.axis_label.setWordWrap(True)
        self.axis = QComboBox()
        self.axis.setToolTip("The axis of this layer that holds channels, not depth or time.")
        self.axis.setAccessibleName("Axis of the channels")
        self.axis_button = button(
            "Make layers",
            "Make a layer of each channel, so that several are seen together; nothing is copied.",
            self._on_split,
        )
        self.cost = QLabel()
        self.cost.setWordWrap(True)
        self.apply_button = button("Apply", "Let the model see the image so.", vision.apply)
        self.discard_button = button("Leave it", "Change nothing.", vision.discard)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self._lay_out()

    def sync(self) -> None:
        """Show what the model sees, or what is proposed."""
        vision = self._vision
        sight = vision.sight
        self.setEnabled(sight is not None)
        self._show_picture()
        self._sync_channels(sight)
        for index, each in enumerate(self.limits):
            each.show_limits(sight, index)
        self.origin.setText("" if sight is None else f"Limits: {ORIGINS[sight.limits_from]}")
        self.shown_button.setEnabled(sight is not None and not sight.is_as_shown)
        self._sync_axes(vision.axes)
        self.pending.setVisible(vision.is_pending)
        self.cost.setText(vision.cost if vision.is_pending else "")
        self.message.setText(vision.message)
        self.message.setVisible(bool(vision.message))

    def type_limits(self) -> None:
        """Propose the limits that stand in the fields."""
        sight = self._vision.sight
        if sight is None:
            return
        typed = [each.limits for each in self.limits[: len(sight.limits)]]
        if tuple(typed) != sight.limits:
            self._vision.use_limits(typed)

    def _show_picture(self) -> None:
        picture = self._vision.picture
        if picture is None:
            self.picture.setPixmap(QPixmap())
            self.picture.setText("…")
            return
        image = QImage(
            picture.tobytes(),
            PICTURE_SIDE,
            PICTURE_SIDE,
            3 * PICTURE_SIDE,
            QImage.Format.Format_RGB888,
        )
        self.picture.setPixmap(
            QPixmap.fromImage(image).scaled(
                SHOWN, SHOWN, transformMode=Qt.TransformationMode.SmoothTransformation
            )
        )

    def _sync_channels(self, sight: Sight | None) -> None:
        layers = self._vision.channels
        self.channel_box.setVisible(len(layers) > 1)
        names = [layer.name for layer in layers]
        for index, combo in enumerate(self.channels):
            entries = names if index == 0 else [NOTHING, *names]
            if [combo.itemText(i) for i in range(combo.count())] != entries:
                combo.clear()
                combo.addItems(entries)
            used = sight.layers[index] if sight is not None and index < len(sight.layers) else None
            if used is None or used not in layers:
                combo.setCurrentIndex(0)
            else:
                combo.setCurrentIndex(layers.index(used) + (index > 0))
        several = sight is not None and len(sight.layers) > 1
        self.first_name.setText("Red" if several else "Grey")

    def _sync_axes(self, axes: list[ChannelAxis]) -> None:
        self.axis_box.setVisible(bool(axes))
        entries = [f"axis {each.name} ({each.length})" for each in axes]
        if [self.axis.itemText(i) for i in range(self.axis.count())] != entries:
            self.axis.clear()
            self.axis.addItems(entries)
        self.axis_label.setText(
            f"This layer holds {axes[0].length} channels. The model can see up to three together, "
            "when each has a layer."
            if axes and axes[0].is_named
            else "Does an axis of this layer hold channels?"
        )

    def _on_channels(self) -> None:
        layers = self._vision.channels
        chosen: list[Image] = []
        for index, combo in enumerate(self.channels):
            position = combo.currentIndex() - (index > 0)
            if position >= 0 and layers[position] not in chosen:
                chosen.append(layers[position])
        self._vision.use_channels(chosen)

    def _on_split(self) -> None:
        self._vision.split(self._vision.axes[self.axis.currentIndex()].axis)

    def _channel_combo(self, colour: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(f"Layer in {colour}")
        combo.setToolTip(
            f"The layer that the model sees in {colour}."
            if colour != "red"
            else "The layer that the model sees; in red when there are others too."
        )
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(8)
        combo.activated.connect(self._on_channels)
        return combo

    def _lay_out(self) -> None:
        beside = QVBoxLayout()
        beside.addWidget(self.origin)
        fields = QGridLayout()
        fields.setHorizontalSpacing(4)
        for index, name in enumerate(("Dark", "Bright")):
            fields.addWidget(QLabel(name), 0, index)
        for index, each in enumerate(self.limits):
            fields.addWidget(each.low, index + 1, 0)
            fields.addWidget(each.high, index + 1, 1)
        beside.addLayout(fields)
        beside.addLayout(row(self.shown_button))
        beside.addLayout(row(self.measure_button))
        beside.addStretch(1)
        top = QHBoxLayout()
        top.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(beside, 1)
        self.channel_box = QWidget()
        form = QFormLayout(self.channel_box)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.first_name = QLabel("Grey")
        form.addRow(self.first_name, self.channels[0])
        form.addRow("Green", self.channels[1])
        form.addRow("Blue", self.channels[2])
        self.axis_box = QWidget()
        axes = QVBoxLayout(self.axis_box)
        axes.setContentsMargins(0, 0, 0, 0)
        axes.addWidget(self.axis_label)
        axes.addLayout(row(self.axis, self.axis_button))
        self.pending = QFrame()
        self.pending.setFrameShape(QFrame.Shape.StyledPanel)
        pending = QVBoxLayout(self.pending)
        pending.addWidget(self.cost)
        pending.addLayout(row(self.apply_button, self.discard_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.axis_box)
        column.addWidget(self.channel_box)
        column.addWidget(self.pending)
        column.addWidget(self.message)


class _LimitsRow:
    """Two fields for the limits of one channel."""

    def __init__(self, box: SightBox) -> None:
        self.low = _field("Intensity that the model sees as black.")
        self.high = _field("Intensity that the model sees as white.")
        self.low.setAccessibleName("Dark")
        self.high.setAccessibleName("Bright")
        self._shown = (0.0, 0.0)
        for field in (self.low, self.high):
            field.editingFinished.connect(box.type_limits)

    @property
    def limits(self) -> tuple[float, float]:
        """What stands in the fields; not a number where that is none."""
        low, high = (
            shown if field.text() == _text(shown) else _number(field.text())
            for field, shown in zip((self.low, self.high), self._shown, strict=True)
        )
        return low, high

    def show_limits(self, sight: Sight | None, index: int) -> None:
        """Show the limits of a channel; hidden when there is no such channel."""
        limits = sight.limits[index] if sight is not None and index < len(sight.limits) else None
        for field in (self.low, self.high):
            field.setVisible(limits is not None or index == 0)
        if limits is None:
            return
        self._shown = limits
        for field, limit in zip((self.low, self.high), limits, strict=True):
            if not (field.hasFocus() and field.isModified()):
                field.setText(_text(limit))


def _field(tooltip: str) -> QLineEdit:
    field = QLineEdit()
    field.setToolTip(tooltip)
    field.setValidator(QDoubleValidator())
    field.setMinimumWidth(50)
    return field


def _text(limit: float) -> str:
    return f"{limit:.6g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
