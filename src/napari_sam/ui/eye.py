"""How large objects look to the model: it sees about what the user sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.placement import pixel_size

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt

__all__ = ["Eye", "eye_sampling", "prompt_sampling", "visible_box"]

TILE_ON_SCREEN = 512.0
"""Screen pixels that a tile covers, to within half an octave. Who marks an object looks at it at
30 to 130 screen pixels, and a model sees it best at 1/16 to 1/4 of a tile."""

HYSTERESIS = 0.2
"""Octaves that the zoom goes beyond the middle between two samplings before it changes them."""

FINEST = 0.25
"""Image pixels per model pixel at least: an image enlarged further shows nothing new."""

MOST_READ = 8.0
"""Pixels of the image's coarsest level along a model pixel at most: what has no coarse levels is
read at full size, and a tile must not take minutes."""


class Eye:
    """The part of an image that the model is to see at once, as the user zooms.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._kept: tuple[Hashable, int] | None = None

    def span(self, image: Image) -> float:
        """Level-0 pixels along a tile: a power of two that stays where the zoom is undecided."""
        zoom = self._viewer.scene.camera.zoom * pixel_size(image)  # screen pixels per pixel
        exact = math.log2(TILE_ON_SCREEN / zoom) if zoom > 0 else 0.0
        octave = round(exact)
        if self._kept is not None and self._kept[0] == image.unique_id:
            kept = self._kept[1]
            if abs(exact - kept) <= 0.5 + HYSTERESIS:
                octave = kept
        self._kept = image.unique_id, octave
        return 2.0**octave


def eye_sampling(span: float, size: int, image: ImageSource) -> float:
    """Choose the sampling at which a tile covers what the user looks at, where that makes sense.

    Parameters
    ----------
    span : float
        Level-0 pixels along a tile, see `Eye.span`.
    size : int
        Model pixels along a tile.
    image : ImageSource

    Returns
    -------
    float
        A power of two. Not more than where the plane fits one tile, nor more than `MOST_READ`
        pixels of the coarsest level; not less than `FINEST`, unless the whole plane is smaller.
    """
    whole = _power(math.ceil, max(image.plane_shape) / size)
    readable = _power(math.floor, MOST_READ * max(max(factors) for factors in image.factors))
    wanted = max(_power(round, span / size), FINEST)
    return min(wanted, whole, readable)


def prompt_sampling(segmenter: Segmenter, prompt: Prompt, span: float | None) -> float | None:
    """Choose the sampling of a prompt that is drawn on a view; None for the usual one."""
    from napari_sam.segmentation.sampling import choose_sampling

    if span is None:
        return None
    size = segmenter.model.config.image_size
    return choose_sampling(prompt, size, eye_sampling(span, size, segmenter.image))


def visible_box(viewer: Any, image: Image) -> tuple[float, float, float, float] | None:
    """Part of the image's plane that is on the screen in a 2D view.

    Returns
    -------
    (y0, x0, y1, x1) or None
        Level-0 pixels, tight around what may be a turned rectangle; None when nothing of the image
        is in view.
    """
    half = np.array(viewer.canvas.size) / 2 / viewer.scene.camera.zoom
    centre = np.array(viewer.scene.camera.center[-2:])
    corners = []
    for side in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        world = np.array(viewer.dims.point, dtype=np.float64)
        world[list(viewer.dims.displayed)] = centre + half * side
        corners.append(image.world_to_data(world)[-2:])
    last = np.array(image_shape(image)[-2:]) - 0.5
    y0, x0 = np.clip(np.min(corners, axis=0), -0.5, last).tolist()
    y1, x1 = np.clip(np.max(corners, axis=0), -0.5, last).tolist()
    return (y0, x0, y1, x1) if y0 < y1 and x0 < x1 else None


def _power(rounded: Any, ratio: float) -> float:
    return float(2.0 ** rounded(math.log2(ratio)))
