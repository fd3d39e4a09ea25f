"""How far an object of a label image reaches, and how many pixels it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.patch import cover, tight, within
from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.segmentation.session.pixel_change import finest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box

    Plane = tuple[int, ...]
    Rows = Mapping[int, ObjectRow]

__all__ = ["blank_row", "find_object", "measure"]


def find_object(labels: Labels, number: int, plane: Plane | None, rows: Rows) -> ObjectRow:
    """Row of an object, also of one that was in labels in memory before the session.

    Parameters
    ----------
    plane : tuple of int or None
        Where to look for an object that has no row.

    Raises
    ------
    InputError
        When there is none.
    """
    if number in rows:
        return rows[number]
    if plane is not None and number > 0 and isinstance(labels, np.ndarray):
        whole = label_blocks.whole_plane(labels)
        found = measure(labels, plane, whole, number)
        if found is not None:
            return replace(blank_row(number, plane), box=found[0], area=found[1])
    raise InputError(f"there is no object {number} here: choose one of those in the table")


def blank_row(number: int, plane: Plane) -> ObjectRow:
    """Row of an object painted by hand, before it is measured."""
    return ObjectRow(
        id=number,
        plane=plane,
        box=(0, 0, 0, 0),
        area=0,
        score=None,
        stability=None,
        source="painted",
        prompt=None,
        model="",
    )


def measure(
    labels: Labels,
    plane: Plane,
    box: Box,
    number: int,
    painted: tuple[Box, npt.NDArray[Any]] | None = None,
) -> tuple[Box, int] | None:
    """Tight box and area of an id within a box, as if some pixels were painted already.

    Parameters
    ----------
    labels : ndarray, zarr array or LabelPyramid
    plane : tuple of int
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    number : int
        The id.
    painted : (box, ndarray of int), optional
        Pixels to be counted instead of those of the labels.

    Returns
    -------
    (box, area) or None
        None without a pixel.
    """
    finest = finest_of(labels)
    shown: list[Box] = []
    area = 0
    for part in label_blocks.blocks(finest, box):
        mask = np.array(label_blocks.read(finest, plane, part) == number)
        if painted is not None:
            (y0, x0, y1, x1), pixels = painted
            top, left = max(y0, part[0]), max(x0, part[1])
            bottom, right = min(y1, part[2]), min(x1, part[3])
            if top < bottom and left < right:
                inside = pixels[top - y0 : bottom - y0, left - x0 : right - x0] == number
                mask[top - part[0] : bottom - part[0], left - part[1] : right - part[1]] = inside
        spans = tight(mask)
        if spans is not None:
            shown.append(within(part, spans))
            area += int(np.count_nonzero(mask))
    return (cover(shown), area) if shown else None
