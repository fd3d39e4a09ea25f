"""The layers that prompts are drawn on: points for clicks, rectangles for boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.layer_roles import find_image, find_layer, metadata_for, role_of
from napari_sam.ui.placement import pixel_size, placement_of
from napari_sam.ui.polarity import COLOURS, FEATURE, POLARITIES, attach_polarity

if TYPE_CHECKING:
    from napari.layers import Image, Points, Shapes

__all__ = ["box_layer", "fit_edge_width", "point_layer", "target_image"]

POINT_SCREEN_SIZE = (10, 18)
"""Smallest and largest diameter of a point on the screen, in screen pixels."""

EDGE_SCREEN_WIDTH = 2.5
"""Width of a box's edge on the screen, in screen pixels."""

BOX_COLOUR = "#ffd21f"


def target_image(viewer: Any) -> Image | None:
    """Image that a new prompt layer is for.

    The selected image, or the image of the selected prompt layer, or else the topmost image,
    visible ones first.
    """
    from napari.layers import Image

    active = viewer.layers.selection.active
    if isinstance(active, Image):
        return active
    if role_of(active) is not None and (image := find_image(viewer, active)) is not None:
        return image
    images = [layer for layer in reversed(viewer.layers) if isinstance(layer, Image)]
    chosen = [image for image in images if image in viewer.layers.selection]
    visible = [image for image in images if image.visible]
    return next(iter(chosen or visible or images), None)


def point_layer(viewer: Any, image: Image) -> Points:
    """Select the image's layer of point prompts, ready to click on; make it when there is none."""
    points = find_layer(viewer, image, "points")
    if points is None:
        points = _new_point_layer(viewer, image)
    _make_active(viewer, points, "add")
    return points


def box_layer(viewer: Any, image: Image) -> Shapes:
    """Select the image's layer of box prompts, ready to draw on; make it when there is none."""
    boxes = find_layer(viewer, image, "boxes")
    if boxes is None:
        boxes = _new_box_layer(viewer, image)
    _make_active(viewer, boxes, "add_rectangle")
    return boxes


def fit_edge_width(viewer: Any, boxes: Shapes, image: Image) -> None:
    """Keep the edges of boxes equally wide on the screen at any zoom."""
    width = _edge_width(viewer, image)
    # The setter of the width for new boxes also changes the selected one; set all others too.
    boxes.current_edge_width = width
    if boxes.nshapes:
        boxes.edge_width = width


def _new_point_layer(viewer: Any, image: Image) -> Points:
    import pandas as pd
    from napari.layers import Points

    points = Points(
        ndim=image.ndim,
        name=f"{image.name} points",
        features=pd.DataFrame({FEATURE: pd.Categorical([], categories=POLARITIES)}),
        feature_defaults={FEATURE: POLARITIES[0]},
        face_color=FEATURE,
        face_color_cycle=list(COLOURS),
        border_color="white",
        border_width=0.15,
        canvas_size_limits=POINT_SCREEN_SIZE,
        metadata=metadata_for("points", image),
        **placement_of(image),
    )
    attach_polarity(points)
    viewer.add_layer(points)
    return points


def _new_box_layer(viewer: Any, image: Image) -> Shapes:
    from napari.layers import Shapes

    boxes = Shapes(
        ndim=image.ndim,
        name=f"{image.name} boxes",
        edge_color=BOX_COLOUR,
        edge_width=_edge_width(viewer, image),
        face_color="transparent",
        opacity=1.0,
        metadata=metadata_for("boxes", image),
        **placement_of(image),
    )
    viewer.add_layer(boxes)
    return boxes


def _edge_width(viewer: Any, image: Image) -> float:
    zoom = viewer.scene.camera.zoom  # screen pixels per world unit
    return float(np.clip(EDGE_SCREEN_WIDTH / (zoom * pixel_size(image)), 1e-3, 1e6))


def _make_active(viewer: Any, layer: Any, mode: str) -> None:
    layer.visible = True
    viewer.layers.selection.active = layer
    layer.mode = mode
