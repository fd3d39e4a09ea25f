"""The list of models: what there is, where its weights are, and how it computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sam.ui.panel_parts import button, keep_place, row
from napari_sam.ui.preferences import DEVICES, PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam.ui.backend import ModelChoice
    from napari_sam.ui.models import Models
    from napari_sam.ui.session import Session

__all__ = ["ModelPicker"]

FILES = "Checkpoints (*.pt *.pth *.safetensors *.ckpt);;All files (*)"

DEVICE_NAMES = {
    "auto": "automatic",
    "cpu": "processor (CPU)",
    "cuda": "NVIDIA graphics card (cuda)",
    "mps": "Apple graphics (mps)",
}

PRECISION_NAMES = {
    "auto": "automatic",
    "float32": "exact (float32)",
    "bfloat16": "fast (bfloat16)",
}

DETAIL_LINES = 5
"""Room for what is said of a model: a layout does not ask a text how often it wraps."""

ROWS = 6
"""Models in view at once."""


class ModelPicker(QWidget):
    """Shows the session's `Models` and calls it.

    Parameters
    ----------
    session : Session
    models : Models
    """

    def __init__(self, session: Session, models: Models) -> None:
        super().__init__()
        self._session = session
        self._models = models
        self.list = _List()
        self.list.currentItemChanged.connect(self.sync)
        self.list.itemDoubleClicked.connect(self._on_use)
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.details.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.details.setMinimumHeight(DETAIL_LINES * self.details.fontMetrics().lineSpacing())
        self.details.setToolTip("What the model that is selected in the list is.")
        self.use_button = button("Use", "Ask this model from now on.", self._on_use)
        self.file_button = button(
            "From a file …",
            "Use a checkpoint file of your own: SAM, MobileSAM or LiteMedSAM weights, or what "
            "was trained here.",
            self._on_file,
        )
        self.bar = QProgressBar()
        self.bar.setToolTip("How much of the download has arrived.")
        self.bar.setAccessibleName("Download")
        self.cancel_button = button(
            "Cancel", "Stop; downloading again goes on from there.", models.cancel
        )
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.device = _combo(
            DEVICE_NAMES,
            DEVICES,
            "Where models compute. Automatic: a graphics card if there is one.",
        )
        self.device.activated.connect(lambda index: models.compute_on(DEVICES[index]))
        self.precision = _combo(
            PRECISION_NAMES,
            PRECISIONS,
            "How exactly models compute. Automatic: fast where the device is made for it.",
        )
        self.precision.activated.connect(lambda index: models.compute_in(PRECISIONS[index]))
        self.running = QLabel()
        self.running.setWordWrap(True)
        self.running.setToolTip("The model and the device that gave the last answer.")
        self._lay_out()

    def sync(self, *_: object) -> None:
        """Show the models there are and what is going on."""
        models = self._models
        self.list.show_models(models, self._session.model)
        chosen = self.chosen
        if chosen is not None:
            licence = f"Licence: {chosen.licence}" if chosen.licence else ""
            lines = (chosen.details, models.where(chosen.model), licence)
            self.details.setText("\n".join(filter(None, lines)))
        self._sync_use(chosen)
        is_fetching = models.fetching is not None
        self.bar.setVisible(is_fetching)
        self.cancel_button.setVisible(is_fetching)
        done, total = models.progress or (0, 0)
        self.bar.setRange(0, 1000 if total else 0)
        self.bar.setValue(1000 * done // total if total else 0)
        self.message.setText(models.message)
        self.message.setVisible(bool(models.message))
        computing = self._session.backend.computing
        _select(self.device, DEVICES, computing.device)
        _select(self.precision, PRECISIONS, computing.precision)
        self.running.setText(self._running())

    @property
    def chosen(self) -> ModelChoice | None:
        """The model that is selected in the list."""
        item = self.list.currentItem()
        index = -1 if item is None else self.list.indexOfTopLevelItem(item)
        return self._models.choices[index] if index >= 0 else None

    def _sync_use(self, chosen: ModelChoice | None) -> None:
        must_load = chosen is not None and self._models.state(chosen.model) == "download"
        self.use_button.setText("Download" if must_load else "Use")
        self.use_button.setToolTip(
            "Download this model, once, and ask it from then on."
            if must_load
            else "Ask this model from now on."
        )
        self.use_button.setEnabled(
            chosen is not None
            and chosen.model != self._session.model
            and self._models.fetching is None
        )
        self.file_button.setEnabled(self._models.fetching is None)

    def _running(self) -> str:
        segmenter = self._session.segmenter
        if segmenter is None:
            return "No model is loaded yet: the first click does it."
        model = segmenter.model
        precision = getattr(model, "precision", "auto")
        how = "" if precision == "auto" else f" in {precision}"
        return f"In use: {model.name} on {model.device}{how}"

    def _lay_out(self) -> None:
        keep_place(self.use_button)
        fetching = QHBoxLayout()
        fetching.addWidget(self.bar, 1)
        fetching.addWidget(self.cancel_button)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Computes on", self.device)
        form.addRow("Precision", self.precision)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.list)
        column.addWidget(self.details)
        column.addLayout(row(self.use_button, self.file_button))
        column.addLayout(fetching)
        column.addWidget(self.message)
        column.addLayout(form)
        column.addWidget(self.running)

    def _on_use(self, *_: object) -> None:
        if self.chosen is not None:
            self._models.use(self.chosen.model)

    def _on_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", FILES)
        if name:
            self._models.open_file(Path(name))


class _List(QTreeWidget):
    """Models with size and state, the one in use in bold."""

    def __init__(self) -> None:
        super().__init__()
        self._header = QHeaderView(Qt.Orientation.Horizontal)
        self._items: list[QTreeWidgetItem] = []
        self.setObjectName("sam_models")
        self.setAccessibleName("Models")
        self.setToolTip("The models there are; double-click one to use it.")
        self.setHeaderLabels(["Model", "Size", "State"])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHeader(self._header)
        header = self._header
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(40)
        for column, mode in enumerate(
            (
                QHeaderView.ResizeMode.Stretch,
                QHeaderView.ResizeMode.ResizeToContents,
                QHeaderView.ResizeMode.ResizeToContents,
            )
        ):
            header.setSectionResizeMode(column, mode)

    def show_models(self, models: Models, used: object) -> None:
        """Show the models there are; the selection stays."""
        while len(self._items) < len(models.choices):
            self._items.append(QTreeWidgetItem())
            self.addTopLevelItem(self._items[-1])
        for item, choice in zip(self._items, models.choices, strict=False):
            size = "" if choice.size is None else f"{max(choice.size / 1e6, 1):,.0f} MB"
            for column, text in enumerate((choice.label, size, models.state_text(choice.model))):
                item.setText(column, text)
                item.setToolTip(column, f"{choice.label}: {choice.details}")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            font = item.font(0)
            font.setBold(choice.model == used)
            item.setFont(0, font)
        if self.currentItem() is None:
            used_at = [choice.model == used for choice in models.choices].index(True)
            blocked = self.blockSignals(True)
            self.setCurrentItem(self._items[used_at])
            self.blockSignals(blocked)

    def sizeHint(self) -> QSize:
        height = self._header.sizeHint().height() + ROWS * max(self.sizeHintForRow(0), 18)
        return QSize(240, height + 2 * self.frameWidth())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


def _combo(names: Mapping[str, str], values: Sequence[str], tooltip: str) -> QComboBox:
    made = QComboBox()
    made.addItems([names[value] for value in values])
    made.setToolTip(tooltip)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(8)
    return made


def _select(combo: QComboBox, values: Sequence[str], value: str) -> None:
    combo.setCurrentIndex(values.index(value))
