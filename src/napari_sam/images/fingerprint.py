"""Whether two images are the same, without reading all of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_sam.images.source import ImageSource

BLOCK = 64
"""Side of a block that is hashed, in pixels."""

BLOCKS = 16
"""Blocks of level 0 that are hashed in each of up to `PLANES` planes."""

PLANES = 4
"""Planes that are looked at, the first and the last among them."""

WHOLE = 2**22
"""Pixels up to which a level is hashed whole: small images, coarsest levels of pyramids."""


def fingerprint(image: ImageSource) -> str:
    """Hash an image's shape, type and a deterministic sample of its pixels.

    Small planes count whole. Of larger ones the coarsest level counts whole where it is small,
    which sees a change anywhere, and blocks spread over level 0.

    Returns
    -------
    str
        Hexadecimal sha256.
    """
    digest = hashlib.sha256(repr((image.shape, str(image.dtype), image.axes.names)).encode())
    total = int(np.prod(image.planes, dtype=np.int64))
    for pick in sorted({int(i) for i in np.linspace(0, total - 1, min(PLANES, total))}):
        plane = tuple(int(i) for i in np.unravel_index(pick, image.planes)) if image.planes else ()
        for level, box in _boxes(image):
            digest.update(np.ascontiguousarray(image.read(plane, level, box)).tobytes())
    return digest.hexdigest()


def _boxes(image: ImageSource) -> list[tuple[int, tuple[int, int, int, int]]]:
    coarsest = image.n_levels - 1
    boxes = []
    height, width = image.level_shape(coarsest)
    if height * width <= WHOLE:
        boxes.append((coarsest, (0, 0, height, width)))
        if coarsest == 0:
            return boxes
    height, width = image.plane_shape
    side = int(BLOCKS**0.5)
    for row in range(side):
        for column in range(side):
            y = int((row + 0.5) * height / side) - BLOCK // 2
            x = int((column + 0.5) * width / side) - BLOCK // 2
            boxes.append((0, (max(y, 0), max(x, 0), y + BLOCK, x + BLOCK)))
    return boxes
