"""The Labels layer that accepted objects go into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.layer_roles import PROMPTS, add_below, find_layer, metadata_for
from napari_sam.ui.placement import placement_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Labels

__all__ = ["check_size", "empty_labels", "fits", "new_label_layer", "show_labels"]

MAX_SIDE = 16_384
"""Longest side of a plane whose labels napari can show: the usual limit of OpenGL textures."""

THUMBNAIL_PIXELS = 4_000_000
"""Labels up to this size get a new thumbnail with every object; napari reads all pixels for it."""


def fits(labels: Labels, image: Image) -> bool:
    """Whether objects of an image can be painted into a layer: in memory, of the same shape."""
    return (
        not labels.multiscale
        and isinstance(labels.data, np.ndarray)
        and tuple(labels.data.shape) == image_shape(image)
    )


def empty_labels(image: Image) -> npt.NDArray[np.uint32]:
    """Array for the objects of an image; memory is taken only where something is painted.

    For an image that `check_size` refuses it is one zero, seen everywhere: prompts are answered.

    Raises
    ------
    InputError
        When the system refuses an array of this size.
    """
    shape = image_shape(image)
    if max(shape[-2:]) > MAX_SIDE:
        return np.broadcast_to(np.zeros((), np.uint32), shape)
    try:
        return np.zeros(shape, np.uint32)
    except MemoryError:
        raise InputError(
            f"labels for an image of shape {shape} do not fit into memory: crop the image, or "
            "choose a smaller one"
        ) from None


def check_size(image: Image) -> None:
    """Refuse to paint objects of an image that is too large for a layer of labels in memory.

    Raises
    ------
    InputError
        When a side of its planes is longer than `MAX_SIDE`.
    """
    height, width = image_shape(image)[-2:]
    if max(height, width) > MAX_SIDE:
        raise InputError(
            f"objects in an image of {height} x {width} pixels cannot be kept in napari yet, only "
            f"up to {MAX_SIDE} along a side: crop the image, or use 'napari-sam predict' with "
            "-o labels.zarr"
        )


def new_label_layer(viewer: Any, image: Image, labels: npt.NDArray[Any]) -> Labels:
    """Show an array as a new layer on an image, below its prompts and its preview."""
    from napari.layers import Labels

    layer = Labels(
        labels,
        name=f"{image.name} objects",
        metadata=metadata_for("labels", image),
        **placement_of(image),
    )
    above = [find_layer(viewer, image, role) for role in (*PROMPTS, "preview")]
    add_below(viewer, layer, above)
    return layer


def show_labels(layer: Labels) -> None:
    """Show what was painted into the layer's array."""
    small = layer.data.size <= THUMBNAIL_PIXELS
    layer.refresh(extent=False, thumbnail=small, highlight=False)
