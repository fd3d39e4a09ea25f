"""Mouse gestures on the canvas while a prompt layer is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam.ui.session import Session

__all__ = ["Mouse"]

WHEEL = "Shift"
"""Key that makes the wheel go through candidates: napari takes Control (planes), Alt (layers)."""

REFINE = "Control"
"""Key that makes a click refine the object under it."""


class Mouse:
    """Adds the gestures to a viewer, for as long as a session lives.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turned = 0.0
        viewer = session.viewer
        viewer.mouse_wheel_callbacks.append(self._on_wheel)
        # Before the layer's own callbacks, which would add a mark.
        viewer.mouse_drag_callbacks.append(self._on_press)

    def close(self) -> None:
        """Take the gestures off the viewer."""
        viewer = self._session.viewer
        viewer.mouse_wheel_callbacks.remove(self._on_wheel)
        viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_wheel(self, viewer: Any, event: Any) -> None:
        del viewer
        if set(event.modifiers) != {WHEEL} or not self._is_prompting():
            return
        # Some systems turn the wheel sideways while Shift is held; fine wheels turn in parts.
        self._turned += float(np.clip(np.sum(event.delta), -1, 1))
        if abs(self._turned) >= 1:
            self._session.next_candidate(-1 if self._turned > 0 else 1)
            self._turned = 0.0
        event.handled = True

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        layer = viewer.layers.selection.active
        if REFINE not in event.modifiers or event.button != 1 or not self._is_prompting():
            return
        mode, layer.mode = layer.mode, "pan_zoom"  # with another tool the click draws no mark
        yield
        while event.type == "mouse_move":
            event.handled = True
            yield
        if layer in viewer.layers:
            layer.mode = mode
        self._session.refine()

    def _is_prompting(self) -> bool:
        session = self._session
        active = session.viewer.layers.selection.active
        return active is not None and active in (session.prompts.points, session.prompts.boxes)
