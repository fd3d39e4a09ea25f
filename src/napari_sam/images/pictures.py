"""PNG, JPEG and other pictures, through Pillow."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.contents import Contents

if TYPE_CHECKING:
    from pathlib import Path


def read_picture(file: Path) -> Contents:
    """Read a picture into memory, as grey or RGB.

    Raises
    ------
    InputError
        When it has more pixels than Pillow agrees to unpack.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(file)
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise InputError(
            f"{file} has more than {limit:.0f} million pixels, too many for a picture that can "
            "only be read whole: convert it to a tiled TIFF or to OME-Zarr"
        ) from None
    with picture:
        if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
            array = np.asarray(picture.convert("RGB"))
        elif picture.mode == "LA":
            array = np.asarray(picture.getchannel("L"))
        else:
            array = np.asarray(picture)
    return Contents((array,), axes="YXC" if array.ndim == 3 else "YX", is_rgb=array.ndim == 3)
