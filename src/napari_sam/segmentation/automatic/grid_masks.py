"""Masks at the decoder's resolution: measured there, before any is drawn at level 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.candidates import STABILITY_OFFSET
from napari_sam.segmentation.reach import Sides

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.tiles import Window

    Logits = npt.NDArray[np.float32]

__all__ = ["GridMask", "measure", "open_sides"]

EDGE = 1
"""Outermost logits: a mask whose outline comes so near to a window's edge may go on beyond it."""

BEYOND = -1.0
"""Logit of what lies around a mask."""


@dataclass(frozen=True, slots=True, eq=False)
class GridMask:
    """A mask in its own part of the grid of logits that spans a window.

    Attributes
    ----------
    logits : ndarray of float32, shape (h, w)
        The part with the mask and one logit around it, where the window has one.
    corner : tuple of int
        Row and column of its first logit in the window's grid.
    side : int
        Logits along each side of the window.
    area : float
        Logits, measured between them.
    stability : float
        See `napari_sam.segmentation.candidates.stability_score`; from areas between logits.
    extent : tuple of float
        ``(y0, x0, y1, x1)``, where its outline lies; logit ``i`` covers ``[i, i + 1)``.
    """

    logits: Logits
    corner: tuple[int, int]
    side: int
    area: float
    stability: float
    extent: tuple[float, float, float, float]

    def holds(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Whether places are inside.

        Parameters
        ----------
        places : ndarray of float64, shape (n, 2)
            ``(y, x)`` as shares of the window.
        """
        y, x = (np.floor(places * self.side).astype(np.intp) - self.corner).T
        height, width = self.logits.shape
        held: npt.NDArray[np.bool_] = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        held[held] = self.logits[y[held], x[held]] > 0
        return held

    def in_window(self) -> Logits:
        """Logits over all of the window, shape (side, side)."""
        whole = np.full((self.side, self.side), BEYOND, np.float32)
        (y, x), (height, width) = self.corner, self.logits.shape
        whole[y : y + height, x : x + width] = self.logits
        return whole

    def cut_by(self, sides: Sides) -> bool:
        """Whether it reaches one of these sides of the window, so that it may go on beyond."""
        y0, x0, y1, x1 = self.extent
        last = self.side - EDGE
        return (
            (sides.top and y0 < EDGE)
            or (sides.left and x0 < EDGE)
            or (sides.bottom and y1 > last)
            or (sides.right and x1 > last)
        )


def measure(logits: Logits, shown: tuple[int, int]) -> GridMask | None:
    """Measure a mask, or None of one that is empty.

    An outline runs between logits, and small objects are few logits: areas and extents are those
    of the linear interpolation, which is what is drawn at level 0.

    Parameters
    ----------
    logits : ndarray of float32, shape (M, M)
        Over a window.
    shown : tuple of int
        Rows and columns of them that lie on the plane.
    """
    seen = logits[: shown[0], : shown[1]]
    near = seen > -STABILITY_OFFSET
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not rows.size:
        return None
    top, left = max(int(rows[0]) - 1, 0), max(int(columns[0]) - 1, 0)
    bottom, right = int(rows[-1]) + 2, int(columns[-1]) + 2
    part = np.ascontiguousarray(seen[top:bottom, left:right])
    y0, y1 = _ends(part.max(axis=1))
    x0, x1 = _ends(part.max(axis=0))
    if y1 <= y0 or x1 <= x0:
        return None
    return GridMask(
        logits=logits[top:bottom, left:right].copy(),  # with what is drawn beyond the plane's end
        corner=(top, left),
        side=logits.shape[-1],
        area=_area(part, 0.0),
        stability=_area(part, STABILITY_OFFSET) / _area(part, -STABILITY_OFFSET),
        extent=(top + y0, left + x0, top + y1, left + x1),
    )


def _area(logits: Logits, threshold: float) -> float:
    """Area above a threshold: logits, corrected where the outline passes between two of them.

    The mean of adding up lengths along rows and along columns, exact on each of those lines.
    """
    above = logits > threshold
    area = float(np.count_nonzero(above))
    values, (_, width) = logits.ravel(), logits.shape
    down = np.flatnonzero(above[1:] != above[:-1])
    across = np.flatnonzero(above[:, 1:] != above[:, :-1])
    across += across // max(width - 1, 1)
    for places, step in ((down, width), (across, 1)):
        first, second = values[places] - threshold, values[places + step] - threshold
        share = np.maximum(first, second) / np.abs(first - second)
        area += 0.5 * float((share - 0.5).sum())
    return area


def _ends(profile: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Where a profile rises above 0 first and falls below it last; both 0 where it never does."""
    inside = np.flatnonzero(profile > 0)
    if not inside.size:
        return 0.0, 0.0
    return _end(profile, int(inside[0]), -1), _end(profile, int(inside[-1]), 1)


def _end(profile: npt.NDArray[np.float32], last: int, step: int) -> float:
    """Edge next to the last value above 0, on the side that the step goes to."""
    beyond = last + step
    share = 0.5
    if 0 <= beyond < len(profile):
        share = float(profile[last] / (profile[last] - profile[beyond]))
    return last + 0.5 + step * share


def open_sides(window: Window, plane_shape: tuple[int, int]) -> Sides:
    """Sides of a window beyond which the plane goes on."""
    bottom, right = (
        start + window.size * step < length
        for start, step, length in zip(window.origin, window.sampling, plane_shape, strict=True)
    )
    return Sides(window.origin[0] > 0, window.origin[1] > 0, bottom, right)
