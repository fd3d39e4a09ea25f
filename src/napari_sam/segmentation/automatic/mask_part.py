"""Parts of found masks, drawn from their run lengths where somebody looks at them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.automatic.run_lengths import draw, lengths_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.automatic.found import FoundMasks
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["MaskParts"]

SMALL = 2**18
"""Pixels of a mask's box up to which all of it is drawn at once, which is quicker."""

MEMORY = 64 * 2**20
"""Bytes of masks kept for the next time they are looked at."""


class MaskParts:
    """Draws parts of masks and remembers the last ones.

    A small mask is kept drawn. Of a large one the places are kept where its runs begin and end:
    the part in a view is then found by bisection, whatever its size.

    Parameters
    ----------
    found : FoundMasks
    """

    def __init__(self, found: FoundMasks) -> None:
        self._found = found
        self._read: OrderedDict[int, npt.NDArray[Any]] = OrderedDict()
        self._bytes = 0

    def draw(self, row: int, part: Box) -> npt.NDArray[np.bool_]:
        """Draw a part of a mask.

        Parameters
        ----------
        row : int
            Which mask.
        part : tuple of int
            ``(y0, x0, y1, x1)``, level-0 pixels, half-open, inside the mask's box.

        Returns
        -------
        ndarray of bool, shape (y1 - y0, x1 - x0)
            Not to be changed.
        """
        top, left, bottom, right = self._found.boxes[row].tolist()
        y0, x0, y1, x1 = part[0] - top, part[1] - left, part[2] - top, part[3] - left
        if (bottom - top) * (right - left) <= SMALL:
            return self._at_hand(row, (bottom - top, right - left))[y0:y1, x0:x1]
        edges = self._at_hand(row, None)
        return _between(edges, bottom - top, (y0, x0, y1, x1))

    def count_shared(self, first: int, second: int, part: Box) -> int:
        """Count the pixels of a part of the plane that lie in both of two masks."""
        return int(np.count_nonzero(self.draw(first, part) & self.draw(second, part)))

    def _at_hand(self, row: int, shape: tuple[int, int] | None) -> npt.NDArray[Any]:
        """Pixels of a small mask, or edges of the runs of a large one."""
        if row in self._read:
            self._read.move_to_end(row)
            return self._read[row]
        lengths = lengths_of(self._found.rles[row])
        read: npt.NDArray[Any] = np.cumsum(lengths) if shape is None else draw(lengths, shape)
        self._read[row] = read
        self._bytes += read.nbytes
        while self._bytes > MEMORY and len(self._read) > 1:
            _, oldest = self._read.popitem(last=False)
            self._bytes -= oldest.nbytes
        return read


def _between(edges: npt.NDArray[np.int64], height: int, part: Box) -> npt.NDArray[np.bool_]:
    """Draw a part of a mask from the edges of its runs, counted column by column."""
    y0, x0, y1, x1 = part
    start = np.arange(x0, x1) * height + y0
    first = np.searchsorted(edges, start, "right")
    count = np.searchsorted(edges, start + (y1 - y0), "left") - first
    changes = np.zeros((x1 - x0, y1 - y0), np.uint8)
    changes[:, 0] = first & 1  # after an odd number of edges a pixel is on the mask
    column = np.repeat(np.arange(x1 - x0), count)
    edge = np.repeat(first - np.cumsum(count) + count, count) + np.arange(len(column))
    np.bitwise_xor.at(changes, (column, edges[edge] - start[column]), 1)
    drawn: npt.NDArray[np.bool_] = np.bitwise_xor.accumulate(changes, axis=1).T.view(np.bool_)
    return drawn
