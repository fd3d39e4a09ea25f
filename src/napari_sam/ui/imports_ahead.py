"""Imports what napari needs for the first layer of a kind, before the user asks for one."""

from __future__ import annotations

import importlib
import threading

__all__ = ["import_ahead"]

MODULES = ("pandas", "skimage.color", "skimage.exposure")
"""napari imports them with the first Points, Shapes or Labels layer: 0.3 s of the GUI's thread."""


def import_ahead() -> None:
    """Begin to import them on a thread."""
    threading.Thread(target=_import, name="napari-sam-imports", daemon=True).start()


def _import() -> None:
    for name in MODULES:
        importlib.import_module(name)
