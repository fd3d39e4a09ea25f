"""Which part of an image an automatic run looks at, as the user points at it in the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import current_plane, image_shape
from napari_sam.ui.eye import visible_box
from napari_sam.ui.layer_roles import role_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Shapes

    Rectangle = tuple[float, float, float, float]

__all__ = ["RegionKind", "WhereToLook", "where_to_look"]

RegionKind = Literal["view", "shape", "plane", "planes"]
"""What is in view, the selected shape, the plane in view, or all planes."""

MASK_SIDE = 4096
"""Longest side of the mask image that says what lies in a shape."""

AREAS = ("rectangle", "polygon", "ellipse")

CIRCLE = 64
"""Corners of the polygon that stands for an ellipse."""


@dataclass(frozen=True, slots=True, eq=False)
class WhereToLook:
    """Region and planes, as `Segmenter.find_progress` takes them.

    Attributes
    ----------
    region : (y0, x0, y1, x1), ndarray of bool or None
        Level-0 pixels, a mask of the plane, or None for all of it.
    planes : list of tuple of int, optional
        None for all.
    """

    region: Rectangle | npt.NDArray[np.bool_] | None
    planes: list[tuple[int, ...]] | None


def where_to_look(viewer: Any, image: Image, kind: RegionKind) -> WhereToLook:
    """Read the region from the viewer.

    Raises
    ------
    InputError
        When there is none: nothing of the image is in view, no shape is selected, or the view is
        in 3D.
    """
    if kind == "planes":
        return WhereToLook(None, None)
    planes = [current_plane(viewer, image)]
    if kind == "plane":
        return WhereToLook(None, planes)
    if kind == "view":
        box = visible_box(viewer, image)
        if box is None:
            raise InputError("nothing of the image is in view: move it into view, or choose more")
        return WhereToLook(_whole_or_part(box, image), planes)
    return WhereToLook(_shapes_region(viewer, image), planes)


def _whole_or_part(box: Rectangle, image: Image) -> Rectangle | None:
    """Give None for a box around the whole plane, on whole pixels otherwise."""
    height, width = image_shape(image)[-2:]
    y0, x0, y1, x1 = (float(np.floor(edge + 0.5) - 0.5) for edge in box)
    y1, x1 = min(y1 + 1, height - 0.5), min(x1 + 1, width - 0.5)
    is_whole = (y0, x0, y1, x1) == (-0.5, -0.5, height - 0.5, width - 0.5)
    return None if is_whole else (y0, x0, y1, x1)


def _shapes_region(viewer: Any, image: Image) -> Rectangle | npt.NDArray[np.bool_]:
    outlines = [
        _outline(image, layer, index)
        for layer, index in _chosen_shapes(viewer)
        if layer.shape_type[index] in AREAS
    ]
    if not outlines:
        raise InputError(
            "no shape is selected: draw a rectangle, polygon or ellipse in a Shapes layer and "
            "select it there"
        )
    if len(outlines) == 1 and _is_rectangle(outlines[0]):
        low, high = outlines[0].min(axis=0), outlines[0].max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    from skimage.draw import polygon

    height, width = image_shape(image)[-2:]
    step = max(1.0, max(height, width) / MASK_SIDE)
    mask = np.zeros((int(np.ceil(height / step)), int(np.ceil(width / step))), np.bool_)
    for outline in outlines:
        y, x = ((outline + 0.5) * np.array(mask.shape) / (height, width) - 0.5).T
        mask[polygon(y, x, mask.shape)] = True
    if not mask.any():
        raise InputError("the selected shape lies beside the image: draw one on it")
    return mask


def _chosen_shapes(viewer: Any) -> list[tuple[Shapes, int]]:
    """List the selected shapes of the active layer, else of any; an only shape needs no choice."""
    from napari.layers import Shapes

    layers = [
        layer
        for layer in viewer.layers
        if isinstance(layer, Shapes) and role_of(layer) not in ("ruler", "frame")
    ]
    active = viewer.layers.selection.active
    for group in ([layer for layer in layers if layer is active], layers):
        chosen = [(layer, index) for layer in group for index in sorted(layer.selected_data)]
        if chosen:
            return chosen
    every = [(layer, index) for layer in layers for index in range(len(layer.data))]
    return every if len(every) == 1 else []


def _outline(image: Image, layer: Shapes, index: int) -> npt.NDArray[np.float64]:
    """Corners ``(y, x)`` of a shape in the image's level-0 pixels."""
    corners = np.asarray(layer.data[index], np.float64)
    if layer.shape_type[index] == "ellipse":
        angle = np.linspace(0, 2 * np.pi, CIRCLE, endpoint=False)[:, np.newaxis]
        centre = corners.mean(axis=0)
        along, across = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
        corners = centre + np.cos(angle) * along + np.sin(angle) * across
    world = [layer.data_to_world(corner) for corner in corners]
    return np.array([image.world_to_data(place) for place in world])[:, -2:]


def _is_rectangle(corners: npt.NDArray[np.float64]) -> bool:
    """Whether four corners are those of a rectangle along the image's axes."""
    if len(corners) != 4:
        return False
    low, high = corners.min(axis=0), corners.max(axis=0)
    at_edge = np.isclose(corners, low) | np.isclose(corners, high)
    return bool(at_edge.all()) and len(np.unique(corners.round(6), axis=0)) == 4
