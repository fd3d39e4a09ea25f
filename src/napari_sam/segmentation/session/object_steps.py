"""What a user does to objects, found out as steps before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.segmentation.labels.edits import plan
from napari_sam.segmentation.labels.patch import cover, tight, within
from napari_sam.segmentation.session.object_extent import blank_row, measure
from napari_sam.segmentation.session.object_row import ObjectRow, prompt_values
from napari_sam.segmentation.session.pixel_change import PixelChange, find_change
from napari_sam.segmentation.session.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidate
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.segmentation.session.object_row import State

    Plane = tuple[int, ...]
    Rows = Mapping[int, ObjectRow]

__all__ = ["accept", "delete", "mark", "merge", "paint_over", "refine"]


def accept(
    labels: Labels, candidate: Candidate, number: int, prompt: Prompt | None, model: str
) -> Step:
    """Paint a candidate where the labels are 0.

    Raises
    ------
    InputError
        When no pixel is left to paint, or the id does not fit the labels.
    """
    pixels = PixelChange.of_edit(plan(labels, candidate, value=number))
    row = _row_of(candidate, number, pixels.bounds, pixels.area, prompt, model)
    return Step(kind="accept", ids=(number,), after=(row,), pixels=(pixels,))


def refine(
    labels: Labels,
    candidate: Candidate,
    known: ObjectRow,
    prompt: Prompt | None,
    model: str,
    rows: Rows,
) -> Step:
    """Give an object the pixels of a candidate instead of its own, where no other object is.

    Raises
    ------
    InputError
        When no pixel is left to paint, or the candidate lies in another plane.
    """
    bounds = candidate.bounds
    if candidate.plane != known.plane:
        raise InputError(
            f"object {known.id} lies in plane {known.plane}, but the candidate in "
            f"{candidate.plane}: go to the plane of the object"
        )
    if bounds is None:
        raise InputError("the mask cannot become an object: it has no pixels; choose another")
    shown: list[Box] = []
    area = 0

    def wanted(part: Box, present: npt.NDArray[Any]) -> npt.NDArray[Any]:
        nonlocal area
        mine = present == known.id
        mask = _drawn(candidate, bounds, part) & (mine | (present == 0))
        inside = tight(mask)
        if inside is not None:
            shown.append(within(part, inside))
            area += int(np.count_nonzero(mask))
        return np.where(mask, known.id, np.where(mine, 0, present)).astype(present.dtype)

    pixels = find_change(labels, known.plane, cover([known.box, bounds]), wanted)
    if not shown:
        raise InputError(
            "the mask cannot become the object: all its pixels belong to other objects; choose "
            "another candidate"
        )
    row = _row_of(candidate, known.id, cover(shown), area, prompt, model)
    before = (known,) if known.id in rows else ()
    return Step(
        kind="refine",
        ids=(known.id,),
        before=before,
        after=(row,),
        pixels=() if pixels is None else (pixels,),
    )


def delete(labels: Labels, objects: Sequence[ObjectRow], rows: Rows) -> Step:
    """Erase objects."""
    changes = [_repaint(labels, row, 0) for row in objects]
    return Step(
        kind="delete",
        ids=tuple(row.id for row in objects),
        before=tuple(row for row in objects if row.id in rows),
        pixels=tuple(change for change in changes if change is not None),
    )


def merge(labels: Labels, objects: Sequence[ObjectRow], rows: Rows) -> Step:
    """Make one object of several, under the smallest of their ids.

    Raises
    ------
    InputError
        When there are fewer than two, or they lie in different planes.
    """
    if len(objects) < 2:
        raise InputError("one object cannot be merged: choose two or more")
    if len({row.plane for row in objects}) > 1:
        raise InputError("the objects lie in different planes: merge those of one plane")
    kept, *others = sorted(objects, key=lambda row: row.id)
    changes = [_repaint(labels, row, kept.id) for row in others]
    scored = [row for row in objects if row.score is not None]
    only = scored[0] if len(scored) == 1 else None
    row = replace(
        kept,
        box=cover(_tight_box(labels, each) for each in objects),
        area=sum(each.area for each in objects),
        score=None if only is None else only.score,
        stability=None if only is None else only.stability,
        source=kept.source if len({each.source for each in objects}) == 1 else "painted",
        prompt=None,
        state="accepted" if all(each.state == "accepted" for each in objects) else "new",
    )
    return Step(
        kind="merge",
        ids=tuple(each.id for each in (kept, *others)),
        before=tuple(each for each in (kept, *others) if each.id in rows),
        after=(row,),
        pixels=tuple(change for change in changes if change is not None),
    )


def mark(objects: Sequence[ObjectRow], state: State) -> Step:
    """Say that objects were looked at, or are to be looked at again."""
    changed = [row for row in objects if row.state != state]
    return Step(
        kind="review",
        ids=tuple(row.id for row in objects),
        before=tuple(changed),
        after=tuple(row.with_state(state) for row in changed),
    )


def paint_over(
    labels: Labels, plane: Plane, box: Box, after: npt.NDArray[Any], rows: Rows, foreign: int
) -> Step | None:
    """Give a box the pixels that somebody painted by hand.

    Parameters
    ----------
    after : ndarray of int, shape of the box
    foreign : int
        Highest id that was in the labels before the session. How far such objects reach is not
        known, so that they have no rows.

    Returns
    -------
    Step or None
        None when nothing differs.

    Raises
    ------
    InputError
        When an object of another plane would be painted on.
    """
    y, x = box[:2]

    def wanted(part: Box, present: npt.NDArray[Any]) -> npt.NDArray[Any]:
        pixels = after[part[0] - y : part[2] - y, part[1] - x : part[3] - x]
        return pixels.astype(present.dtype, copy=False)

    pixels = find_change(labels, plane, box, wanted)
    if pixels is None:
        return None
    values = [patch.values for patch in (*pixels.before, *pixels.after)]
    touched = [number for number in np.unique(np.concatenate(values)).tolist() if number > 0]
    before, come = [], []
    for number in touched:
        row = rows.get(number)
        if row is None and number <= foreign:
            continue
        if row is not None and row.plane != plane:
            raise InputError(
                f"object {number} lies in another plane: paint with another number, such as a new "
                "one (key M)"
            )
        reach = box if row is None else cover([row.box, box])
        found = measure(labels, plane, reach, number, (box, after))
        if row is not None:
            before.append(row)
        if found is not None:
            known = row or blank_row(number, plane)
            come.append(replace(known, box=found[0], area=found[1]))
    return Step(
        kind="painted",
        ids=tuple(touched),
        before=tuple(before),
        after=tuple(come),
        pixels=(pixels,),
    )


def _drawn(candidate: Candidate, bounds: Box, part: Box) -> npt.NDArray[np.bool_]:
    """Draw a candidate in a part of the plane; nothing beyond its bounds."""
    mask = np.zeros((part[2] - part[0], part[3] - part[1]), np.bool_)
    top, left = max(bounds[0], part[0]), max(bounds[1], part[1])
    bottom, right = min(bounds[2], part[2]), min(bounds[3], part[3])
    if top < bottom and left < right:
        rows, columns = (
            slice(top - part[0], bottom - part[0]),
            slice(left - part[1], right - part[1]),
        )
        mask[rows, columns] = candidate.draw((top, left, bottom, right))
    return mask


def _tight_box(labels: Labels, row: ObjectRow) -> Box:
    """Tight box of an object, of which an automatic run may know a larger one."""
    found = measure(labels, row.plane, row.box, row.id) if row.source == "automatic" else None
    return row.box if found is None else found[0]


def _repaint(labels: Labels, row: ObjectRow, value: int) -> PixelChange | None:
    """Give all pixels of an object another value."""

    def wanted(_: Box, present: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.where(present == row.id, value, present).astype(present.dtype)

    return find_change(labels, row.plane, row.box, wanted)


def _row_of(
    candidate: Candidate, number: int, box: Box, area: int, prompt: Prompt | None, model: str
) -> ObjectRow:
    return ObjectRow(
        id=number,
        plane=candidate.plane,
        box=box,
        area=area,
        score=candidate.score,
        stability=candidate.stability,
        source="prompt",
        prompt=prompt_values(prompt),
        model=model,
    )
