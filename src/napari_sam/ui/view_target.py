"""Brings one object into view: its plane, in the middle, as large as is good to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.review_frame import corners

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["look_at"]

SHARE = 0.5
"""Part of the view's width or height that an object's box takes: a quarter of the area."""

LEAST_SIDE = 16
"""Pixels that an object counts as at least, so that a speck is seen with what is around it."""


def look_at(viewer: Any, image: Image, plane: tuple[int, ...], box: Box) -> bool:
    """Move planes and camera to a box of an image.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image
    plane : tuple of int
        Index for every axis of the image before y.
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.

    Returns
    -------
    bool
        False, with nothing moved, when the viewer shows no plane of the image: in 3D, or with
        axes rolled.
    """
    dims = viewer.dims
    ahead = dims.ndim - image.ndim  # axes that only other layers have
    if tuple(sorted(dims.displayed)) != (dims.ndim - 2, dims.ndim - 1):
        return False
    short = max(0.0, (LEAST_SIDE - min(box[2] - box[0], box[3] - box[1])) / 2)
    world = np.array([image.data_to_world(corner) for corner in corners(plane, box, short)])
    low, high = world[:, -2:].min(axis=0), world[:, -2:].max(axis=0)
    if plane:
        dims.set_point(list(range(ahead, dims.ndim - 2)), world.mean(axis=0)[:-2].tolist())
    camera = viewer.scene.camera
    room = np.array(viewer.canvas.size, float)
    camera.center = (*camera.center[:-2], *((low + high) / 2).tolist())
    camera.zoom = float((SHARE * room / np.maximum(high - low, 1e-12)).min())
    return True
