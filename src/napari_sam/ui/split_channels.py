"""A layer with an axis of channels as one layer for each channel, as napari likes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.placement import world_matrix

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ChannelAxis", "channel_axes", "split"]

CHANNEL_NAMES = frozenset({"c", "ch", "channel", "channels"})

MOST = 12
"""Channels that an axis may have; longer ones are depth or time."""

COLOURS = ("red", "green", "blue", "magenta", "cyan", "yellow")


@dataclass(frozen=True, slots=True)
class ChannelAxis:
    """An axis of a layer that holds channels, or may do so.

    Parameters
    ----------
    axis : int
        Its position.
    name : str
        Its label.
    length : int
    is_named : bool
        Whether its label says that it holds channels.
    """

    axis: int
    name: str
    length: int
    is_named: bool


def channel_axes(image: Image) -> list[ChannelAxis]:
    """Axes of a layer that may hold channels, those that say so first."""
    found = [
        ChannelAxis(axis, label, length, label.lower() in CHANNEL_NAMES)
        for axis, (label, length) in enumerate(
            zip(image.axis_labels[:-2], image_shape(image)[:-2], strict=True)
        )
        if 2 <= length <= MOST
    ]
    return sorted(found, key=lambda each: not each.is_named)


def split(viewer: Any, image: Image, axis: int) -> list[Image]:
    """Add a layer for each channel of a layer, which is hidden; no pixels are copied.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image
        Not a colour image.
    axis : int
        The axis of its channels, not one of the last two.

    Returns
    -------
    list of Image
    """
    kept = [other for other in range(image.ndim) if other != axis]
    place = _placement(image, kept)
    start = viewer.layers.index(image) + 1
    made = []
    for channel in range(image_shape(image)[axis]):
        made.append(
            Image(
                _part(image, axis, channel),
                name=f"{image.name}, channel {channel + 1}",
                multiscale=image.multiscale,
                colormap=COLOURS[channel % len(COLOURS)],
                blending="additive" if channel else "translucent_no_depth",
                **place,
            )
        )
        viewer.layers.insert(start + channel, made[-1])
    image.visible = False
    return made


def _part(image: Image, axis: int, channel: int) -> Any:
    key = (*[slice(None)] * axis, channel)
    if image.multiscale:
        return [_lazy(level)[key] for level in image.data]
    return _lazy(image.data)[key]


def _lazy(array: Any) -> Any:
    """Array of which a part can be taken without reading it."""
    if isinstance(array, np.ndarray) or hasattr(array, "__dask_graph__"):
        return array
    from dask.array import from_array

    return from_array(array, chunks=getattr(array, "chunks", None) or "auto")


def _placement(image: Image, kept: list[int]) -> dict[str, Any]:
    """Where the axes that are kept lie in the world."""
    matrix: npt.NDArray[np.float64] = world_matrix(image)[np.ix_([*kept, -1], [*kept, -1])]
    place: dict[str, Any] = {
        "axis_labels": tuple(image.axis_labels[i] for i in kept),
        "units": tuple(image.units[i] for i in kept),
    }
    linear = matrix[:-1, :-1]
    if np.count_nonzero(linear - np.diag(np.diag(linear))):
        return {**place, "affine": matrix}
    return {**place, "scale": np.diag(linear), "translate": matrix[:-1, -1]}
