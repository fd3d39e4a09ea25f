"""Masks as COCO run lengths: drawn, or cropped and set into a plane as they are, without drawing.

A mask is run through column by column; its lengths count pixels beside it and on it in turn,
beginning with those beside it. Compressed, each length (from the fourth on its difference to the
last but one) is written in groups of five bits, the lowest first, one printable character each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box

    Lengths = npt.NDArray[np.int64]

__all__ = [
    "MOST_PIXELS",
    "centroid",
    "crop",
    "decode",
    "draw",
    "embed",
    "encode",
    "lengths_of",
    "polygon_lengths",
    "to_rle",
]

MOST_PIXELS = 2**32 - 1
"""Pixels of the box of a mask at most: a run's length has 32 bits."""


def encode(mask: npt.NDArray[np.bool_]) -> bytes:
    """Compress a mask of shape (h, w)."""
    counts: bytes = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return counts


def decode(rle: bytes, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw a mask of shape (h, w)."""
    return draw(lengths_of(rle), shape)


def draw(lengths: Lengths, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw a mask of shape (h, w) from its run lengths."""
    on_mask = np.arange(len(lengths)) % 2 == 1
    drawn: npt.NDArray[np.bool_] = np.repeat(on_mask, lengths).reshape(shape[::-1]).T
    return drawn


def lengths_of(rle: bytes) -> Lengths:
    """Read compressed run lengths.

    Raises
    ------
    ValueError
        When these are not run lengths.
    """
    groups = np.frombuffer(rle, np.uint8).astype(np.int64) - 48
    if not len(groups):
        return np.empty(0, np.int64)
    ends = np.flatnonzero(groups & 0x20 == 0)
    if groups.min() < 0 or groups.max() > 0x3F or not len(ends) or ends[-1] != len(groups) - 1:
        raise ValueError("these are no compressed run lengths")
    starts = np.append(0, ends[:-1] + 1)
    place = np.arange(len(groups)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 11:
        raise ValueError("a run length is too long")
    values = np.add.reduceat((groups & 0x1F) << (5 * place), starts)
    values -= (groups[ends] & 0x10 != 0) * (np.int64(1) << (5 * (place[ends] + 1)))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def to_rle(lengths: Lengths, shape: tuple[int, int]) -> bytes:
    """Compress run lengths of a mask of ``(height, width)``."""
    compressed = coco.frPyObjects({"size": list(shape), "counts": lengths.tolist()}, *shape)
    counts: bytes = compressed["counts"]
    return counts


def polygon_lengths(polygons: list[Any], shape: tuple[int, int]) -> Lengths:
    """Run lengths of the inside of polygons, each ``[x, y, x, y, ...]``."""
    if not polygons or any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ValueError("a polygon needs three corners, each x and y")
    return lengths_of(coco.merge(coco.frPyObjects(polygons, *shape))["counts"])


def embed(lengths: Lengths, box: Box, shape: tuple[int, int]) -> Lengths:
    """Run lengths in a plane of a mask whose lengths inside a box are known.

    Parameters
    ----------
    lengths : ndarray of int64
        Inside the box.
    box : tuple of int
        ``(y0, x0, y1, x1)`` in the plane, half-open.
    shape : tuple of int
        ``(height, width)`` of the plane.
    """
    y0, x0, y1, _ = box
    starts, stops = _runs(lengths, y1 - y0)
    column, row = np.divmod(starts, y1 - y0)
    first = (x0 + column) * shape[0] + y0 + row
    return _joined(first, first + stops - starts, shape[0] * shape[1])


def crop(lengths: Lengths, shape: tuple[int, int]) -> tuple[Box, Lengths] | None:
    """Tight box of a mask and its run lengths in there; None of an empty mask.

    Parameters
    ----------
    lengths : ndarray of int64
        In a plane of ``shape``.
    """
    starts, stops = _runs(lengths, shape[0])
    if not len(starts):
        return None
    column, row = np.divmod(starts, shape[0])
    rows = stops - starts
    y0, y1 = int(row.min()), int((row + rows).max())
    x0, x1 = int(column.min()), int(column.max()) + 1
    first = (column - x0) * (y1 - y0) + row - y0
    return (y0, x0, y1, x1), _joined(first, first + rows, (y1 - y0) * (x1 - x0))


def centroid(lengths: Lengths, height: int) -> tuple[float, float]:
    """Mean ``(y, x)`` of the pixels of a mask that is not empty, pixel centres at integers."""
    starts, stops = _runs(lengths, height)
    column, row = np.divmod(starts, height)
    rows = stops - starts
    area = float(rows.sum())
    return float((rows * (row + (rows - 1) / 2)).sum() / area), float((rows * column).sum() / area)


def _runs(lengths: Lengths, height: int) -> tuple[Lengths, Lengths]:
    """Cut the runs on a mask at the ends of columns: their starts and stops."""
    edges = np.cumsum(lengths)
    starts = edges[: len(edges) - len(edges) % 2 : 2]
    stops = edges[1::2]
    some = stops > starts
    starts, stops = starts[some], stops[some]
    first, last = starts // height, (stops - 1) // height
    times = last - first + 1
    which = np.repeat(np.arange(len(starts)), times)
    column = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    return (
        np.maximum(starts[which], column * height),
        np.minimum(stops[which], (column + 1) * height),
    )


def _joined(starts: Lengths, stops: Lengths, size: int) -> Lengths:
    """Run lengths of runs in their order; those that touch become one."""
    if not len(starts):
        return np.array([size])
    apart = starts[1:] != stops[:-1]
    starts, stops = starts[np.append(True, apart)], stops[np.append(apart, True)]
    edges = np.empty(2 * len(starts) + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, stops, size
    lengths = np.diff(edges)
    return lengths if lengths[-1] else lengths[:-1]
