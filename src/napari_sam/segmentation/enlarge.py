"""From the decoder's resolution to level 0, for one mask, inside its own box."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam.images.tiles import Window
from napari_sam.segmentation.mask_grid import bounding_box, draw
from napari_sam.segmentation.run_lengths import MOST_PIXELS, encode_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["Enlarged", "enlarge"]

DRAWN_AT_ONCE = 2**24
"""Pixels that are drawn at once; a larger mask comes in blocks of columns."""


class Enlarged(NamedTuple):
    """A mask at level 0.

    Attributes
    ----------
    box : tuple of int
        Tight, ``(y0, x0, y1, x1)``, half-open.
    rle : bytes
        Run lengths inside the box.
    area : int
        Pixels.
    """

    box: Box
    rle: bytes
    area: int


def enlarge(
    logits: npt.NDArray[np.float32], window: Window, plane_shape: tuple[int, int]
) -> Enlarged | None:
    """Draw a mask at level 0; None of one that holds no pixel, or too many for run lengths.

    Parameters
    ----------
    logits : ndarray of float32, shape (M, M)
        Over the window.
    window : Window
    plane_shape : tuple of int
        ``(height, width)`` of the plane, level-0 pixels.
    """
    box = bounding_box(logits, window, plane_shape)
    if box is None or (box[2] - box[0]) * (box[3] - box[1]) > MOST_PIXELS:
        return None
    rows = np.zeros(box[2] - box[0], np.bool_)
    columns, area = [], 0
    for block in _blocks(logits, window, box):
        rows |= block.any(axis=1)
        columns.append(block.any(axis=0))
        area += int(np.count_nonzero(block))
    if not area:
        return None
    (top, bottom), (left, right) = _span(rows), _span(np.concatenate(columns))
    tight = box[0] + top, box[1] + left, box[0] + bottom, box[1] + right
    if len(columns) == 1:
        blocks = iter([block[top:bottom, left:right]])
    else:
        blocks = _blocks(logits, window, tight)
    return Enlarged(tight, encode_columns(bottom - top, blocks), area)


def _blocks(
    logits: npt.NDArray[np.float32], window: Window, box: Box
) -> Iterator[npt.NDArray[np.bool_]]:
    """Draw a box block by block, each of some of its columns.

    Lying on its side, so that memory holds column after column, as run lengths have them.
    """
    y0, x0, y1, x1 = box
    turned = Window(window.origin[::-1], window.sampling[::-1], window.size)
    step = max(1, DRAWN_AT_ONCE // (y1 - y0))
    for start in range(x0, x1, step):
        part = (start, y0, min(start + step, x1), y1)
        yield (draw(logits.T[np.newaxis], turned, part)[0] > 0).T


def _span(hits: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """First hit and the place after the last."""
    places = np.flatnonzero(hits)
    return int(places[0]), int(places[-1]) + 1
