"""Every control of the panel says what it is: to the eye, the mouse and a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QScrollBar,
    QTabBar,
    QWidget,
)

if TYPE_CHECKING:
    from napari_sam.ui.widget import SamWidget

KINDS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QProgressBar,
)


def controls(panel: SamWidget) -> list[QWidget]:
    """List what can be pressed, moved or read; parts that Qt makes by itself are left out."""
    found = [each for kind in KINDS for each in panel.findChildren(kind)]
    return [
        each
        for each in found
        if not isinstance(each, QScrollBar)
        and not isinstance(each.parent(), (QTabBar, QAbstractSpinBox, QAbstractItemView))
        and not each.objectName().startswith("qt_")
        and not any(isinstance(above, (QComboBox, QAbstractSlider)) for above in ancestors(each))
    ]


def ancestors(widget: QWidget) -> list[QWidget]:
    parent = widget.parentWidget()
    return [] if parent is None else [parent, *ancestors(parent)]


def name_of(widget: QWidget, panel: SamWidget) -> str:
    """Name that a screen reader says: the widget's own, what it shows, or the label before it."""
    shown = widget.text() if isinstance(widget, QAbstractButton) else ""
    labels = [each.text() for each in panel.findChildren(QLabel) if each.buddy() is widget]
    return widget.accessibleName() or shown or "".join(labels)


def test_every_control_has_a_tooltip_and_a_name(panel: SamWidget, click_on: Any) -> None:
    click_on(panel, 20, 30)
    panel.session.accept()
    click_on(panel, 45, 60)
    found = controls(panel)
    assert len(found) > 50
    bare = [
        (type(each).__name__, each.objectName(), name_of(each, panel), each.toolTip())
        for each in found
        if not each.toolTip() or not name_of(each, panel)
    ]
    assert not bare, "\n".join(map(str, bare))
