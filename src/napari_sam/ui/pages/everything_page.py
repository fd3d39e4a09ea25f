"""The tab to segment everything: where to look, how large objects are, which of them to keep."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_sam.ui.activity import STEPS, Activity, share_done
from napari_sam.ui.panel_parts import button, row
from napari_sam.ui.wording import count, duration

if TYPE_CHECKING:
    from napari_sam.ui.automatic import Automatic
    from napari_sam.ui.session import Session

__all__ = ["EverythingPage", "how_far"]

REGIONS = {
    "view": "What is in view",
    "shape": "The selected shape",
    "plane": "The whole plane",
    "planes": "All planes",
}

LEVELS = {
    "best": "The most certain",
    "whole": "The largest (cells)",
    "part": "The smallest (nuclei)",
}

LARGEST_DIAMETER = 100_000.0

LARGEST_AREA = 2**31 - 1


class EverythingPage(QWidget):
    """Shows the session's `Automatic` and calls it.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.automatic: Automatic = session.automatic
        self._make_where()
        self._make_run()
        self._make_choice()
        self._make_end()
        self._lay_out()
        self.activity = Activity(self.automatic)
        changed = self.automatic.changed
        changed.connect(self.sync)
        self.destroyed.connect(partial(_let_go, self, self.activity))
        self.sync()

    def sync(self) -> None:
        """Show how things stand."""
        automatic = self.automatic
        state, is_idle = automatic.state, automatic.state == "idle"
        _set(self.region, self.region.findData(automatic.region), QComboBox.setCurrentIndex)
        _set(self.diameter, automatic.diameter.value or 0.0, QDoubleSpinBox.setValue)
        for each in (self.region, self.diameter, self.measure_button, self.estimate_button):
            each.setEnabled(is_idle)
        self.find_button.setEnabled(is_idle)
        self.pause_button.setText("Go on" if state == "paused" else "Pause")
        self.pause_button.setEnabled(state in ("finding", "paused"))
        self.cancel_button.setEnabled(state in ("finding", "paused"))
        self.bar.setValue(round(share_done(automatic) * STEPS))
        self.progress.setText(how_far(automatic))
        self._sync_rules()
        view, hint = automatic.drawing.view, automatic.drawing.hint
        if hint or view is None or not view.is_complete:
            self.shown.setText(hint)
        else:
            there = f", {view.there:,} are there already" if view.there else ""
            self.shown.setText(f"{count(view.objects)} in view{there}")
        self.keep_button.setEnabled(is_idle and automatic.is_found)
        self.forget_button.setEnabled(is_idle and automatic.is_found)

    def _sync_rules(self) -> None:
        rules = self.automatic.rules
        for slider, value in (
            (self.score, rules.min_score),
            (self.stability, rules.min_stability),
            (self.overlap, 100 * rules.containment),
        ):
            _set(slider, value, QLabeledDoubleSlider.setValue)
        _set(self.min_area, int(rules.min_area), QSpinBox.setValue)
        largest = 0 if math.isinf(rules.max_area) else int(rules.max_area)
        _set(self.max_area, largest, QSpinBox.setValue)
        _set(self.level, self.level.findData(rules.level), QComboBox.setCurrentIndex)
        _set(self.border, not rules.whole_only, QCheckBox.setChecked)

    def _make_where(self) -> None:
        automatic = self.automatic
        self.region = QComboBox()
        self.region.setToolTip(
            "Where to look for objects. For a shape draw a rectangle, polygon or ellipse in any "
            "Shapes layer and select it."
        )
        for kind, text in REGIONS.items():
            self.region.addItem(text, kind)
        self.region.currentIndexChanged.connect(
            lambda index: automatic.use_region(self.region.itemData(index))
        )
        self.diameter = QDoubleSpinBox()
        self.diameter.setToolTip(
            "How wide an object usually is, in pixels of the image. It sets how closely the model "
            "looks: tell it where you can."
        )
        self.diameter.setRange(0.0, LARGEST_DIAMETER)
        self.diameter.setDecimals(1)
        self.diameter.setSuffix(" px")
        self.diameter.setSpecialValueText("not known")
        self.diameter.setKeyboardTracking(False)
        self.diameter.valueChanged.connect(automatic.diameter.set)
        self.measure_button = button(
            "Measure",
            "Draw a line across an object: its length becomes the diameter.",
            automatic.diameter.measure,
        )
        self.estimate_button = button(
            "Estimate",
            "Take the usual diameter of the objects that you accepted. About three are enough.",
            automatic.diameter.estimate,
        )

    def _make_run(self) -> None:
        automatic = self.automatic
        self.find_button = button(
            "Find",
            "Look for objects. Nothing is kept until you say so, and you can go on working.",
            automatic.find,
        )
        self.pause_button = button(
            "Pause", "Let the computer rest, and go on later.", self._pause_or_go_on
        )
        self.cancel_button = button(
            "Stop", "End the search. What was found so far stays to choose from.", automatic.cancel
        )
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setToolTip("How much of the region was looked at.")
        self.bar.setAccessibleName("Progress of the search")
        self.progress = QLabel()
        self.progress.setWordWrap(True)
        self.progress.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.progress.setMinimumHeight(3 * self.progress.fontMetrics().height())

    def _make_choice(self) -> None:
        self.score = self._slider(
            0.5,
            1.0,
            "min_score",
            "How well the model expects a mask to fit its object, 1 at best. Higher shows fewer, "
            "more certain objects.",
        )
        self.stability = self._slider(
            0.5,
            1.0,
            "min_stability",
            "How little a mask changes when the model is read more or less strictly, 1 at best. "
            "Higher shows fewer objects, with clearer outlines.",
        )
        self.overlap = self._slider(
            1.0,
            100.0,
            "containment",
            "Of two masks that share more of the smaller one than this, only one is an object.",
            percent=True,
        )
        tooltips = (
            "Smaller objects are left out (area in pixels).",
            "Larger objects are left out (area in pixels); 0 for no limit.",
        )
        self.min_area, self.max_area = (self._area(tooltip) for tooltip in tooltips)
        self.max_area.setSpecialValueText("any")
        self.level = QComboBox()
        self.level.setToolTip("Where masks lie in each other, as a nucleus in a cell: which one.")
        for level, text in LEVELS.items():
            self.level.addItem(text, level)
        self.level.currentIndexChanged.connect(
            lambda index: self._choose(level=self.level.itemData(index))
        )
        self.border = QCheckBox("Objects at the image's border too")
        self.border.setToolTip("Objects that touch the border may go on beyond it.")
        self.border.toggled.connect(lambda checked: self._choose(whole_only=not checked))
        self.shown = QLabel()
        self.shown.setToolTip("What is shown of what was found, with these choices.")

    def _make_end(self) -> None:
        automatic = self.automatic
        self.keep_button = button(
            "Keep these objects",
            "Add them to your objects, those out of view too. Ctrl+Z takes all of them back at "
            "once.",
            automatic.keep,
        )
        self.forget_button = button(
            "Forget", "Show nothing any more and keep nothing.", automatic.forget
        )

    def _slider(
        self, low: float, high: float, name: str, tooltip: str, *, percent: bool = False
    ) -> QLabeledDoubleSlider:
        slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        slider.setRange(low, high)
        slider.setDecimals(0 if percent else 2)
        slider.setSingleStep(1.0 if percent else 0.01)  # type: ignore[arg-type]
        slider.setToolTip(tooltip)
        scale = 0.01 if percent else 1.0
        slider.valueChanged.connect(lambda value: self._choose(**{name: round(value * scale, 4)}))
        return slider

    def _area(self, tooltip: str) -> QSpinBox:
        box = QSpinBox()
        box.setRange(0, LARGEST_AREA)
        box.setSuffix(" px")
        box.setStepType(QSpinBox.StepType.AdaptiveDecimalStepType)
        box.setToolTip(tooltip)
        box.setKeyboardTracking(False)
        box.valueChanged.connect(self._choose_areas)
        return box

    def _lay_out(self) -> None:
        where = QFormLayout()
        where.addRow("Look in", self.region)
        where.addRow("Diameter", self.diameter)
        where.addRow("", _beside(self.measure_button, self.estimate_button))
        choice = QFormLayout()
        choice.addRow("Score at least", self.score)
        choice.addRow("Stability at least", self.stability)
        choice.addRow("Overlap, %", self.overlap)
        choice.addRow("Area from", self.min_area)
        choice.addRow("Area up to", self.max_area)
        choice.addRow("Nested", self.level)
        choice.addRow(self.border)
        choice.addRow(self.shown)
        for form in (where, choice):
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            form.setVerticalSpacing(4)
        find = QVBoxLayout()
        find.addLayout(where)
        find.addLayout(row(self.find_button, self.pause_button, self.cancel_button))
        find.addWidget(self.bar)
        find.addWidget(self.progress)
        column = QVBoxLayout(self)
        for title, layout in (("1. Find", find), ("2. Choose what to keep", choice)):
            group = QGroupBox(title)
            group.setLayout(layout)
            column.addWidget(group)
        column.addLayout(row(self.keep_button, self.forget_button))
        column.addStretch(1)

    def _pause_or_go_on(self) -> None:
        if self.automatic.state == "paused":
            self.automatic.resume()
        else:
            self.automatic.pause()

    def _choose(self, **changes: Any) -> None:
        self.automatic.use_rules(replace(self.automatic.rules, **changes))

    def _choose_areas(self) -> None:
        low, high = self.min_area.value(), self.max_area.value() or math.inf
        self._choose(min_area=float(min(low, high)), max_area=float(high))


def how_far(automatic: Automatic) -> str:
    """Say how far a run is, and what is going on."""
    progress = automatic.progress
    if progress is None:
        return automatic.status
    parts = [count(progress.objects), f"{progress.done:,} of {progress.total:,} tiles"]
    if automatic.state in ("finding", "paused") and progress.new:
        rate = progress.rate
        parts.append(f"{rate:.1f} tiles/s" if rate >= 1 else f"{1 / rate:.1f} s per tile")
        if progress.left is not None:
            parts.append(f"{duration(progress.left)} left")
    text = " · ".join(parts)
    return f"{text}\n{automatic.status}" if automatic.status else text


def _beside(*widgets: QWidget) -> QWidget:
    both = QWidget()
    layout = QHBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, 1)
    return both


def _set(widget: Any, value: Any, setter: Any) -> None:
    """Show a value without telling anybody that it changed."""
    blocked = widget.blockSignals(True)
    setter(widget, value)
    widget.blockSignals(blocked)


def _let_go(page: EverythingPage, activity: Activity, *_: object) -> None:
    activity.close()
    page.automatic.changed.disconnect(activity.sync, missing_ok=True)
    page.automatic.changed.disconnect(page.sync, missing_ok=True)
