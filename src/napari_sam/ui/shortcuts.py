"""Keys and mouse while one of our layers is selected; they go when the panel goes."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.layers import Layer

__all__ = ["HAND_KEYS", "HELP", "KEYS", "LABELS_KEYS", "bind_keys", "unbind_keys"]

Call = tuple[str, *tuple[int, ...]]

UNDO: Mapping[str, Call] = {
    "Control-z": ("undo",),
    "Control-Shift-z": ("redo",),
}

KEYS: Mapping[str, Call] = {
    "Enter": ("accept",),
    "1": ("choose", 0),
    "2": ("choose", 1),
    "3": ("choose", 2),
    "Escape": ("clear",),
    "c": ("clear",),
    "r": ("refine_here",),
    "d": ("delete_here",),
    **UNDO,
}
"""Key on a prompt layer and what it does: a method of the session and its arguments."""

LABELS_KEYS: Mapping[str, Call] = UNDO
"""The same on the layer of objects, where napari's own tools and the review have the others."""

HAND_KEYS: Mapping[str, Call] = {"m": ("new_label",)}
"""The same while objects are painted by hand: napari's own M finds an id that may be in use
elsewhere."""

HELP = (
    ("Left click", "this is the object"),
    ("Right click", "this is not the object"),
    ("T", "swap what a left click says"),
    ("1, 2, 3", "choose a candidate"),
    ("Shift + wheel", "go through the candidates"),
    ("Enter", "accept it as an object"),
    ("Esc or C", "clear the marks"),
    ("Ctrl + click or R", "refine the object under the mouse"),
    ("D", "delete the object under the mouse"),
    ("Ctrl + Z", "take the last step back"),
    ("Ctrl + Shift + Z", "do it again"),
)
"""Mouse and keys for the user; Alt + click is a right click, for those who have no right button.

With the wheel napari itself uses Ctrl (planes) and Alt (layers).
"""


class _WeakCall:
    """Calls a bound method as long as its object lives; a layer does not keep a panel alive."""

    def __init__(self, method: Callable[..., None], arguments: tuple[int, ...]) -> None:
        self._method = weakref.WeakMethod(method)
        self._arguments = arguments

    def __call__(self, *_: Any) -> None:
        method = self._method()
        if method is not None:
            method(*self._arguments)


def bind_keys(layer: Layer, session: object, keys: Mapping[str, Call] = KEYS) -> None:
    """Let the keys on a layer drive a session; what was bound to them on this layer goes."""
    for key, (method, *arguments) in keys.items():
        call = _WeakCall(getattr(session, method), tuple(arguments))
        layer.bind_key(key, call, overwrite=True)


def unbind_keys(layer: Layer, keys: Mapping[str, Call] = KEYS) -> None:
    """Take the keys off a layer again."""
    for key in keys:
        layer.bind_key(key, None)
