"""Shows what was painted into the array of a Labels layer, at the cost of what changed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy.typing as npt
    from napari.layers import Labels

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["drawn_as_empty", "is_shown", "show_all", "show_part", "shows_array"]

SMALL = 1_000_000
"""Pixels of labels that are drawn anew as a whole, thumbnail and all, in a few milliseconds."""


def drawn_as_empty(layer: Any) -> AbstractContextManager[None]:
    """Let napari draw a layer whose pixels are all 0 without looking at each of them.

    napari makes a colour index of every pixel, several times while a layer is added, and has no
    public way to be told that they are 0. What it draws is the same.
    """
    return _drawn_as(layer, lambda raw: np.zeros(raw.shape, layer._slice_dtype()))


def show_all(layer: Labels) -> None:
    """Draw the plane in view anew; costs what the plane costs."""
    small = shows_array(layer) and layer.data.size <= SMALL
    layer.refresh(extent=False, thumbnail=small, highlight=False)


def show_part(layer: Labels, plane: Sequence[int], box: Box) -> None:
    """Show what changed in a box of a plane.

    napari has no public way to draw a part of a layer anew, and drawing a plane of 8,000 pixels a
    side takes half a second. So this does what its brush does, and draws everything where that
    is not possible: in 3D, with rolled axes, of levels, and when napari works differently.

    Parameters
    ----------
    layer : Labels
    plane : sequence of int
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    """
    if not layer.visible or not is_shown(layer, plane):
        return  # napari reads it all when it comes into view
    is_large = shows_array(layer) and layer.data.size > SMALL
    if not is_large or not _show_texture_part(layer, box):
        show_all(layer)


def shows_array(layer: Labels) -> bool:
    """Whether a layer shows one array in memory: what is not ours, or not on disk."""
    return not layer.multiscale and isinstance(layer.data, np.ndarray)


def is_shown(layer: Labels, plane: Sequence[int]) -> bool:
    """Whether a plane of the layer is in view; True as well when that cannot be told."""
    try:
        shown = layer._slice_input  # nothing public tells what a layer shows
        if shown.ndisplay != 2 or list(shown.displayed) != [layer.ndim - 2, layer.ndim - 1]:
            return True
        point = layer.world_to_data(shown.world_slice.point)
    except AttributeError:
        return True
    return tuple(np.rint(point[:-2]).astype(int)) == tuple(plane)


def _show_texture_part(layer: Any, box: Box) -> bool:
    """Draw a box of the plane in view into the texture; False when that is not possible."""
    try:
        shown = layer._slice_input  # nothing public tells what a layer shows
        if shown.ndisplay != 2 or list(shown.displayed) != [layer.ndim - 2, layer.ndim - 1]:
            return False
        drawn = layer._slice.image
        if not layer.loaded or layer._slice.empty or drawn.raw.shape != layer.data.shape[-2:]:
            return False
        room = max(0, int(layer.contour))  # outlines are drawn from pixels around, too
        height, width = drawn.raw.shape
        part = (
            slice(max(0, box[0] - room), min(height, box[2] + room)),
            slice(max(0, box[1] - room), min(width, box[3] + room)),
        )
        if not np.shares_memory(drawn.raw, layer.data):
            plane = np.rint(layer.world_to_data(shown.world_slice.point)[:-2]).astype(int)
            drawn.raw[part] = layer.data[(*plane, *part)]
        texture = layer._raw_to_displayed(drawn.raw, data_slice=part)
        drawn.view[part] = texture
        with _drawn_as(layer, lambda _: drawn.view):  # before its first drawing napari wants all
            layer.events.labels_update(data=texture, offset=[part[0].start, part[1].start])
    except (AttributeError, TypeError):
        return False
    return True


@contextmanager
def _drawn_as(layer: Any, texture_of: Callable[[Any], npt.NDArray[Any]]) -> Iterator[None]:
    """Let napari take colour indices that are known instead of making them of every pixel.

    Parameters
    ----------
    layer : Labels
    texture_of : callable
        Makes those of a plane or volume.
    """
    by_napari: Callable[..., Any] | None = getattr(layer, "_raw_to_displayed", None)
    if by_napari is None or not hasattr(layer, "_slice_dtype"):
        yield  # another napari than the one we know: it does all of the work
        return

    def known(raw: Any, data_slice: tuple[slice, ...] | None = None) -> Any:
        return texture_of(raw) if data_slice is None else by_napari(raw, data_slice=data_slice)

    layer._raw_to_displayed = known
    try:
        yield
    finally:
        vars(layer).pop("_raw_to_displayed", None)
