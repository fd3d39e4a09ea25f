"""A mask on the canvas: one small layer, made once, then only filled and, seldom, moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.layer_roles import KEY, PROMPTS, add_below, find_layer, metadata_for
from napari_sam.ui.placement import world_matrix
from napari_sam.ui.thumbnails import draw_part, outline

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Labels

    from napari_sam.segmentation.candidates import Candidate

__all__ = [
    "BUFFER_SIDE",
    "Picture",
    "buffer_of",
    "draw_picture",
    "hide_preview",
    "make_preview",
    "new_buffer",
    "show_buffer",
    "show_picture",
    "show_preview",
]

BUFFER_SIDE = 1024
"""Side of the layer's buffer in its own pixels. Its cost on the screen is that of one tile,
whatever the size of the image; a mask that is larger is shown coarser."""

Kind = Literal["candidate", "hover"]

VALUES: dict[Kind, tuple[int, int]] = {"candidate": (1, 2), "hover": (3, 4)}
"""Values in the buffer inside a mask and on its edge."""

NOTHING = (0.0, 0.0, 0.0, 0.0)
COLOURS = {
    None: NOTHING,
    0: NOTHING,
    1: (1, 0.82, 0.12, 0.3),
    2: (1, 0.82, 0.12, 1),
    3: (1, 0.95, 0.7, 0.18),
    4: (1, 0.95, 0.7, 0.75),
}

STATE = "preview"
"""Key of what the layer shows, beside its role in its metadata."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A mask, drawn for the preview.

    Parameters
    ----------
    plane : tuple of int
    origin : tuple of int
        ``(y, x)`` of its first pixel, in level-0 pixels; multiples of `step`.
    step : int
        Level-0 pixels along one of its pixels, a power of two.
    mask, edge : ndarray of bool, shape (h, w)
        The mask and the pixels along its edge; at most `BUFFER_SIDE` along a side.
    """

    plane: tuple[int, ...]
    origin: tuple[int, int]
    step: int
    mask: npt.NDArray[np.bool_]
    edge: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a preview layer shows, and where its buffer lies."""

    kind: Kind
    plane: tuple[int, ...]
    origin: tuple[int, int]
    step: int
    matrix: bytes


def draw_picture(candidate: Candidate) -> Picture:
    """Draw a candidate for the preview; touches no layer, so that any thread may do it."""
    y0, x0, y1, x1 = candidate.bounds or (0, 0, 0, 0)
    step = 1
    while True:
        origin = y0 // step * step, x0 // step * step
        shape = -(-(y1 - origin[0]) // step), -(-(x1 - origin[1]) // step)
        if max(shape) <= BUFFER_SIDE:
            break
        step *= 2
    mask = draw_part(candidate, origin, (step, step), shape)
    return Picture(candidate.plane, origin, step, mask, outline(mask))


def show_preview(viewer: Any, image: Image, candidate: Candidate) -> None:
    """Show a candidate; makes the image's preview layer when there is none."""
    show_picture(viewer, image, draw_picture(candidate))


def make_preview(viewer: Any, image: Image) -> Labels:
    """Give the image's preview layer; makes it, hidden, when there is none.

    Adding a layer takes napari long: do it where nobody moves the mouse.
    """
    preview: Labels | None = find_layer(viewer, image, "preview")
    return _new_preview(viewer, image) if preview is None else preview


def show_picture(viewer: Any, image: Image, picture: Picture, kind: Kind = "candidate") -> None:
    """Show a mask that was drawn; makes the image's preview layer when there is none.

    The layer is moved only when the mask lies beyond its buffer: moving costs more than filling.
    """
    preview = make_preview(viewer, image)
    buffer = buffer_of(preview, image, picture.step, BUFFER_SIDE)
    into_world = world_matrix(image)
    shown = _place(picture, kind, buffer.shape, image, into_world.tobytes(), _state(preview))
    y, x = ((p - q) // picture.step for p, q in zip(picture.origin, shown.origin, strict=True))
    inside, edge = VALUES[kind]
    buffer[:] = 0
    region = buffer[y : y + picture.mask.shape[0], x : x + picture.mask.shape[1]]
    region[picture.mask] = inside
    region[picture.edge] = edge
    before = _state(preview)
    preview.metadata[KEY][STATE] = shown
    if before is None or _where(before) != _where(shown):
        preview.affine = into_world @ _buffer_place((*shown.plane, *shown.origin), shown.step)
    if not preview.visible:
        preview.visible = True
    preview.refresh(extent=False, thumbnail=False, highlight=False)


def hide_preview(viewer: Any, image: Image, kind: Kind | None = None) -> None:
    """Show no mask, or none of a kind.

    The layer stays, because removing layers is slow and not always safe.
    """
    preview = find_layer(viewer, image, "preview")
    if preview is None or not preview.visible:
        return
    shown = _state(preview)
    if kind is None or (shown is not None and shown.kind == kind):
        preview.visible = False
        preview.data[...] = 0


def buffer_of(layer: Labels, image: Image, step: int, side: int) -> npt.NDArray[np.uint8]:
    """Pixels of a layer that shows a part of an image.

    They are others where the image is shorter than the buffer: a layer that reached beyond it
    would make it small in napari's Home view.

    Parameters
    ----------
    layer : Labels
    image : Image
    step : int
        Level-0 pixels along one of the layer's pixels.
    side : int
        Its longest side in its own pixels.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        To be filled, before a refresh.
    """
    shape = _buffer_shape(image, step, side)
    if layer.data.shape != shape:
        layer.data = np.zeros(shape, np.uint8)
    pixels: npt.NDArray[np.uint8] = layer.data.reshape(shape[-2:])
    return pixels


def new_buffer(image: Image, side: int) -> npt.NDArray[np.uint8]:
    """Pixels of a new layer, shape (1, ..., h, w): those `buffer_of` gives for a step of 1."""
    return np.zeros(_buffer_shape(image, 1, side), np.uint8)


def show_buffer(layer: Labels, image: Image, origin: tuple[int, ...], step: float) -> None:
    """Show a layer whose buffer was filled.

    What is right already is left alone: each change has napari look at all layers again.

    Parameters
    ----------
    layer : Labels
    image : Image
    origin : tuple of int
        Image pixel that pixel 0 of the buffer begins with.
    step : float
        Image pixels that a buffer pixel spans along y and x.
    """
    affine = world_matrix(image) @ _buffer_place(origin, step)
    if not np.array_equal(layer.affine.affine_matrix, affine):
        layer.affine = affine
    if not layer.visible:
        layer.visible = True
    layer.refresh(extent=False, thumbnail=False, highlight=False)


def _buffer_place(origin: tuple[int, ...], step: float) -> npt.NDArray[np.float64]:
    """Matrix from a buffer's pixels to those of an image, pixel centres at integers in both.

    The centre of a buffer pixel lies in the middle of the image pixels that it spans.
    """
    ndim = len(origin)
    matrix = np.eye(ndim + 1)
    matrix[ndim - 2, ndim - 2] = matrix[ndim - 1, ndim - 1] = step
    matrix[:-1, -1] = origin
    matrix[ndim - 2 : ndim, -1] += (step - 1) / 2
    return matrix


def _buffer_shape(image: Image, step: int, side: int) -> tuple[int, ...]:
    sides = (min(side, -(-length // step)) for length in image_shape(image)[-2:])
    return (*[1] * (image.ndim - 2), *sides)


def _new_preview(viewer: Any, image: Image) -> Labels:
    from napari.layers import Labels
    from napari.utils import DirectLabelColormap

    preview = Labels(
        new_buffer(image, BUFFER_SIDE),
        name=f"{image.name} candidate",
        colormap=DirectLabelColormap(color_dict=COLOURS),
        opacity=1.0,
        units=image.units,
        axis_labels=image.axis_labels,
        affine=world_matrix(image),
        metadata=metadata_for("preview", image),
        visible=False,
    )
    preview.editable = False
    add_below(viewer, preview, [find_layer(viewer, image, role) for role in PROMPTS])
    return preview


def _place(
    picture: Picture,
    kind: Kind,
    room: tuple[int, ...],
    image: Image,
    matrix: bytes,
    before: _Shown | None,
) -> _Shown:
    """Where the buffer is to lie: where it is if the mask fits there, else around the mask."""
    step = picture.step
    if before is not None and (before.plane, before.step) == (picture.plane, step):
        gaps = [(p - q) // step for p, q in zip(picture.origin, before.origin, strict=True)]
        if all(
            0 <= gap <= length - side
            for gap, length, side in zip(gaps, room, picture.mask.shape, strict=True)
        ):
            return _Shown(kind, picture.plane, before.origin, step, matrix)
    starts = []
    for start, side, length, whole in zip(
        picture.origin, picture.mask.shape, room, image_shape(image)[-2:], strict=True
    ):
        centred = start // step - (length - side) // 2
        starts.append(max(0, min(centred, -(-whole // step) - length)) * step)
    return _Shown(kind, picture.plane, (starts[0], starts[1]), step, matrix)


def _state(preview: Labels) -> _Shown | None:
    state: _Shown | None = preview.metadata[KEY].get(STATE)
    return state


def _where(shown: _Shown) -> tuple[object, ...]:
    return shown.plane, shown.origin, shown.step, shown.matrix
