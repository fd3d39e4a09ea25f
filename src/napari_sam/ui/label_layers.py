"""The Labels layer that accepted objects go into: which kind an image needs, and making it."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.label_display import drawn_as_empty, shows_array
from napari_sam.ui.layer_roles import PROMPTS, add_below, find_layer, metadata_for
from napari_sam.ui.placement import placement_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Labels

__all__ = ["empty_labels", "fits", "needs_pyramid", "new_label_layer"]

ARRAY_SIDE = 8_192
"""Longest side of a plane whose objects are kept in one array: its texture fits every graphics
card, and napari paints it in milliseconds."""

ARRAY_BYTES = 4 * 2**30
"""Largest array of objects; memory is taken only where something is painted."""

ONE_LEVEL = 1_024
"""Longest side of a plane that needs no coarser levels, whatever its image has."""


def needs_pyramid(image: Image) -> bool:
    """Whether the objects of an image go into a pyramid on disk instead of an array."""
    shape = image_shape(image)
    longest = max(shape[-2:])
    if longest > ARRAY_SIDE or 4 * math.prod(shape) > ARRAY_BYTES:
        return True
    return bool(image.multiscale) and longest > ONE_LEVEL


def fits(labels: Labels, image: Image) -> bool:
    """Whether the user can pick a layer for an image's objects: one array, of the same shape."""
    return shows_array(labels) and tuple(labels.data.shape) == image_shape(image)


def empty_labels(image: Image) -> npt.NDArray[np.uint32]:
    """Array for the objects of an image; memory is taken only where something is painted.

    Raises
    ------
    InputError
        When the system refuses an array of this size.
    """
    shape = image_shape(image)
    try:
        return np.zeros(shape, np.uint32)
    except MemoryError:
        raise InputError(
            f"labels for an image of shape {shape} do not fit into memory: crop the image, or "
            "choose a smaller one"
        ) from None


def new_label_layer(
    viewer: Any, image: Image, data: Any, *, multiscale: bool = False, is_empty: bool = False
) -> Labels:
    """Show labels as a new layer on an image, below its prompts and its preview.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image
    data : ndarray of int, or list of arrays
        The labels, or their levels from fine to coarse.
    multiscale : bool
        Whether these are levels.
    is_empty : bool
        Whether it is known that there is no object yet, so that napari need not look at every
        pixel, which takes it most of a second in a plane of 8,192 pixels a side.
    """
    from napari.layers import Labels

    layer = Labels(
        data,
        multiscale=multiscale,
        name=f"{image.name} objects",
        metadata=metadata_for("labels", image),
        visible=not is_empty,  # what is hidden is not drawn
        **placement_of(image),
    )
    above = [find_layer(viewer, image, role) for role in (*PROMPTS, "preview")]
    with drawn_as_empty(layer) if is_empty else nullcontext():
        layer.visible = True
        add_below(viewer, layer, above)
    return layer
