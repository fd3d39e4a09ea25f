"""One resampling step: a box of a uint8 channel to a number of pixels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt


def margin(ratio: float) -> int:
    """Source pixels that the filter reaches beyond its box, for ``ratio`` source pixels a pixel."""
    return math.ceil(max(ratio, 1.0)) + 1


def resample(
    channel: npt.NDArray[np.uint8],
    box: tuple[float, float, float, float],
    shape: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Resample a box of a channel, antialiased when it shrinks and bilinear when it grows.

    Pillow's triangle filter: its support widens with the scale, it takes boxes with fractional
    edges, and it is what the reference's preprocessing uses, so ``sampling="fit"`` agrees with
    it. Pixels around the box take part where the filter reaches them.

    Parameters
    ----------
    channel : ndarray of uint8, shape (h, w)
    box : tuple of float
        ``(y0, x0, y1, x1)`` counted from the outer corner of ``channel``, in its pixels.
    shape : tuple of int
        ``(height, width)`` of the result.

    Returns
    -------
    ndarray of uint8, shape ``shape``
    """
    y0, x0, y1, x1 = box
    height, width = shape
    image = Image.fromarray(np.ascontiguousarray(channel))
    return np.asarray(
        image.resize((width, height), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
    )
