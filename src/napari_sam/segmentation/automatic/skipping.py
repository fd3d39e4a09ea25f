"""Which points of a grid are asked, in which order: what can be foretold is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.segmentation.automatic.grid_masks import GridMask

__all__ = ["PointQueue", "coarse_to_fine"]

NEAR = 4
"""Rows and columns of the grid within which a point is compared with those that were asked."""

ALIKE = 0.6
"""Cosine between two places of the embedding, less its mean, from which on they look alike.

With MobileSAM on the reference's five test images 45 % of the full grid's points are then asked,
97 % of its objects found again at IoU 0.9, and AP50 against the annotations goes from 0.521 to
0.517. At 0.5 fewer are asked (39 %), at 0.7 more (52 %), for about the same objects.
"""

CONFIDENT_SCORE, CONFIDENT_STABILITY = 0.7, 0.85
"""What a mask has at least to tell anything about the points around. Not the thresholds of a run,
which may change later; from (0.7, 0.85) to (0.88, 0.92) the numbers above stay within 1 %."""


def coarse_to_fine(
    ranks: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
) -> npt.NDArray[np.intp]:
    """Order the points of a grid: every fourth row and column first, then every second, then all.

    In each pass those come first that are farthest from the points of the pass before.

    Parameters
    ----------
    ranks : two ndarray of int, shape (n,)
        Row and column of each point.

    Returns
    -------
    ndarray of int, shape (n,)
        Numbers of the points.
    """
    y, x = ranks
    level = np.select([(y % 4 == 0) & (x % 4 == 0), (y % 2 == 0) & (x % 2 == 0)], [0, 1], 2)
    apart = ((y + x) >> (2 - level)) % 2
    return np.lexsort((x, y, apart, level))


class PointQueue:
    """Hands out the points of a grid, leaving out those whose answer can be foretold.

    A point is left out when, of the points nearby that were asked, the one that looks most like it
    found no object where it is, or one that holds this point too. What looks alike is what the
    encoder makes alike.

    Parameters
    ----------
    places : ndarray of float64, shape (n, 2)
        ``(y, x)`` as shares of the window.
    looks : ndarray of float32, shape (n, C), optional
        The embedding at the points, less its mean. Every point is asked when not given.
    """

    def __init__(
        self, places: npt.NDArray[np.float64], looks: npt.NDArray[np.float32] | None = None
    ) -> None:
        self._places = places
        self._rows, self._columns = (np.unique(x, return_inverse=True)[1] for x in places.T)
        self._waiting = coarse_to_fine((self._rows, self._columns)).tolist()[::-1]
        self._looks = looks
        if looks is not None:
            length = np.linalg.norm(looks, axis=1, keepdims=True)
            self._looks = looks / np.maximum(length, np.finfo(np.float32).tiny)
        self._answered = np.zeros(len(places), np.bool_)
        self._objects: dict[int, GridMask] = {}  # the smallest that holds the point itself

    def __len__(self) -> int:
        """Count points that are neither handed out nor left out yet."""
        return len(self._waiting)

    def take(self, count: int) -> list[int]:
        """Numbers of the next points to ask, up to ``count``; none when all are answered."""
        numbers: list[int] = []
        while self._waiting and len(numbers) < count:
            number = self._waiting.pop()
            if not self._is_known(number):
                numbers.append(number)
        return numbers

    def learn(self, number: int, masks: Sequence[tuple[float, GridMask]]) -> None:
        """Take note of what a point found: masks, each with its predicted IoU."""
        self._answered[number] = True
        here = self._places[number : number + 1]
        objects = [
            mask
            for score, mask in masks
            if score >= CONFIDENT_SCORE
            and mask.stability >= CONFIDENT_STABILITY
            and mask.holds(here)[0]
        ]
        if objects:
            self._objects[number] = min(objects, key=lambda mask: mask.area)

    def _is_known(self, number: int) -> bool:
        if self._looks is None:
            return False
        near = self._answered & (np.abs(self._rows - self._rows[number]) <= NEAR)
        near &= np.abs(self._columns - self._columns[number]) <= NEAR
        others = np.flatnonzero(near)
        if not others.size:
            return False
        alike = self._looks[others] @ self._looks[number]
        most = int(np.argmax(alike))
        if alike[most] < ALIKE:
            return False
        found = self._objects.get(int(others[most]))
        return found is None or bool(found.holds(self._places[number : number + 1])[0])
