"""Three cards, one for each candidate: a picture, how sure the model is, how large it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidate, Candidates

__all__ = ["CandidateCard", "CandidatesView"]

CARDS = 3
PICTURE_SIDE = 92
"""Side of a card's picture on the screen, in pixels."""

SCORE_HELP = (
    "Predicted IoU: how well the model expects this mask to cover the object, 1 at best. "
    "It is the model's own guess, and off for images unlike those it was trained on."
)
STABILITY_HELP = (
    "Stability: how little the mask changes when the model is read more or less strictly, "
    "1 at best."
)


class CandidateCard(QPushButton):
    """One candidate; click it to choose it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.setObjectName("sam_candidate")
        self.setCheckable(True)
        self.setAutoExclusive(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._number = number
        self.setAccessibleName(f"Candidate {number}")
        self._picture = QLabel()
        self._picture.setFixedSize(PICTURE_SIDE, PICTURE_SIDE)
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text = QLabel()
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 6)
        layout.setSpacing(4)
        layout.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._text)
        for label in (self._picture, self._text):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.show_nothing()

    def sizeHint(self) -> QSize:  # noqa: D102  Qt's name; a button knows nothing of its layout
        layout = self.layout()
        return QSize() if layout is None else layout.sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return self.sizeHint()

    def show_candidate(self, candidate: Candidate, picture: npt.NDArray[np.uint8]) -> None:
        """Show a candidate and its picture, shape (side, side, 3)."""
        self.setEnabled(True)
        self._picture.setPixmap(_pixmap(picture))
        self._text.setText(
            f"<b>{self._number}</b><br>score {min(candidate.score, 1.0):.2f}<br>"
            f"stability {candidate.stability:.2f}<br>{candidate.area:,} px"
        )
        self.setToolTip(
            f"Candidate {self._number}, key {self._number}.\n{SCORE_HELP}\n{STABILITY_HELP}\n"
            f"Area: {candidate.area:,} pixels of the image. Score as given: {candidate.score:.3f}."
        )

    def show_nothing(self) -> None:
        """Show an empty place."""
        self.setChecked(False)
        self.setEnabled(False)
        self._picture.clear()
        self._text.setText(f"<b>{self._number}</b><br>–<br><br>")
        self.setToolTip("A candidate for your prompt will be shown here.")


class CandidatesView(QWidget):
    """The cards; emits ``picked`` with the number of the one that was clicked, from 0."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.cards = [CandidateCard(number) for number in range(1, CARDS + 1)]
        for card in self.cards:
            card.clicked.connect(self._on_clicked)
            layout.addWidget(card, 1)

    def show_candidates(
        self,
        candidates: Candidates | None,
        chosen: int | None,
        pictures: Sequence[npt.NDArray[np.uint8]],
    ) -> None:
        """Show up to three candidates and which one is chosen; None for none."""
        shown = [] if candidates is None else list(zip(candidates, pictures, strict=False))
        for index, card in enumerate(self.cards):
            if index < len(shown):
                card.show_candidate(*shown[index])
                card.setChecked(index == chosen)
            else:
                card.show_nothing()

    def _on_clicked(self) -> None:
        card: Any = self.sender()
        card.setChecked(True)
        self.picked.emit(self.cards.index(card))


def _pixmap(picture: npt.NDArray[np.uint8]) -> QPixmap:
    height, width, _ = picture.shape
    image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        PICTURE_SIDE,
        PICTURE_SIDE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
