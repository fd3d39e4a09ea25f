"""Picker for the model: those known by name, and checkpoint files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QSizePolicy

from napari_sam.ui.backend import ModelChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ModelPicker"]

FROM_FILE = "from a file …"
FILES = "Checkpoints (*.pt *.pth *.safetensors *.ckpt);;All files (*)"


class ModelPicker(QComboBox):
    """Emits ``picked`` with a registry name or a path."""

    picked = Signal(object)

    def __init__(self, choices: Sequence[ModelChoice]) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for choice in choices:
            self._insert(self.count(), choice)
        self.addItem(FROM_FILE, None)
        self.setItemData(
            self.count() - 1, "A checkpoint file of your own.", Qt.ItemDataRole.ToolTipRole
        )
        self._before = 0
        self._show_details()
        self.activated.connect(self._on_activated)

    def add_file(self, path: Path) -> None:
        """Add a checkpoint file to the list and pick it."""
        position = self.count() - 1
        self._insert(position, ModelChoice.of_file(path))
        self.setCurrentIndex(position)
        self._pick(position)

    def _insert(self, position: int, choice: ModelChoice) -> None:
        self.insertItem(position, choice.label, choice.model)
        self.setItemData(position, choice.details, Qt.ItemDataRole.ToolTipRole)

    def _on_activated(self, index: int) -> None:
        if self.itemText(index) != FROM_FILE:
            self._pick(index)
            return
        name, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", FILES)
        if name:
            self.add_file(Path(name))
        else:
            self.setCurrentIndex(self._before)

    def _pick(self, index: int) -> None:
        self._before = index
        self._show_details()
        self.picked.emit(self.itemData(index))

    def _show_details(self) -> None:
        details = self.itemData(self._before, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip(f"The model that is asked.\n{details}")
