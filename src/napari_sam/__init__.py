"""Segment Anything for microscopy images of any size, inside napari and without it.

Importing this package is cheap: torch, numpy and the rest arrive with the
first name that needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.images.source import open_image
    from napari_sam.model.checkpoints import load_model
    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt

__version__ = "0.1.0"

__all__ = [
    "Candidate",
    "Candidates",
    "Prompt",
    "Segmenter",
    "__version__",
    "load_model",
    "open_image",
]

_HOMES = {
    "Candidate": "napari_sam.segmentation.candidates",
    "Candidates": "napari_sam.segmentation.candidates",
    "Prompt": "napari_sam.segmentation.prompt",
    "Segmenter": "napari_sam.segmentation.predict",
    "load_model": "napari_sam.model.checkpoints",
    "open_image": "napari_sam.images.source",
}


def __getattr__(name: str) -> object:
    """Import the module that holds a public name the first time it is asked for."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names without importing what they need."""
    return sorted({*globals(), *__all__})
