"""The chosen candidate on the canvas: one small layer, made once, then only filled and moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.layer_roles import PROMPTS, add_below, find_layer, metadata_for
from napari_sam.ui.placement import world_matrix
from napari_sam.ui.thumbnails import draw_part, outline

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Labels

    from napari_sam.segmentation.candidates import Candidate

__all__ = ["BUFFER_SIDE", "hide_preview", "show_preview"]

BUFFER_SIDE = 1024
"""Side of the layer's buffer in its own pixels. Its cost on the screen is that of one tile,
whatever the size of the image; a mask that is larger is shown coarser."""

INSIDE, EDGE = 1, 2
NOTHING = (0.0, 0.0, 0.0, 0.0)
COLOURS = {None: NOTHING, 0: NOTHING, INSIDE: (1, 0.82, 0.12, 0.3), EDGE: (1, 0.82, 0.12, 1)}


def show_preview(viewer: Any, image: Image, candidate: Candidate) -> None:
    """Show a candidate; makes the image's preview layer when there is none."""
    preview = find_layer(viewer, image, "preview")
    if preview is None:
        preview = _new_preview(viewer, image)
    buffer: npt.NDArray[np.uint8] = preview.data.reshape(preview.data.shape[-2:])
    y0, x0, y1, x1 = candidate.bounds or (0, 0, 0, 0)
    step = _step_for((y1 - y0, x1 - x0), buffer.shape)
    shape = -(-(y1 - y0) // step), -(-(x1 - x0) // step)
    drawn = draw_part(candidate, (y0, x0), (step, step), shape)
    buffer[:] = 0
    region = buffer[: shape[0], : shape[1]]
    region[drawn] = INSIDE
    region[outline(drawn)] = EDGE
    preview.affine = _affine(image, (*candidate.plane, y0, x0), step)
    preview.visible = True
    preview.refresh(extent=False, thumbnail=False, highlight=False)


def hide_preview(viewer: Any, image: Image) -> None:
    """Show no candidate; the layer stays, because removing layers is slow and not always safe."""
    preview = find_layer(viewer, image, "preview")
    if preview is not None and preview.visible:
        preview.visible = False
        preview.data[...] = 0


def _new_preview(viewer: Any, image: Image) -> Labels:
    from napari.layers import Labels
    from napari.utils import DirectLabelColormap

    level = image.data[0] if image.multiscale else image.data
    sides = [min(BUFFER_SIDE, int(n)) for n in level.shape[image.ndim - 2 : image.ndim]]
    preview = Labels(
        np.zeros((*[1] * (image.ndim - 2), *sides), np.uint8),
        name=f"{image.name} candidate",
        colormap=DirectLabelColormap(color_dict=COLOURS),
        opacity=1.0,
        units=image.units,
        axis_labels=image.axis_labels,
        affine=world_matrix(image),
        metadata=metadata_for("preview", image),
    )
    preview.editable = False
    add_below(viewer, preview, [find_layer(viewer, image, role) for role in PROMPTS])
    return preview


def _step_for(shape: tuple[int, ...], buffer: tuple[int, ...]) -> int:
    """Smallest power of two at which a mask fits the buffer."""
    step = 1
    while any(-(-length // step) > room for length, room in zip(shape, buffer, strict=True)):
        step *= 2
    return step


def _affine(image: Image, origin: tuple[int, ...], step: int) -> npt.NDArray[np.float64]:
    """World matrix of a buffer whose pixel 0 starts at a pixel of the image.

    A buffer pixel spans ``step`` image pixels along y and x, so its centre lies in their middle.
    """
    ndim = image.ndim
    into_image = np.eye(ndim + 1)
    into_image[ndim - 2, ndim - 2] = into_image[ndim - 1, ndim - 1] = step
    into_image[:-1, -1] = origin
    into_image[ndim - 2 : ndim, -1] += (step - 1) / 2
    return world_matrix(image) @ into_image
