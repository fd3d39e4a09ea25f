"""What is drawn on the prompt layers, as a `Prompt` in the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.segmentation.prompt import Prompt
from napari_sam.ui.polarity import FEATURE

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Layer, Points, Shapes

    from napari_sam.segmentation.prompt import MaskRegion

__all__ = ["DrawnPrompt", "current_plane", "image_shape", "marks_on", "read_prompt"]


@dataclass(frozen=True, slots=True)
class DrawnPrompt:
    """A prompt and the marks that it was read from.

    Parameters
    ----------
    prompt : Prompt
        In level-0 pixels of the image.
    points : tuple of int
        Its rows in the point layer.
    box : int or None
        Its index in the box layer.
    """

    prompt: Prompt
    points: tuple[int, ...]
    box: int | None


def image_shape(image: Image) -> tuple[int, ...]:
    """Lengths of the image's axes as napari counts them (no colour axis), at level 0."""
    level = image.data[0] if image.multiscale else image.data
    return tuple(int(n) for n in level.shape[: image.ndim])


def current_plane(viewer: Any, image: Image) -> tuple[int, ...]:
    """Index of the image's plane that the viewer shows.

    Raises
    ------
    InputError
        When what is shown is not one plane of the image: a 3D view, rolled axes, or a position
        beyond the image's ends.
    """
    if viewer.dims.ndisplay != 2:
        raise InputError("the view is in 3D, where no plane can be clicked: switch back to 2D")
    shown = {axis - viewer.dims.ndim for axis in viewer.dims.displayed}
    if shown != {-2, -1}:
        raise InputError(
            "the view shows other axes than the image's planes: put the last two axes back on "
            "the screen (roll or transpose the axes)"
        )
    lengths = image_shape(image)[:-2]
    plane = _leading(image.world_to_data(viewer.dims.point)[np.newaxis])[0]
    if any(not 0 <= i < n for i, n in zip(plane, lengths, strict=True)):
        raise InputError(
            f"the sliders stand at {plane}, beyond the planes of {image.name!r} ({lengths}): move "
            "them back onto the image"
        )
    return plane


def read_prompt(
    image: Image,
    plane: tuple[int, ...],
    points: Points | None,
    boxes: Shapes | None,
    mask: MaskRegion | None = None,
) -> DrawnPrompt | None:
    """Read the prompt that is drawn on a plane.

    All points of the plane and the box drawn last belong to one object.

    Parameters
    ----------
    image : Image
        The layer that the prompt is for.
    plane : tuple of int
        Only what is drawn on this plane counts.
    points, boxes : layers or None
        What is drawn. They may lie anywhere in the world: positions go through world coordinates.
    mask : MaskRegion, optional
        Pixels of an object of this plane that is refined.

    Returns
    -------
    DrawnPrompt or None
        None when nothing on this plane says which object is meant: no mark at all, or
        background points only.

    Raises
    ------
    InputError
        When a mark cannot be used: a box with no area.
    """
    rows, positions, labels = _points_on(image, plane, points)
    index, box = _last_box_on(image, plane, boxes)
    if box is None and mask is None and not labels.any():
        return None
    prompt = Prompt(points=positions, labels=labels, box=box, mask=mask, plane=plane)
    return DrawnPrompt(prompt, rows, index)


def marks_on(image: Image, plane: tuple[int, ...], layer: Points | Shapes | None) -> list[int]:
    """Find the points or boxes of a layer that lie on a plane of the image, by index."""
    return [index for index, where in enumerate(_planes(image, layer)) if where == plane]


def _points_on(
    image: Image, plane: tuple[int, ...], points: Points | None
) -> tuple[tuple[int, ...], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rows = marks_on(image, plane, points)
    if points is None or not rows:
        return (), np.empty((0, 2)), np.empty(0, np.int64)
    positions = _in_image(image, points, points.data[rows])
    labels = (points.features[FEATURE].to_numpy()[rows] == "positive").astype(np.int64)
    return tuple(rows), positions[:, -2:], labels


def _last_box_on(
    image: Image, plane: tuple[int, ...], boxes: Shapes | None
) -> tuple[int | None, npt.NDArray[np.float64] | None]:
    indices = marks_on(image, plane, boxes)
    if boxes is None or not indices:
        return None, None
    corners = _in_image(image, boxes, boxes.data[indices[-1]])[:, -2:]
    return indices[-1], np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _planes(image: Image, layer: Points | Shapes | None) -> list[tuple[int, ...]]:
    """Plane of every mark; a box has that of its middle."""
    if layer is None or not len(layer.data):
        return []
    middles = np.array([np.atleast_2d(mark).mean(axis=0) for mark in layer.data])
    return _leading(_in_image(image, layer, middles))


def _in_image(
    image: Image, layer: Layer, positions: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """Positions on a layer in the image's level-0 pixels, shape (n, ndim of the image)."""
    return np.array([image.world_to_data(layer.data_to_world(row)) for row in positions])


def _leading(positions: npt.NDArray[np.float64]) -> list[tuple[int, ...]]:
    return [tuple(int(i) for i in row) for row in np.rint(positions[:, :-2])]
