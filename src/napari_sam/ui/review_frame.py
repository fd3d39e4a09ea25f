"""The frame around the object that is looked at: one layer, made once, then only moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.layer_roles import add_below, find_layer, metadata_for, role_of
from napari_sam.ui.placement import move_onto, placement_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Shapes

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["ReviewFrame", "corners"]

COLOUR = "#56d9ff"

ROOM = 0.12
"""Room between object and frame, in sides of the object."""

THICKNESS = 0.008
"""Width of the line, in sides of the frame."""

SMALLEST, THINNEST = 2.0, 0.2
"""Least room around an object and least width of the line, in pixels."""


def corners(plane: tuple[int, ...], box: Box, room: float = 0.0) -> npt.NDArray[np.float64]:
    """Corners of a box of pixels, with room around it, in level-0 pixels.

    Parameters
    ----------
    plane : tuple of int
    box : tuple of int
        ``(y0, x0, y1, x1)``, half-open.
    room : float
        Pixels to every side.

    Returns
    -------
    ndarray, shape (4, ndim)
    """
    y0, x0, y1, x1 = np.array(box) - 0.5 + np.array([-room, -room, room, room])
    return np.array([(*plane, y, x) for y, x in ((y0, x0), (y0, x1), (y1, x1), (y1, x0))])


class ReviewFrame:
    """A rectangle on an image around one of its objects.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    def show(self, image: Image, plane: tuple[int, ...], box: Box) -> None:
        """Draw the frame around an object of an image."""
        layer = find_layer(self._viewer, image, "frame") or self._new(image)
        self._hide_all_but(layer)
        side = max(box[2] - box[0], box[3] - box[1])
        room = max(SMALLEST, ROOM * side)
        move_onto(layer, image)
        layer.data = []
        layer.add_rectangles(
            corners(plane, box, room),
            edge_width=max(THINNEST, THICKNESS * (side + 2 * room)),
            edge_color=COLOUR,
            face_color="transparent",
        )
        if not layer.visible:
            layer.visible = True

    def hide(self) -> None:
        """Show no frame; layers stay, because removing them is not always safe."""
        self._hide_all_but(None)

    def _hide_all_but(self, shown: Shapes | None) -> None:
        for layer in self._viewer.layers:
            if role_of(layer) == "frame" and layer is not shown and layer.visible:
                layer.visible = False

    def _new(self, image: Image) -> Shapes:
        from napari.layers import Shapes

        layer = Shapes(
            ndim=image.ndim,
            name=f"{image.name} review",
            metadata=metadata_for("frame", image),
            **placement_of(image),
        )
        add_below(self._viewer, layer, [])
        return layer
