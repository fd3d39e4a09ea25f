"""A Labels layer over a label pyramid on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.labels.blocks import read
from napari_sam.ui.label_display import show_part
from napari_sam.ui.label_layers import new_label_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image, Labels

    from napari_sam.segmentation.labels.pyramid import LabelPyramid
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["PyramidLayer"]


class PyramidLayer:
    """Keeps a layer in step with the pyramid that it shows.

    Of a single plane napari reads the coarsest level once and for all. So it gets a copy in
    memory, and what changes on disk is read into that.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image
    pyramid : LabelPyramid
    layer : Labels, optional
        One that shows this pyramid already.

    Attributes
    ----------
    layer : Labels
    pyramid : LabelPyramid
    """

    def __init__(
        self, viewer: Any, image: Image, pyramid: LabelPyramid, layer: Labels | None = None
    ) -> None:
        self.pyramid = pyramid
        self._coarsest: Any = None
        if layer is not None:
            self.layer = layer
            self._coarsest = layer.data[-1] if layer.multiscale else None
            return
        levels: list[Any] = list(pyramid.levels)
        if len(levels) == 1:  # many small planes; napari knows no list of one level
            self.layer = new_label_layer(viewer, image, levels[0])
            self.layer.editable = False
            return
        if levels[-1].ndim == 2:
            levels[-1] = np.asarray(levels[-1][:])
        self._coarsest = levels[-1]
        self.layer = new_label_layer(viewer, image, levels, multiscale=True)

    def show_part(self, plane: Sequence[int], box: Box) -> None:
        """Show what changed in a box of level-0 pixels of a plane."""
        stored = self.pyramid.levels[-1]
        if isinstance(self._coarsest, np.ndarray):
            part = self._on_coarsest(box)
            y0, x0, y1, x1 = part
            self._coarsest[y0:y1, x0:x1] = read(stored, (), part)
        show_part(self.layer, plane, box)

    def _on_coarsest(self, box: Box) -> Box:
        """Pixels of the coarsest level that a box may reach, one more on every side."""
        spans = []
        for axis in (0, 1):
            length, short = self.pyramid.shape[axis - 2], self._coarsest.shape[axis]
            factor = length / short
            start, stop = box[axis] / factor - 1, box[axis + 2] / factor + 2
            spans.append((max(0, int(start)), min(short, int(stop))))
        (y0, y1), (x0, x1) = spans
        return y0, x0, y1, x1
