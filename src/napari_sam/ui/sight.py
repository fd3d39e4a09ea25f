"""What a model sees of an image: which layers, in which colours, under which limits.

It is chosen once for an image and then stays, so that the same prompt has the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image

from napari_sam.ui.backend import ImageInput
from napari_sam.ui.channel_stack import ChannelStack
from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.layer_roles import role_of
from napari_sam.ui.placement import world_matrix

if TYPE_CHECKING:
    from napari_sam.images.limits import Limits

__all__ = ["MOST_CHANNELS", "LimitsFrom", "Sight", "can_join", "first_sight", "shown_limits"]

LimitsFrom = Literal["layer", "measured", "typed"]

MOST_CHANNELS = 3
"""A model takes red, green and blue."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a model sees of an image.

    Parameters
    ----------
    layers : tuple of Image
        One is grey, or has colours of its own; two or three become red, green and blue.
    limits : tuple of (low, high)
        Intensities that become black and white, for each layer.
    limits_from : {"layer", "measured", "typed"}
        Where the limits come from: the layers' contrast at the moment of choice, a measurement
        over the whole image, or the user.
    """

    layers: tuple[Image, ...]
    limits: Limits
    limits_from: LimitsFrom = "layer"

    @property
    def is_as_shown(self) -> bool:
        """Whether the layers show the same contrast now."""
        return self.limits == tuple(shown_limits(layer) for layer in self.layers)

    def input(self) -> ImageInput:
        """Describe this to a model; no pixels are read."""
        first = self.layers[0]
        axes = "TZ"[-(first.ndim - 2) :] if 2 < first.ndim <= 4 else "ABDEFGHIJK"[: first.ndim - 2]
        key = tuple((layer.unique_id, id(layer.data)) for layer in self.layers), self.limits
        if len(self.layers) == 1:
            axes += "YXC" if first.rgb else "YX"
            data = list(first.data) if first.multiscale else first.data
            return ImageInput(key, data, axes, self.limits[0])
        levels = zip(*(_levels(layer) for layer in self.layers), strict=True)
        return ImageInput(key, [ChannelStack(level) for level in levels], f"C{axes}YX", self.limits)


def first_sight(*layers: Image) -> Sight:
    """See layers as napari shows them at this moment."""
    return Sight(layers, tuple(shown_limits(layer) for layer in layers))


def shown_limits(image: Image) -> tuple[float, float]:
    """Intensities that the layer shows black and white at this moment.

    Colour images have no contrast limits in napari: whole numbers span their type, real numbers
    0 to 1.
    """
    if not image.rgb:
        low, high = image.contrast_limits
        return float(low), float(high)
    dtype = np.dtype(image.dtype)
    return (0.0, float(np.iinfo(dtype).max)) if dtype.kind == "u" else (0.0, 1.0)


def can_join(image: Image, other: Any) -> bool:
    """Whether a layer shows another channel of the same image: as large, and in the same place."""
    return (
        isinstance(other, Image)
        and role_of(other) is None
        and not (image.rgb or other.rgb)
        and image_shape(image) == image_shape(other)
        and _shapes(image) == _shapes(other)
        and bool(np.allclose(world_matrix(image), world_matrix(other)))
    )


def _levels(image: Image) -> list[Any]:
    return list(image.data) if image.multiscale else [image.data]


def _shapes(image: Image) -> list[tuple[int, ...]]:
    return [tuple(level.shape) for level in _levels(image)]
