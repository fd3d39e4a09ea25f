"""Keys that work while one of our prompt layers is selected; they go when the panel goes."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari.layers import Layer

__all__ = ["HELP", "KEYS", "bind_keys", "unbind_keys"]

KEYS: Mapping[str, tuple[str, *tuple[int, ...]]] = {
    "Enter": ("accept",),
    "1": ("choose", 0),
    "2": ("choose", 1),
    "3": ("choose", 2),
    "Escape": ("clear",),
    "c": ("clear",),
    "Control-z": ("undo",),
}
"""Key and what it does: a method of the session and its arguments."""

HELP = (
    ("Left click", "this is the object"),
    ("Right click", "this is not the object"),
    ("T", "swap what a left click says"),
    ("1, 2, 3", "choose a candidate"),
    ("Enter", "accept it as an object"),
    ("Esc or C", "clear the marks"),
    ("Ctrl + Z", "take the last object back"),
)
"""Mouse and keys for the user; Alt + click is a right click, for those who have no right button."""


class _WeakCall:
    """Calls a bound method as long as its object lives; a layer does not keep a panel alive."""

    def __init__(self, method: Callable[..., None], arguments: tuple[int, ...]) -> None:
        self._method = weakref.WeakMethod(method)
        self._arguments = arguments

    def __call__(self, *_: Any) -> None:
        method = self._method()
        if method is not None:
            method(*self._arguments)


def bind_keys(layer: Layer, session: object) -> None:
    """Let the keys on a layer drive a session; what was bound to them on this layer goes."""
    for key, (method, *arguments) in KEYS.items():
        call = _WeakCall(getattr(session, method), tuple(arguments))
        layer.bind_key(key, call, overwrite=True)


def unbind_keys(layer: Layer) -> None:
    """Take the keys off a layer again."""
    for key in KEYS:
        layer.bind_key(key, None)
