"""From the decoder's resolution to level 0, for one mask: its run lengths without drawing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_sam.segmentation.automatic.run_lengths import MOST_PIXELS, to_rle
from napari_sam.segmentation.mask_grid import bounding_box, pixel_pitch

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.tiles import Window
    from napari_sam.segmentation.mask_grid import Box

    Places = npt.NDArray[np.int64]

__all__ = ["Enlarged", "enlarge"]


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
    """Enlarge a mask to level 0; None of one that holds no pixel, or too many for run lengths.

    The pixels are those of `napari_sam.segmentation.mask_grid.draw`. Down a column of pixels the
    interpolated logits are straight from one row of logits to the next, so where they change sign
    is computed: the cost grows with the width of a mask, not with its area.

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
    y0, x0, y1, _ = box
    columns, rows = _toggles(logits, window, box)
    columns, rows = np.divmod(_odd(columns * (y1 - y0 + 1) + rows), y1 - y0 + 1)
    if not rows.size:
        return None
    starts, stops = rows[::2], rows[1::2]  # each run ends in the column that it starts in
    top, bottom = int(starts.min()), int(stops.max())
    left, right = int(columns[0]), int(columns[-1]) + 1
    height, size = bottom - top, (bottom - top) * (right - left)
    # A run that ends with its column and one that starts with the next are one.
    edges = _odd((columns - left) * height + rows - top)
    lengths = np.diff(edges[edges < size], prepend=0, append=size)
    return Enlarged(
        box=(y0 + top, x0 + left, y0 + bottom, x0 + right),
        rle=to_rle(lengths, (height, right - left)),
        area=int((stops - starts).sum()),
    )


def _toggles(logits: npt.NDArray[np.float32], window: Window, box: Box) -> tuple[Places, Places]:
    """Columns and rows, counted in a box, of the pixels from which on a mask begins or ends.

    A mask that goes on to the end of a column ends at the row after the last.
    """
    y0, x0, y1, x1 = box
    side = logits.shape[-1]
    pitch_y, pitch_x = pixel_pitch(window, side)
    place = (np.arange(x0, x1) + 0.5 - window.origin[1]) / pitch_x - 0.5
    place = np.clip(place, 0, side - 1)
    first = np.minimum(place.astype(np.intp), side - 2)
    share = (place - first).astype(np.float32)
    values = logits[:, first] + share * (logits[:, first + 1] - logits[:, first])
    inside = values > 0
    row, column = np.nonzero(inside[1:] != inside[:-1])
    above, below = values[row, column].astype(np.float64), values[row + 1, column]
    crossing = row + above / (above - below)
    # In pixels of the box; a pixel right on the crossing has logit 0, which is outside.
    y = (crossing + 0.5) * pitch_y + window.origin[0] - 0.5 - y0
    begins = np.where(above > 0, np.ceil(y), np.floor(y) + 1)
    starts, ends = np.flatnonzero(inside[0]), np.flatnonzero(inside[-1])
    columns = np.concatenate([starts, column, ends])
    rows = np.concatenate([np.zeros(len(starts)), begins, np.full(len(ends), y1 - y0)])
    return columns, np.clip(rows, 0, y1 - y0).astype(np.int64)


def _odd(places: Places) -> Places:
    """Sort places and leave out pairs of the same, between which nothing is."""
    found, times = np.unique(places, return_counts=True)
    odd: Places = found[times % 2 == 1]
    return odd
