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

__all__ = ["empty_labels", "fits", "new_label_layer", "show_labels"]

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
