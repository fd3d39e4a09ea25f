"""What the panel says in its status line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = [
    "BY_HAND",
    "IN_WINDOW",
    "NOTHING_IN_VIEW",
    "NOTHING_TO_REDO",
    "NOTHING_TO_UNDO",
    "NO_IMAGE",
    "NO_LAYER",
    "NO_MARK",
    "NO_OBJECT",
    "WAIT",
    "WORKING",
    "count",
    "duration",
    "said",
    "sentence",
    "step_name",
    "time_of",
    "what_next",
]

NO_IMAGE = "Open an image to begin."
NO_LAYER = "Press Points or Boxes to begin."
NO_MARK = "Click on an object, or draw a box around it."
NO_OBJECT = "There is no object under the mouse."
WAIT = "The mask is not there yet: press Enter again when it is."
WORKING = "Working …"
NOTHING_IN_VIEW = "Nothing of the image is in view: move it there first."
BY_HAND = "Paint a new object; M begins another. Every stroke is kept, Ctrl+Z takes it back."
IN_WINDOW = (
    "Paint in the part that was in view; M begins another object. Press “Keep what I painted” "
    "when it is done."
)
NOTHING_TO_UNDO = "There is nothing to take back."
NOTHING_TO_REDO = "There is nothing to do again."

STEPS = {
    "accept": "accepting",
    "refine": "refining",
    "delete": "deleting",
    "merge": "merging",
    "automatic": "keeping",
    "review": "looking at",
    "painted": "painting",
}
"""Name of what a step did, by the kind of its change."""

LISTED = 3
"""So many ids are named in a sentence; of more only the number is told."""


def what_next(candidates: int) -> str:
    """Say what can be done with candidates that have just come in."""
    if candidates == 1:
        return "One candidate. Enter accepts it; more points correct it."
    return f"{candidates} candidates. Choose with 1 to {candidates}, accept with Enter."


def count(number: int) -> str:
    """Say how many objects there are."""
    return "1 object" if number == 1 else f"{number:,} objects"


def time_of(when: datetime) -> str:
    """Say when something was, in local time: "21 Nov 06:12", with the year when it is another."""
    local, now = when.astimezone(), datetime.now().astimezone()
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


def said(change: Change, rows: Mapping[int, ObjectRow]) -> str:
    """Say what a change did.

    Parameters
    ----------
    change : Change
    rows : mapping of int to ObjectRow
        Objects as they are after it.
    """
    ids = change.ids
    if change.kind == "undo":
        return _undone(change.of or "", ids)
    if change.kind == "redo":
        return f"Done again: {step_name(change.of or '', ids)}."
    area = f" ({rows[ids[0]].area:,} pixels)" if ids and ids[0] in rows else ""
    return {
        "accept": f"{_named(ids)} accepted{area}.",
        "refine": f"{_named(ids)} refined{area}.",
        "delete": f"{_named(ids)} deleted.",
        "merge": f"{_named(ids)} merged into one{area}.",
        "automatic": f"{_named(ids)} kept.",
        "review": f"{_named(ids)} looked at.",
        "painted": f"{_named(ids)} painted by hand.",
    }[change.kind]


def step_name(kind: str, ids: Sequence[int] = ()) -> str:
    """Name a step, for a tooltip: "accepting object 3"."""
    named = _named(ids)
    return f"{STEPS.get(kind, kind)} {named[:1].lower()}{named[1:]}"


def sentence(error: Exception) -> str:
    """Error text as a sentence: capital at the start, full stop at the end."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _undone(kind: str, ids: Sequence[int]) -> str:
    if kind in ("accept", "automatic"):
        return f"{_named(ids)} taken back."
    if kind == "delete":
        return f"{_named(ids)} brought back."
    return f"Taken back: {step_name(kind, ids)}."


def _named(ids: Sequence[int]) -> str:
    if len(ids) == 1:
        return f"Object {ids[0]}"
    if 1 < len(ids) <= LISTED:
        *first, last = (str(i) for i in ids)
        return f"Objects {', '.join(first)} and {last}"
    return "Objects" if not ids else count(len(ids)).capitalize()


def duration(seconds: float) -> str:
    """Say roughly how long something takes: seconds, then minutes, then hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
