"""Shows on the canvas where a click answers at once: one small layer, hidden by default."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.ui.layer_roles import add_below, find_image, find_layer, metadata_for, role_of
from napari_sam.ui.placement import world_matrix
from napari_sam.ui.preview import show_buffer

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_sam.ui.asking import TilesInView
    from napari_sam.ui.layer_roles import Role
    from napari_sam.ui.session import Session

__all__ = ["ReadyOverlay"]

SIDE = 512
"""Side of the layer's buffer in its own pixels; the tiles in view are drawn into it."""

NOT_YET, READY = 1, 2
NOTHING = (0.0, 0.0, 0.0, 0.0)
COLOURS = {
    None: NOTHING,
    0: NOTHING,
    NOT_YET: (0.6, 0.6, 0.6, 0.14),
    READY: (0.2, 0.85, 0.4, 0.16),
}

ABOVE: tuple[Role, ...] = ("points", "boxes", "labels", "preview")
"""Our layers that it does not cover."""


class ReadyOverlay:
    """Tiles in view: those that are ready green, the others grey.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        It was switched on or off.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._visible = False
        session.background.changed.connect(self._draw)
        session.image_watch.moved.connect(self._draw)
        session.image_watch.turned.connect(self._on_turned)
        session.viewer.layers.events.removed.connect(self._on_removed)

    @property
    def visible(self) -> bool:
        """Whether the tiles are shown, as soon as there are any."""
        return self._visible

    @visible.setter
    def visible(self, visible: bool) -> None:
        if visible != self._visible:
            self._visible = visible
            self._draw()
            self.changed.emit()

    def close(self) -> None:
        """Hide the layer and let go of the viewer."""
        session = self._session
        self._hide(session.image)
        session.background.changed.disconnect(self._draw)
        session.image_watch.moved.disconnect(self._draw)
        session.image_watch.turned.disconnect(self._on_turned)
        session.viewer.layers.events.removed.disconnect(self._on_removed)

    def _draw(self) -> None:
        image, tiles = self._session.image, self._session.background.tiles
        if image is None or image not in self._session.viewer.layers:
            return
        if not self._visible or tiles is None or not tiles.cores:
            self._hide(image)
            return
        layer = find_layer(self._session.viewer, image, "ready")
        if layer is None:
            layer = _new_layer(self._session.viewer, image)
        _fill(layer, image, tiles)

    def _hide(self, image: Image | None) -> None:
        layer = None if image is None else find_layer(self._session.viewer, image, "ready")
        if layer is not None and layer.visible:
            layer.visible = False

    def _on_turned(self, before: Image | None) -> None:
        self._hide(before)
        self._draw()

    def _on_removed(self, event: Any) -> None:
        """Take it as switched off when the user deletes the layer."""
        layer = event.value
        image = find_image(self._session.viewer, layer)
        if role_of(layer) == "ready" and image is not None and image is self._session.image:
            self.visible = False


def _fill(layer: Labels, image: Image, tiles: TilesInView) -> None:
    cores = np.array(tiles.cores) + 0.5  # edges, counted from the image's outer corner
    y0, x0 = np.floor(cores[:, :2].min(axis=0)).astype(int)
    extent = (cores[:, 2:].max(axis=0) - (y0, x0)).max()
    step = 2.0 ** math.ceil(math.log2(max(extent, 1) / SIDE))
    buffer = layer.data.reshape(SIDE, SIDE)
    buffer[:] = 0
    for core, is_ready in zip(cores, tiles.ready, strict=True):
        top, left, bottom, right = np.rint((core - (y0, x0, y0, x0)) / step).astype(int)
        # A gap of one pixel tells neighbours apart.
        buffer[top : max(bottom - 1, top + 1), left : max(right - 1, left + 1)] = (
            READY if is_ready else NOT_YET
        )
    show_buffer(layer, image, (*tiles.plane, int(y0), int(x0)), step)


def _new_layer(viewer: Any, image: Image) -> Labels:
    from napari.layers import Labels
    from napari.utils import DirectLabelColormap

    layer = Labels(
        np.zeros((*[1] * (image.ndim - 2), SIDE, SIDE), np.uint8),
        name=f"{image.name} tiles",
        colormap=DirectLabelColormap(color_dict=COLOURS),
        opacity=1.0,
        units=image.units,
        axis_labels=image.axis_labels,
        affine=world_matrix(image),
        metadata=metadata_for("ready", image),
    )
    layer.editable = False
    others = [find_layer(viewer, image, role) for role in ABOVE]
    add_below(viewer, layer, others)
    return layer
