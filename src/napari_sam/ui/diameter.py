"""How large the objects usually are: typed, drawn with a line, or taken from accepted objects."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.errors import InputError
from napari_sam.ui.layer_roles import find_image, find_layer, metadata_for
from napari_sam.ui.placement import pixel_size, placement_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Image, Shapes

    from napari_sam.segmentation.session.object_row import ObjectRow
    from napari_sam.ui.session import Session

__all__ = ["Diameter", "usual_diameter"]

COLOUR = "#3fd7ff"

EDGE_SCREEN_WIDTH = 3.0
"""Width of the line on the screen, in screen pixels."""


class Diameter:
    """The usual diameter of the objects in an image.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        It is another one now.
    value : float or None
        Level-0 pixels; None when it is not known.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._viewer = session.viewer
        self._ruler: Shapes | None = None
        self.value: float | None = None
        self._viewer.layers.events.removed.connect(self._on_removed)

    def set(self, value: float | None) -> None:
        """Take a diameter in level-0 pixels, or None for an unknown one."""
        value = None if value is None or value <= 0 else float(value)
        if value != self.value:
            self.value = value
            self.changed.emit()

    def measure(self) -> None:
        """Let the user draw a line across an object; its length is the diameter from then on."""
        image = self._session.image
        if image is None:
            self._session.refuse(InputError("there is no image: open one first"))
            return
        ruler = find_layer(self._viewer, image, "ruler")
        if ruler is None:
            ruler = _new_ruler(self._viewer, image)
        if ruler is not self._ruler:
            self._let_go()
            self._ruler = ruler
            ruler.events.data.connect(self._on_drawn)
        with ruler.events.data.blocker():
            ruler.data = []
        ruler.visible = True
        self._viewer.layers.selection.active = ruler
        ruler.current_edge_width = _edge_width(self._viewer, image)
        ruler.mode = "add_line"
        self._session.say("Draw a line across an object of usual size.")

    def hide(self) -> None:
        """Put the line away; the layer stays for the next time."""
        if self._ruler is not None and self._ruler in self._viewer.layers:
            self._ruler.mode = "pan_zoom"
            self._ruler.visible = False

    def estimate(self) -> None:
        """Take the usual diameter of the objects that there are."""
        value = usual_diameter(self._session.objects.rows.values())
        if value is None:
            self._session.refuse(
                InputError(
                    "there are no objects to take the diameter from: accept about three on the "
                    "page Click first, or press Measure and draw a line across one"
                )
            )
            return
        self.set(round(value, 1))

    def close(self) -> None:
        """Let go of viewer and layer; the layer stays."""
        self._let_go()
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_drawn(self, event: Any) -> None:
        if getattr(event, "action", None) in ("adding", "removing", "changing"):
            return
        ruler = self._ruler
        image = None if ruler is None else find_image(self._viewer, ruler)
        if ruler is None or image is None or not len(ruler.data):
            return
        ends = [image.world_to_data(ruler.data_to_world(end))[-2:] for end in ruler.data[-1]]
        length = float(np.linalg.norm(np.subtract(ends[-1], ends[0])))
        if length >= 1:
            self.set(round(length, 1))

    def _on_removed(self, event: Any) -> None:
        if event.value is self._ruler:
            self._let_go()

    def _let_go(self) -> None:
        if self._ruler is not None:
            self._ruler.events.data.disconnect(self._on_drawn)
            self._ruler = None


def usual_diameter(rows: Iterable[ObjectRow]) -> float | None:
    """Median of the diameters of discs with the objects' areas; None without objects."""
    areas = [row.area for row in rows if row.area > 0]
    return 2 * math.sqrt(median(areas) / math.pi) if areas else None


def _new_ruler(viewer: Any, image: Image) -> Shapes:
    from napari.layers import Shapes

    ruler = Shapes(
        ndim=image.ndim,
        name=f"{image.name} diameter",
        edge_color=COLOUR,
        edge_width=_edge_width(viewer, image),
        opacity=1.0,
        metadata=metadata_for("ruler", image),
        **placement_of(image),
    )
    viewer.add_layer(ruler)
    return ruler


def _edge_width(viewer: Any, image: Image) -> float:
    zoom = viewer.scene.camera.zoom  # screen pixels per world unit
    return float(np.clip(EDGE_SCREEN_WIDTH / (zoom * pixel_size(image)), 1e-3, 1e6))
