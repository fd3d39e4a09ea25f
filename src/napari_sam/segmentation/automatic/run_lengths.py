"""Masks as run lengths: the compressed form of COCO that pycocotools reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.automatic.coco_lengths import lengths_of, to_rle

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

__all__ = ["MOST_PIXELS", "decode", "encode", "encode_columns"]

MOST_PIXELS = 2**32 - 1
"""Pixels of the box of a mask at most: a run's length has 32 bits."""


def encode(mask: npt.NDArray[np.bool_]) -> bytes:
    """Compress a mask of shape (h, w) to run lengths down its columns."""
    return encode_columns(len(mask), [mask])


def encode_columns(height: int, blocks: Iterable[npt.NDArray[np.bool_]]) -> bytes:
    """Compress a mask that comes as blocks of columns, left to right.

    Parameters
    ----------
    height : int
        Rows of the mask.
    blocks : iterable of ndarray of bool, shape (height, any)
    """
    ends = []  # of the runs, which alternate and begin with background
    pixels, last = 0, False
    for block in blocks:
        flat = block.T.ravel()
        if flat[0] != last:
            ends.append(np.array([pixels]))
        ends.append(np.flatnonzero(flat[1:] != flat[:-1]) + (pixels + 1))
        pixels, last = pixels + flat.size, flat[-1]
    ends.append(np.array([pixels]))
    lengths = np.diff(np.concatenate(ends), prepend=0)
    return to_rle(lengths, (height, pixels // height))


def decode(rle: bytes, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw a mask of shape (h, w) from its run lengths."""
    lengths = lengths_of(rle)
    values = np.arange(len(lengths)) % 2 == 1
    drawn: npt.NDArray[np.bool_] = np.repeat(values, lengths).reshape(shape[::-1]).T
    return drawn
