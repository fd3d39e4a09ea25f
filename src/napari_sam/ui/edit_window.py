"""A part of labels on disk to paint in by hand, with napari's own brush.

napari cannot paint into levels. So a box of level 0 is copied into a layer of its own; what was
painted there is kept in one step when the window is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.labels.blocks import read
from napari_sam.segmentation.labels.patch import tight, within
from napari_sam.ui.layer_roles import find_layer, metadata_for
from napari_sam.ui.placement import world_matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from napari.layers import Image, Labels

    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.mask_grid import Box

    Repaint = Callable[[tuple[int, ...], Box, npt.NDArray[Any]], bool]

__all__ = ["WINDOW_SIDE", "EditWindow", "window_box"]

WINDOW_SIDE = 2_048
"""Longest side of a window in pixels: its brush is as quick as that of a small image."""


def window_box(view: tuple[float, float, float, float], plane_shape: tuple[int, int]) -> Box:
    """Pixels of a view that a window can hold: all of it, or the middle.

    Parameters
    ----------
    view : tuple of float
        ``(y0, x0, y1, x1)`` of what is in view, level-0 pixels.
    plane_shape : tuple of int
    """
    spans = []
    for start, stop, length in zip(view[:2], view[2:], plane_shape, strict=True):
        side = min(length, WINDOW_SIDE, max(1, int(np.ceil(stop - start))))
        first = int(np.floor((start + stop - side) / 2))
        first = min(max(0, first), length - side)
        spans.append((first, first + side))
    (y0, y1), (x0, x1) = spans
    return y0, x0, y1, x1


class EditWindow:
    """A box of labels to paint in.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image
        Whose labels these are.
    labels : zarr array of int
        Level 0; only read here.
    plane : tuple of int
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels.
    new_id : int
        What the brush paints at first.

    Attributes
    ----------
    layer : Labels
        Made once for an image, hidden afterwards.
    """

    def __init__(
        self,
        viewer: Any,
        image: Image,
        labels: LabelArray,
        plane: tuple[int, ...],
        box: Box,
        new_id: int,
    ) -> None:
        self.plane, self.box = plane, box
        self._labels = labels
        self._before = np.array(read(labels, plane, box))
        self.layer = _window_layer(viewer, image, self._before, (*plane, *box[:2]))
        self.layer.selected_label = new_id
        viewer.layers.selection.active = self.layer
        self.layer.mode = "paint"

    @property
    def pixels(self) -> npt.NDArray[Any]:
        """What the window shows."""
        data: npt.NDArray[Any] = self.layer.data
        return data.reshape(data.shape[-2:])

    def follow(self, plane: tuple[int, ...], box: Box) -> None:
        """Take over what changed on disk, where nothing was painted by hand."""
        y0, x0 = self.box[:2]
        part = (
            slice(max(0, box[0] - y0), max(0, min(self.box[2], box[2]) - y0)),
            slice(max(0, box[1] - x0), max(0, min(self.box[3], box[3]) - x0)),
        )
        before, now = self._before[part], self.pixels[part]
        if plane != self.plane or not now.size:
            return
        stored = read(
            self._labels,
            plane,
            (part[0].start + y0, part[1].start + x0, part[0].stop + y0, part[1].stop + x0),
        )
        untouched = now == before
        now[untouched] = stored[untouched]
        before[...] = stored
        self.layer.refresh(extent=False, thumbnail=False, highlight=False)

    def keep(self, repaint: Repaint) -> bool:
        """Hand over what was painted; returns whether it was kept, or there was nothing.

        Parameters
        ----------
        repaint : callable
            Called with plane, box and pixels; returns whether it painted them.
        """
        inside = tight(self.pixels != self._before)
        if inside is None:
            return True
        kept = repaint(self.plane, within(self.box, inside), self.pixels[inside].copy())
        if kept:
            self._before = self.pixels.copy()
        return kept

    def hide(self) -> None:
        """Put the window away; the layer stays for the next one."""
        self.layer.mode = "pan_zoom"
        self.layer.visible = False


def _window_layer(
    viewer: Any, image: Image, pixels: npt.NDArray[Any], origin: tuple[int, ...]
) -> Labels:
    from napari.layers import Labels

    ndim = image.ndim
    shift = np.eye(ndim + 1)
    shift[:-1, -1] = origin
    affine = world_matrix(image) @ shift
    data = pixels.reshape((*[1] * (ndim - 2), *pixels.shape)).copy()
    layer: Labels | None = find_layer(viewer, image, "edit")
    if layer is None:
        layer = Labels(
            data,
            name=f"{image.name} by hand",
            units=image.units,
            axis_labels=image.axis_labels,
            affine=affine,
            metadata=metadata_for("edit", image),
        )
        viewer.add_layer(layer)
        return layer
    layer.data = data
    layer.affine = affine
    layer.visible = True
    return layer
