"""What a worker's thread does about what the model sees: draw it small, measure its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.images.limits import measure_limits
from napari_sam.images.source import open_image
from napari_sam.ui.eye import eye_sampling
from napari_sam.ui.square_view import draw_square, square_around

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.limits import Limits
    from napari_sam.images.source import ImageSource
    from napari_sam.ui.backend import ImageInput

__all__ = ["PICTURE_SIDE", "draw_sight", "measure_sight"]

PICTURE_SIDE = 176
"""Pixels along the picture of what the model gets."""

TILE = 1024
"""Model pixels along a tile, of almost all models."""


def measure_sight(image: ImageInput, report: object = None) -> Limits:
    """Measure limits over the whole image, whatever those are that it is seen under.

    Raises
    ------
    InputError
        When the image cannot be read or holds values that are not finite.
    """
    del report
    return measure_limits(_open(image))


def draw_sight(
    image: ImageInput,
    plane: tuple[int, ...],
    box: tuple[float, float, float, float],
    span: float,
    report: object = None,
) -> npt.NDArray[np.uint8]:
    """Draw what a tile in the middle of the view would show.

    Parameters
    ----------
    image : ImageInput
    plane : tuple of int
    box : (y0, x0, y1, x1)
        Part of the plane in view, level-0 pixels.
    span : float
        Level-0 pixels along a tile, see `Eye.span`.

    Returns
    -------
    ndarray of uint8, shape (PICTURE_SIDE, PICTURE_SIDE, 3)
        Black beyond the image.

    Raises
    ------
    InputError
        When the image cannot be read or holds values that are not finite.
    """
    del report
    source = _open(image)
    side = min(eye_sampling(span, TILE, source) * TILE, float(max(source.plane_shape)))
    return draw_square(source, square_around(box, side, source.plane_shape, PICTURE_SIDE), plane)


def _open(image: ImageInput) -> ImageSource:
    return open_image(image.data, limits=image.limits, axes=image.axes)
