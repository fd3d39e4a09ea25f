"""What an automatic run has found, as far as it is in view: one small layer, filled and moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.layer_roles import PROMPTS, add_below, find_layer, metadata_for
from napari_sam.ui.placement import world_matrix
from napari_sam.ui.preview import buffer_of, new_buffer, show_buffer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from napari.layers import Image, Labels

    from napari_sam.segmentation.automatic.merge import ResolvedObjects
    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.session.annotator import Annotator

__all__ = [
    "BUFFER_SIDE",
    "FoundView",
    "draw_found",
    "hide_found",
    "make_found",
    "show_found",
    "step_for",
]

BUFFER_SIDE = 2048
"""Side of the layer's buffer in its own pixels. What is in view is drawn coarser, by a power of
two, where the view shows more of the image."""

MOST_TILES = 300
"""Tiles in view up to which objects are shown: reading and deciding then takes seconds at most."""

COLOURS = 254
"""Different values in the buffer beside 0."""

OPACITY = 0.55


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FoundView:
    """Found objects in a part of a plane, drawn.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (h, w)
        0 between objects; each object has a value that it keeps whatever is found or chosen.
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    step : int
        Level-0 pixels along a pixel.
    plane : tuple of int
    objects : int
        Objects that meet the box.
    there : int
        Objects beside these that would not be kept, as others have most of their pixels.
    is_complete : bool
        False when the box holds too much to be drawn; `pixels` is then empty.
    """

    pixels: npt.NDArray[np.uint8]
    box: Box
    step: int
    plane: tuple[int, ...]
    objects: int
    is_complete: bool = True
    there: int = 0


def draw_found(
    folder: Path,
    rules: MergeRules,
    plane: tuple[int, ...],
    box: Box,
    annotator: Annotator | None = None,
) -> Iterator[FoundView | None]:
    """Read what was found in a part of a plane, choose the objects and draw them.

    Those that would not be kept, as most of their pixels belong to objects that are there, are left
    out.

    Parameters
    ----------
    folder : Path
        The records; another thread may add to them.
    rules : MergeRules
    plane : tuple of int
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    annotator : Annotator, optional
        Who keeps the objects that are there.

    Yields
    ------
    FoundView or None
        None after each part, so that it can be stopped there; what is drawn at the end.

    Raises
    ------
    StoreError
        When the records or the objects that are there cannot be read.
    """
    from napari_sam.segmentation.automatic.merge import ResolvedObjects
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.automatic.result import objects_of
    from napari_sam.segmentation.session.pixel_change import finest_of
    from napari_sam.segmentation.session.untaken import untaken

    records = Records.open(folder)
    sampling = float(records.finding.get("sampling", 1.0))
    step = step_for(box)
    shape = -(-(box[2] - box[0]) // step), -(-(box[3] - box[1]) // step)
    pixels = np.zeros(shape, np.uint8)
    if len(records.grid(sampling).tiles_in(box)) > MOST_TILES:
        yield FoundView(
            pixels=pixels, box=box, step=step, plane=plane, objects=0, is_complete=False
        )
        return
    parts, there = [], 0
    new = 1 if annotator is None else annotator.next_id()
    for part in objects_of(records, rules, plane, region=box):
        free = [part]
        if annotator is not None and new > 1:
            labels = finest_of(annotator.labels)
            free = list(untaken([part], labels, plane, new, rules.containment))
        there += len(part) - sum(map(len, free))
        parts += free
        yield None
    objects = ResolvedObjects.together(parts, rules.level)
    for _ in _draw(objects, pixels, box, step):
        yield None
    yield FoundView(
        pixels=pixels, box=box, step=step, plane=plane, objects=len(objects), there=there
    )


def step_for(box: Box) -> int:
    """Smallest power of two at which a box fits the buffer."""
    step = 1
    while max(box[2] - box[0], box[3] - box[1]) > step * BUFFER_SIDE:
        step *= 2
    return step


def make_found(viewer: Any, image: Image) -> Labels:
    """Give the image's layer of found objects; makes it, hidden, when there is none."""
    layer: Labels | None = find_layer(viewer, image, "found")
    return _new_layer(viewer, image) if layer is None else layer


def show_found(viewer: Any, image: Image, view: FoundView) -> None:
    """Show found objects; makes the image's layer for them when there is none."""
    layer = make_found(viewer, image)
    buffer = buffer_of(layer, image, view.step, BUFFER_SIDE)
    starts, spans = [], []
    for axis, side in enumerate(view.pixels.shape):
        over = view.box[axis] + buffer.shape[axis] * view.step - image_shape(image)[axis - 2]
        before = max(0, over // view.step)  # so that the layer does not reach beyond the image
        starts.append(view.box[axis] - before * view.step)
        spans.append(slice(before, before + side))
    buffer[:] = 0
    buffer[tuple(spans)] = view.pixels
    show_buffer(layer, image, (*view.plane, *starts), view.step)


def hide_found(viewer: Any, image: Image) -> None:
    """Show no found objects; the layer stays: removing layers is slow and not always safe."""
    layer = find_layer(viewer, image, "found")
    if layer is not None and layer.visible:
        layer.visible = False
        layer.data[...] = 0


def _draw(
    objects: ResolvedObjects, pixels: npt.NDArray[np.uint8], box: Box, step: int
) -> Iterator[None]:
    """Draw objects at the middle of each step; one that lies between those is a dot."""
    from napari_sam.segmentation.automatic.mask_part import MaskParts
    from napari_sam.segmentation.automatic.merge_rules import priority

    masks = MaskParts(objects.found)
    order = priority(objects.found, objects.level)[::-1]
    corner, bound = np.array(box[:2]), np.array(pixels.shape)
    boxes = objects.found.boxes[order]
    low, high = boxes[:, :2] - corner, boxes[:, 2:] - corner
    middle = step // 2
    # Pixel i is drawn from the image's pixel i * step + middle.
    first = np.maximum(-((middle - low) // step), 0)
    last = np.minimum(-((middle - high) // step), bound)
    values = _values(boxes)
    dots = np.flatnonzero((first >= last).any(axis=1))
    where = np.clip((low[dots] + high[dots]) // (2 * step), 0, bound - 1)
    pixels[tuple(where.T)] = values[dots]
    rows = order.tolist()
    for done, index in enumerate(np.flatnonzero((first < last).all(axis=1)).tolist(), start=1):
        (i0, j0), (i1, j1) = first[index].tolist(), last[index].tolist()
        y0, x0 = box[0] + i0 * step + middle, box[1] + j0 * step + middle
        y1, x1 = box[0] + (i1 - 1) * step + middle + 1, box[1] + (j1 - 1) * step + middle + 1
        drawn = masks.draw(rows[index], (y0, x0, y1, x1))[::step, ::step]
        pixels[i0:i1, j0:j1][drawn] = values[index]
        if done % 1000 == 0:
            yield


def _values(boxes: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Value of each object, from where it lies: it keeps its colour while others come and go."""
    mixed = boxes @ np.array([7919, 104_729, 1_299_709, 15_485_863])
    values: npt.NDArray[np.uint8] = (mixed % COLOURS + 1).astype(np.uint8)
    return values


def _new_layer(viewer: Any, image: Image) -> Labels:
    from napari.layers import Labels

    layer = Labels(
        new_buffer(image, BUFFER_SIDE),
        name=f"{image.name} found",
        opacity=OPACITY,
        units=image.units,
        axis_labels=image.axis_labels,
        affine=world_matrix(image),
        metadata=metadata_for("found", image),
        visible=False,
    )
    layer.editable = False
    others = [find_layer(viewer, image, role) for role in (*PROMPTS, "preview", "ruler")]
    add_below(viewer, layer, others)
    return layer
