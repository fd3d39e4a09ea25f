"""Small pictures of the candidates: the image around them with the outline of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.images.tiles import Window
from napari_sam.segmentation.mask_grid import draw
from napari_sam.ui.square_view import draw_square, square_around

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.candidates import Candidate, Candidates

__all__ = ["SIDE", "draw_part", "draw_thumbnails", "outline"]

SIDE = 160
"""Pixels along a thumbnail; views may show it smaller."""

MARGIN = 0.25
"""Room around the mask, as a share of its longer side on each side."""

ZOOM_OUT = 4.0
"""A view shows at most this many times the best candidate's side, so that it stays visible."""

SMALLEST_VIEW = 16.0
"""Level-0 pixels along a view at least: a single pixel is nothing to look at."""

LINE = np.array([255, 209, 31], np.uint8)


def draw_thumbnails(source: ImageSource, candidates: Candidates) -> list[npt.NDArray[np.uint8]]:
    """Draw every candidate over the same part of the image, so that they can be compared.

    Parameters
    ----------
    source : ImageSource
        The image, shown as the model sees it.
    candidates : Candidates

    Returns
    -------
    list of ndarray of uint8, shape (SIDE, SIDE, 3)
        One for each candidate, in their order.
    """
    window = _view(candidates)
    picture = draw_square(source, window, candidates.plane)
    thumbnails = []
    for candidate in candidates:
        drawn = picture.copy()
        mask = draw_part(candidate, window.origin, window.sampling, (SIDE, SIDE))
        drawn[mask] = drawn[mask] // 4 * 3 + LINE // 4
        drawn[_thick(outline(mask, goes_on=True))] = LINE
        thumbnails.append(drawn)
    return thumbnails


def outline(mask: npt.NDArray[np.bool_], *, goes_on: bool = False) -> npt.NDArray[np.bool_]:
    """Pixels of a mask with one of their four neighbours outside of it.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
    goes_on : bool
        Whether the mask goes on beyond the array; it ends there otherwise.
    """
    padded = np.pad(mask, 1, mode="edge") if goes_on else np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inside)


def draw_part(
    candidate: Candidate,
    origin: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, int],
) -> npt.NDArray[np.bool_]:
    """Draw part of a mask on a grid of any pitch; costs what the grid costs.

    Parameters
    ----------
    candidate : Candidate
    origin : tuple of float
        ``(y, x)`` of the grid's outer corner in level-0 pixels, from the image's outer corner.
    step : tuple of float
        Level-0 pixels per pixel of the grid.
    shape : tuple of int
        Pixels of the grid.
    """
    looked, plane = candidate.window, candidate.candidates.plane_shape
    # The same window in pixels of the grid.
    seen = Window(
        origin=_pair((w - o) / s for w, o, s in zip(looked.origin, origin, step, strict=True)),
        sampling=_pair(w / s for w, s in zip(looked.sampling, step, strict=True)),
        size=looked.size,
    )
    drawn = np.asarray(draw(candidate.logits[np.newaxis], seen, (0, 0, *shape))[0] > 0)
    # The decoder says nothing beyond its window, and beyond the plane there is nothing.
    for axis, lines in enumerate((drawn, drawn.T)):
        centres = np.arange(shape[axis]) + 0.5
        last = min(
            seen.size * seen.sampling[axis], (plane[axis] - looked.origin[axis]) / step[axis]
        )
        lines[(centres < seen.origin[axis]) | (centres > seen.origin[axis] + last)] = False
    return drawn


def _pair(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return first, second


def _view(candidates: Candidates) -> Window:
    """Square window around the candidates' masks, inside the plane where it can be."""
    boxes = [candidate.box for candidate in candidates]
    drawn = np.array([box for box in boxes if box is not None]).reshape(-1, 4)
    if not len(drawn):
        window = candidates.window
        corners = window.to_image([(0, 0), (window.size, window.size)])
        drawn = corners.clip(-0.5, np.subtract(candidates.plane_shape, 0.5)).reshape(1, 4)
    best = drawn[0]
    union = np.concatenate([drawn[:, :2].min(axis=0), drawn[:, 2:].max(axis=0)])
    side = _longer_side(union) * (1 + 2 * MARGIN)
    limit = _longer_side(best) * ZOOM_OUT
    centred_on = union if side <= limit else best
    side = max(min(side, limit), SMALLEST_VIEW)
    side = min(side, float(max(candidates.plane_shape)))
    return square_around(centred_on, side, candidates.plane_shape, SIDE)


def _longer_side(box: npt.NDArray[np.float64]) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def _thick(line: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Widen a line to the right and below: thin lines vanish when scaled down."""
    thick = line.copy()
    thick[1:] |= line[:-1]
    thick[:, 1:] |= line[:, :-1]
    return thick
