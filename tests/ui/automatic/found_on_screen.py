"""What the layer of found objects shows. Loaded by path: tests are no package."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sam.ui.layer_roles import find_layer


def found_layer(session: Any) -> Any:
    return find_layer(session.viewer, session.image, "found")


def drawn(session: Any) -> np.ndarray:
    """Found objects on the screen, at the image's pixels."""
    layer = found_layer(session)
    if layer is None or not layer.visible:
        return np.zeros(session.image.data.shape[-2:], bool)
    shape = session.image.data.shape[-2:]
    places = np.argwhere(layer.data > 0)
    world = np.array([layer.data_to_world(place) for place in places])
    at = np.array([session.image.world_to_data(place)[-2:] for place in world]).round().astype(int)
    picture = np.zeros(shape, bool)
    if len(at):
        picture[tuple(at.T)] = True
    return picture
