"""Keys of the review, on our Labels layer and on the page; none of them is one of napari's there.

On a Labels layer napari has E, P, F, L, Z, B, M, X, 1 to 7, brackets, minus, equal, Enter and Esc,
everywhere V, space and the arrows. D and R mean what they mean on the prompt layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam.ui.shortcuts import Call

__all__ = ["REVIEW_HELP", "REVIEW_KEYS"]

REVIEW_KEYS: Mapping[str, Call] = {
    "n": ("next",),
    "a": ("accept",),
    "d": ("delete",),
    "r": ("refine",),
    "j": ("join",),
}
"""Key and what it does: a method of the review."""

REVIEW_HELP = (
    ("N", "next object, least certain first"),
    ("A", "accept: it is right, go on"),
    ("D", "delete: it is wrong, go on"),
    ("R", "refine it with clicks"),
    ("J", "join the picked rows into one"),
    ("L, then click", "pick an object in the image"),
)
"""Keys for the user; L is napari's own picker of the Labels layer."""
