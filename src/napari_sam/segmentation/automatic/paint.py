"""Objects into labels, block by block: the same pixels whatever was there of an earlier try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic.mask_part import MaskParts
from napari_sam.segmentation.automatic.merge import ResolvedObjects
from napari_sam.segmentation.automatic.merge_rules import priority
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.blocks import blocks, whole_plane
from napari_sam.segmentation.labels.patch import tight, within
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box

    Ids = npt.NDArray[np.int64]

__all__ = ["Painted", "draw_labels", "paint"]


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """Progress of `paint`, after each block.

    Attributes
    ----------
    done, total : int
        Blocks.
    box : tuple of int
        The block ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    ids : ndarray of int64, shape (n,)
        Objects that show in it.
    areas : ndarray of int64, shape (n,)
        Pixels of theirs in it. An object may have less of them in all than its mask, where
        another one lies above it, or even none.
    """

    done: int
    total: int
    box: Box
    ids: Ids
    areas: Ids


def paint(
    objects: Iterable[ResolvedObjects],
    labels: Labels,
    plane: tuple[int, ...] = (),
    region: Box | None = None,
    first_id: int = 1,
) -> Iterator[Painted]:
    """Make the pixels of a region show these objects and no others of their kind.

    Afterwards every pixel that held 0 or an id from `first_id` on shows the object of the highest
    priority there, or 0. Lower ids belong to somebody else and stay. So a run that was killed, or
    closed, is painted again with the same result, and other objects take the place of these.

    Parameters
    ----------
    objects : iterable of ResolvedObjects
        In the order of `resolve`, with ids from `first_id` on.
    labels : ndarray, zarr array or LabelPyramid of int, shape (..., y, x)
        Changed in place, of a pyramid all levels.
    plane : tuple of int
        Index for every leading axis of the labels.
    region : tuple of int, optional
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open; the whole plane when not given. Objects
        are cut off at its border.
    first_id : int
        Lowest id of these objects.

    Yields
    ------
    Painted
        After each block along the chunks of the labels. Closing the generator stops between two.

    Raises
    ------
    InputError, InputTypeError
        When the ids do not fit the type of the labels, or these are none.
    StoreError
        When the labels cannot be read or written.
    """
    finest = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    if finest.dtype.kind not in "ui":
        raise InputTypeError(f"labels hold {finest.dtype}: expected whole numbers, like uint32")
    boxes = list(blocks(finest, whole_plane(finest) if region is None else region))
    near = _Near(objects, np.iinfo(finest.dtype).max)
    reserved = 0
    for done, box in enumerate(boxes, start=1):
        drawn = near.draw(box)
        if near.highest > reserved and isinstance(labels, LabelPyramid):
            labels.reserve(near.highest)
            reserved = near.highest
        present = label_blocks.read(finest, plane, box)
        wanted = np.where((present > 0) & (present < first_id), present, drawn)
        wanted = wanted.astype(finest.dtype, copy=False)
        inside = tight(wanted != present)
        if inside is not None:
            _replace(finest, plane, box, inside, wanted)
        if isinstance(labels, LabelPyramid):  # always: a killed run may have got no further
            labels.rebuild(box, plane)
        yield Painted(done, len(boxes), box, *_count(wanted, first_id))


def draw_labels(objects: ResolvedObjects, box: Box) -> Ids:
    """Draw objects in a box.

    Parameters
    ----------
    objects : ResolvedObjects
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.

    Returns
    -------
    ndarray of int64, shape (y1 - y0, x1 - x0)
        Ids, 0 between the objects.
    """
    return _draw(objects, MaskParts(objects.found), box)


def _draw(objects: ResolvedObjects, masks: MaskParts, box: Box) -> Ids:
    y0, x0, y1, x1 = box
    drawn = np.zeros((y1 - y0, x1 - x0), np.int64)
    top, left, bottom, right = objects.found.boxes.T
    meeting = np.flatnonzero((top < y1) & (left < x1) & (bottom > y0) & (right > x0))
    order = meeting[priority(objects.found.take(meeting), objects.level)]
    parts = np.concatenate(
        [
            np.maximum(objects.found.boxes[order, :2], (y0, x0)),
            np.minimum(objects.found.boxes[order, 2:], (y1, x1)),
        ],
        axis=1,
    ).tolist()
    ids = objects.ids[order].tolist()
    for row, value, (a, b, c, d) in reversed(list(zip(order.tolist(), ids, parts, strict=True))):
        drawn[a - y0 : c - y0, b - x0 : d - x0][masks.draw(row, (a, b, c, d))] = value
    return drawn


class _Near:
    """Objects of a stream that may reach into the block at hand or a later one."""

    def __init__(self, objects: Iterable[ResolvedObjects], largest: int) -> None:
        self._stream = iter(objects)
        self._largest = largest
        self._objects = ResolvedObjects.together([])
        self._masks = MaskParts(self._objects.found)
        self._row: tuple[int, int] | None = None
        self._begun = -1  # upper side of the last object that was taken
        self.highest = 0

    def draw(self, box: Box) -> Ids:
        """Draw a block; blocks come row by row."""
        y0, _, y1, _ = box
        if self._row != (y0, y1):
            self._row = y0, y1
            self._move_to(y0, y1)
        return _draw(self._objects, self._masks, box)

    def _move_to(self, y0: int, y1: int) -> None:
        parts = [self._objects.take(self._objects.found.boxes[:, 2] > y0)]
        while self._begun < y1 and (part := next(self._stream, None)) is not None:
            if len(part):
                self._begun = int(part.found.boxes[-1, 0])
                self.highest = int(part.ids[-1])
                parts.append(part)
        if self.highest > self._largest:
            raise InputError(
                f"ids up to {self.highest} are needed, or more, but the labels hold those up to "
                f"{self._largest} only: use a larger type, for example uint32"
            )
        self._objects = ResolvedObjects.together([part for part in parts if len(part)])
        self._masks = MaskParts(self._objects.found)


def _replace(
    array: LabelArray,
    plane: tuple[int, ...],
    box: Box,
    inside: tuple[slice, slice],
    wanted: npt.NDArray[np.integer],
) -> None:
    """Write the changed part of a block."""
    label_blocks.replace(array, plane, within(box, inside), wanted[inside])


def _count(pixels: npt.NDArray[np.integer], first_id: int) -> tuple[Ids, Ids]:
    ours = pixels[pixels >= first_id].astype(np.int64)
    if not len(ours):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    lowest = int(ours.min())
    areas = np.bincount(ours - lowest)
    ids = np.flatnonzero(areas)
    return ids + lowest, areas[ids]
