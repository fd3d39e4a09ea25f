"""A square part of an image, drawn small as the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.images.tiles import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.images.source import ImageSource

__all__ = ["draw_square", "square_around"]


def square_around(
    box: Sequence[float] | npt.NDArray[np.float64],
    side: float,
    plane_shape: tuple[int, int],
    size: int,
) -> Window:
    """Square window around the middle of a box, on the plane where it can be.

    Parameters
    ----------
    box : (y0, x0, y1, x1)
        Level-0 pixels, pixel centres at integers.
    side : float
        Level-0 pixels along the window.
    plane_shape : tuple of int
    size : int
        Pixels along the picture.
    """
    y, x = (
        min(max((low + high + 1 - side) / 2, 0.0), max(length - side, 0.0))
        for low, high, length in zip(box[:2], box[2:], plane_shape, strict=True)
    )
    return Window((y, x), (side / size, side / size), size)


def draw_square(
    source: ImageSource, window: Window, plane: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Draw a window, black beyond the image.

    Returns
    -------
    ndarray of uint8, shape (window.size, window.size, 3)

    Raises
    ------
    InputError
        When the image cannot be read or holds values that are not finite.
    """
    drawn = np.moveaxis(source.render(window, plane), 0, -1)
    picture = np.zeros((window.size, window.size, 3), np.uint8)
    picture[: drawn.shape[0], : drawn.shape[1]] = drawn
    return picture
