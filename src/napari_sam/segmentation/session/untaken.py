"""Objects of an automatic run that are not there already: those that others leave room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.automatic.mask_part import MaskParts
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.patch import cover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.automatic.merge import ResolvedObjects
    from napari_sam.segmentation.labels.blocks import LabelArray

__all__ = ["untaken"]


def untaken(
    parts: Iterable[ResolvedObjects],
    labels: LabelArray,
    plane: tuple[int, ...],
    first_id: int,
    containment: float,
) -> Iterator[ResolvedObjects]:
    """Leave out objects of which others have too much: what remains would be slivers.

    The rule is that of `MergeRules.containment`, by which of two nested masks one stays: here the
    one that is in the labels.

    Parameters
    ----------
    parts : iterable of ResolvedObjects
    labels : ndarray or zarr array of int, shape (..., y, x)
    plane : tuple of int
    first_id : int
        Lowest id of these objects; lower ones belong to others.
    containment : float
        An object is left out when others have this part of its mask, or more.

    Yields
    ------
    ResolvedObjects
        Of each part those that stay, with their ids.

    Raises
    ------
    StoreError
        When the labels cannot be read.
    """
    for part in parts:
        if len(part):
            taken = _taken(part, labels, plane, first_id)
            yield part.take(taken < containment * part.found.areas)


def _taken(
    objects: ResolvedObjects, labels: LabelArray, plane: tuple[int, ...], first_id: int
) -> npt.NDArray[np.int64]:
    """Pixels of each mask that belong to others."""
    taken = np.zeros(len(objects), np.int64)
    masks = MaskParts(objects.found)
    top, left, bottom, right = objects.found.boxes.T
    for y0, x0, y1, x1 in label_blocks.blocks(labels, cover(map(tuple, objects.found.boxes))):
        meeting = np.flatnonzero((top < y1) & (left < x1) & (bottom > y0) & (right > x0))
        if not len(meeting):
            continue
        present = label_blocks.read(labels, plane, (y0, x0, y1, x1))
        others = (present > 0) & (present < first_id)
        if not others.any():
            continue
        for row in meeting.tolist():
            a, b = max(int(top[row]), y0), max(int(left[row]), x0)
            c, d = min(int(bottom[row]), y1), min(int(right[row]), x1)
            beneath = others[a - y0 : c - y0, b - x0 : d - x0]
            if beneath.any():
                taken[row] += np.count_nonzero(masks.draw(row, (a, b, c, d)) & beneath)
    return taken
