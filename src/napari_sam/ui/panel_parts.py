"""The smaller parts of the panel: buttons that look alike, the status line, the list of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ScrollPanel", "StatusLine", "button", "dot", "keep_place", "keys_label", "row"]

SCROLL_BAR = 14
"""Pixels kept free at the right for a scroll bar."""

LOWEST = 160
"""Height that the panel can be squeezed to, in pixels."""


def button(
    text: str, tooltip: str, slot: Callable[[], object], *, checkable: bool = False
) -> QPushButton:
    """Push button that leaves the keyboard to the canvas."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.setCheckable(checkable)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.clicked.connect(slot)
    return made


def dot(colour: str) -> QIcon:
    """Draw a filled circle, like the points on the canvas."""
    pixmap = QPixmap(16, 16)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(QColor("white"))
    painter.drawEllipse(2, 2, 12, 12)
    painter.end()
    return QIcon(pixmap)


def row(*widgets: QWidget) -> QHBoxLayout:
    """Widgets side by side, equally wide."""
    layout = QHBoxLayout()
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget, 1)
    return layout


def keep_place(widget: QWidget) -> None:
    """Let a widget keep its place while it is hidden, so that nothing moves."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)


def keys_label(lines: Iterable[tuple[str, str]], tooltip: str) -> QLabel:
    """Keys, or what the mouse does, and what for: in two columns."""
    style = "padding-right: 10px; white-space: nowrap"
    rows = "".join(
        f"<tr><td style='{style}'>{keys}</td><td>{meaning}</td></tr>" for keys, meaning in lines
    )
    label = QLabel(f"<table cellspacing='1'>{rows}</table>")
    label.setObjectName("sam_help")
    label.setWordWrap(True)
    label.setToolTip(tooltip)
    return label


class ScrollPanel(QScrollArea):
    """Scrolls up and down on low screens, and is never narrower than what it shows."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        self._content = content

    def minimumSizeHint(self) -> QSize:  # noqa: D102  Qt's name
        return QSize(self._content.minimumSizeHint().width() + SCROLL_BAR, LOWEST)

    def sizeHint(self) -> QSize:  # noqa: D102
        return self._content.sizeHint() + QSize(SCROLL_BAR, 0)


class StatusLine(QWidget):
    """What is going on, with a moving bar while something is."""

    def __init__(self) -> None:
        super().__init__()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text.setMinimumHeight(3 * self._text.fontMetrics().height())
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(5)
        self._bar.setToolTip("Something is going on; the line below says what.")
        self._bar.setAccessibleName("Busy")
        keep_place(self._bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._bar)
        layout.addWidget(self._text)
        self.show_status("", busy=False)

    @property
    def text(self) -> str:
        """What the line says."""
        return str(self._text.text())

    def show_status(self, text: str, *, busy: bool) -> None:
        """Say something; `busy` while it goes on."""
        self._text.setText(text)
        self._bar.setVisible(busy)
