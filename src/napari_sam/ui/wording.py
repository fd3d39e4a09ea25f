"""What the panel says in its status line."""

from __future__ import annotations

__all__ = [
    "NOTHING_TO_UNDO",
    "NO_IMAGE",
    "NO_LAYER",
    "NO_MARK",
    "WAIT",
    "WORKING",
    "sentence",
    "what_next",
]

NO_IMAGE = "Open an image to begin."
NO_LAYER = "Press Points or Boxes to begin."
NO_MARK = "Click on an object, or draw a box around it."
WAIT = "The mask is not there yet: press Enter again when it is."
WORKING = "Working …"
NOTHING_TO_UNDO = "There is no object to take back."


def what_next(candidates: int) -> str:
    """Say what can be done with candidates that have just come in."""
    if candidates == 1:
        return "One candidate. Enter accepts it; more points correct it."
    return f"{candidates} candidates. Choose with 1 to {candidates}, accept with Enter."


def sentence(error: Exception) -> str:
    """Error text as a sentence: capital at the start, full stop at the end."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
