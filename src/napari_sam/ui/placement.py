"""Where an image lies in the world, so that other layers can lie exactly on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Image, Layer

__all__ = ["PLACEMENT", "move_onto", "pixel_size", "placement_of", "world_matrix"]

PLACEMENT = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""Names of the layer attributes that say where its pixels lie."""


def placement_of(image: Image) -> dict[str, Any]:
    """Arguments that put a new layer of the same dimensions exactly onto an image."""
    return {name: getattr(image, name) for name in PLACEMENT}


def move_onto(layer: Layer, image: Image) -> None:
    """Put an existing layer exactly onto an image.

    What is right already is left alone: each change has napari look at all layers again.
    """
    for name, value in placement_of(image).items():
        if not _is_same(getattr(layer, name), value):
            setattr(layer, name, value)


def pixel_size(image: Image) -> float:
    """Side of a pixel of the image's plane in world units (the mean of both sides)."""
    columns = world_matrix(image)[:-1, -3:-1]
    return float(np.linalg.norm(columns, axis=0).mean())


def world_matrix(image: Image) -> npt.NDArray[np.float64]:
    """Affine matrix from the image's level-0 pixels to the world.

    Returns
    -------
    ndarray, shape (ndim + 1, ndim + 1)
        Homogeneous; the last column is the world position of pixel 0.
    """
    ndim = image.ndim
    start = np.asarray(image.data_to_world(np.zeros(ndim)), dtype=np.float64)
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = start
    for axis, unit in enumerate(np.eye(ndim)):
        matrix[:-1, axis] = np.asarray(image.data_to_world(unit)) - start
    return matrix


def _is_same(present: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return bool(present == wanted)
    present, wanted = (getattr(value, "affine_matrix", value) for value in (present, wanted))
    return np.array_equal(present, wanted)
