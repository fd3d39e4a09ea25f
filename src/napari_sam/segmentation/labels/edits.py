"""Objects in a label image: painted and erased where they are, and taken back exactly.

A label image is a numpy array, a zarr array or a `LabelPyramid`. Whatever is done to it touches
only the pixels, chunks and levels where the object lies, block by block.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.blocks import blocks, highest, read
from napari_sam.segmentation.labels.patch import Patch, cover, tight, within
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.mask_grid import Box

    Labels = LabelArray | LabelPyramid

__all__ = ["Drawable", "Edit", "erase", "next_id", "paint", "plan", "redo", "undo", "write_patches"]


class Drawable(Protocol):
    """A mask that is drawn where it is asked for, a `Candidate` for example."""

    @property
    def plane(self) -> tuple[int, ...]:
        """Plane that it lies in."""
        ...

    @property
    def bounds(self) -> Box | None:
        """Level-0 pixels ``(y0, x0, y1, x1)``, half-open, that hold it all; None when empty."""
        ...

    def draw(self, box: Box) -> npt.NDArray[np.bool_]:
        """Draw a part of it."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Edit:
    """One change of a label image, enough to undo it and to do it again.

    Attributes
    ----------
    plane : tuple of int
        Plane of the labels.
    value : int
        What the changed pixels hold since: an id, or 0 where an object was erased.
    before : tuple of Patch
        The changed pixels and what they held until then.
    """

    plane: tuple[int, ...]
    value: int
    before: tuple[Patch, ...]

    @property
    def area(self) -> int:
        """Number of changed pixels."""
        return sum(patch.area for patch in self.before)

    @property
    def bounds(self) -> Box:
        """Tight box ``(y0, x0, y1, x1)`` of the changed pixels, half-open."""
        return cover(patch.box for patch in self.before)


def paint(
    labels: Labels,
    obj: Drawable | npt.NDArray[np.bool_],
    origin: tuple[int, int] | None = None,
    value: int = 0,
    plane: tuple[int, ...] | None = None,
) -> Edit:
    """Paint an object where the labels are 0; other objects keep their pixels.

    Parameters
    ----------
    labels : ndarray, zarr array or LabelPyramid of int, shape (..., y, x)
        Changed in place, of a pyramid all levels.
    obj : Candidate or ndarray of bool, shape (h, w)
        Anything that draws itself, or a mask.
    origin : tuple of int, optional
        ``(y, x)`` of a mask's first pixel.
    value : int
        Id of the object, at least 1; `next_id` gives a fresh one.
    plane : tuple of int, optional
        Index for every leading axis of the labels; the object's own when not given.

    Raises
    ------
    InputError
        When no pixel is left to paint, the object lies outside, the id does not fit the type of
        the labels, or they were opened for reading only.
    StoreError
        When the labels cannot be written; what was painted so far is taken back if possible.
    """
    if value < 1:
        raise InputError(f"an object cannot have the id {value}: expected 1 or more")
    edit = plan(labels, obj, origin, value=value, plane=plane)
    redo(labels, edit)
    return edit


def erase(
    labels: Labels,
    obj: Drawable | npt.NDArray[np.bool_],
    origin: tuple[int, int] | None = None,
    plane: tuple[int, ...] | None = None,
) -> Edit:
    """Set pixels to 0, whichever objects they belong to; parameters and errors as of `paint`."""
    edit = plan(labels, obj, origin, value=0, plane=plane)
    redo(labels, edit)
    return edit


def plan(
    labels: Labels,
    obj: Drawable | npt.NDArray[np.bool_],
    origin: tuple[int, int] | None = None,
    *,
    value: int,
    plane: tuple[int, ...] | None = None,
) -> Edit:
    """Find out what `paint` (or with the value 0 `erase`) would change, without doing so.

    `redo` makes the change; a journal can be written in between.
    """
    drawn = _DrawnMask(obj, origin or (0, 0)) if isinstance(obj, np.ndarray) else obj
    plane = drawn.plane if plane is None else plane
    finest = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    _check(finest, drawn.bounds, plane, value)
    patches = []
    masked = 0
    for box in blocks(finest, drawn.bounds or (0, 0, 0, 0)):
        mask = drawn.draw(box)
        masked += int(np.count_nonzero(mask))
        patch = _changed(finest, plane, box, mask, value)
        if patch is not None:
            patches.append(patch)
    if not patches:
        raise InputError(_nothing_left(masked, value))
    return Edit(plane, value, tuple(patches))


def undo(labels: Labels, edit: Edit) -> None:
    """Put back what was there before an edit.

    Raises
    ------
    StoreError
        When the labels cannot be written.
    """
    write_patches(labels, edit.plane, edit.before)


def redo(labels: Labels, edit: Edit) -> None:
    """Make an edit again; errors as of `undo`."""
    if isinstance(labels, LabelPyramid):
        labels.reserve(edit.value)
    try:
        write_patches(labels, edit.plane, tuple(patch.filled(edit.value) for patch in edit.before))
    except StoreError:
        with contextlib.suppress(StoreError):
            undo(labels, edit)
        raise


def write_patches(labels: Labels, plane: tuple[int, ...], patches: tuple[Patch, ...]) -> None:
    """Give pixels their values, of a pyramid on all levels; errors as of `undo`."""
    if isinstance(labels, LabelPyramid):
        labels.write(plane, patches)
    else:
        label_blocks.write(labels, plane, patches)


def next_id(labels: Labels) -> int:
    """Return a fresh id.

    Of an array it is the smallest above all that are in use, found by reading all of it, in
    blocks. A `LabelPyramid` remembers the highest that was ever given and never gives it again,
    even when its object was taken back.
    """
    if isinstance(labels, LabelPyramid):
        return labels.next_id()
    return highest(labels) + 1


@dataclass(frozen=True, eq=False, slots=True)
class _DrawnMask:
    mask: npt.NDArray[np.bool_]
    origin: tuple[int, int]

    @property
    def plane(self) -> tuple[int, ...]:
        return ()

    @property
    def bounds(self) -> Box:
        (y, x), (height, width) = self.origin, self.mask.shape
        return y, x, y + height, x + width

    def draw(self, box: Box) -> npt.NDArray[np.bool_]:
        (y, x), (y0, x0, y1, x1) = self.origin, box
        return self.mask[y0 - y : y1 - y, x0 - x : x1 - x]


def _changed(
    array: LabelArray, plane: tuple[int, ...], box: Box, mask: npt.NDArray[np.bool_], value: int
) -> Patch | None:
    """Those pixels of a mask that an edit changes."""
    inside = tight(mask)
    if inside is None:
        return None
    mask, box = mask[inside], within(box, inside)
    present = read(array, plane, box)
    changed = mask & (present == 0) if value else mask & (present != 0)
    inside = tight(changed)
    if inside is None:
        return None
    changed, present = changed[inside], present[inside]
    return Patch.pack(within(box, inside), changed, present[changed])


def _check(array: LabelArray, bounds: Box | None, plane: tuple[int, ...], value: int) -> None:
    if array.dtype.kind not in "ui":
        raise InputTypeError(f"labels hold {array.dtype}: expected whole numbers, like uint32")
    if value > np.iinfo(array.dtype).max:
        raise InputError(
            f"the id {value} does not fit labels of type {array.dtype}: use a larger type, for "
            "example uint32"
        )
    if not array.flags.writeable if isinstance(array, np.ndarray) else array.read_only:
        raise InputError("the labels were opened for reading only: open them for writing ('r+')")
    leading = array.shape[:-2]
    if len(plane) != len(leading) or not all(
        0 <= index < length for index, length in zip(plane, leading, strict=True)
    ):
        raise InputError(
            f"there is no plane {plane} in labels of shape {array.shape}: give one index for each "
            "axis before y and x"
        )
    if bounds is None:
        return
    y0, x0, y1, x1 = bounds
    if min(y0, x0) < 0 or y1 > array.shape[-2] or x1 > array.shape[-1]:
        raise InputError(
            f"the object in rows {y0} to {y1} and columns {x0} to {x1} does not lie within labels "
            f"of shape {array.shape}: cut it off at the edge, or choose the labels of its image"
        )


def _nothing_left(masked: int, value: int) -> str:
    if not value:
        return "there is nothing to erase here: choose a place with an object"
    found = "all its pixels belong to other objects" if masked else "it has no pixels"
    return f"the mask cannot become an object: {found}; choose another candidate"
