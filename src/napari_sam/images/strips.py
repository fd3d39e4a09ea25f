"""Rows of a level from top to bottom, so that a tall window is drawn without holding it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt


class Strips:
    """Rows that are read once each, whole chunks at a time, and let go when they are passed.

    Parameters
    ----------
    read : callable
        ``read(top, bottom)`` gives uint8 (c, bottom - top, w).
    height : int
        Rows that there are.
    step : int
        Rows that are read together wherever reading stops: the height of a chunk.
    """

    def __init__(
        self, read: Callable[[int, int], npt.NDArray[np.uint8]], height: int, step: int
    ) -> None:
        self._read = read
        self._height = height
        self._step = step
        self._top = 0
        self._block: npt.NDArray[np.uint8] | None = None

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Rows ``top`` to ``bottom``, as far as there are any; never above those of before."""
        top, bottom = max(top, 0), min(bottom, self._height)
        stop = min(-(-bottom // self._step) * self._step, self._height)
        if self._block is None:
            self._block = self._read(top, stop)
        else:
            end = self._top + self._block.shape[1]
            self._block = self._block[:, top - self._top :]
            if bottom > end:
                self._block = np.concatenate([self._block, self._read(end, stop)], axis=1)
        self._top = top
        return self._block[:, : bottom - top]
