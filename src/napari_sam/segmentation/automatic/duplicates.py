"""Masks that say the same: which of them are forgotten, which stay for other thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.automatic.found import FoundMasks
    from napari_sam.segmentation.automatic.settings import AutomaticSettings

    Boxes = npt.NDArray[np.float64]
    Scores = npt.NDArray[np.float32]

__all__ = ["distinct", "not_dominated"]


def not_dominated(
    boxes: Boxes, scores: Scores, stability: Scores, iou: float
) -> npt.NDArray[np.intp]:
    """Rows that some choice of thresholds may want.

    A row is dropped for one with about the same box that is as good in score and in stability:
    whatever thresholds it passes, the other one does, and the paper's non-maximum suppression of
    boxes then drops it. So thresholds can change later without the rows that were dropped.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        ``(y0, x0, y1, x1)`` from the first to the last pixel centre.
    scores, stability : ndarray, shape (n,)
    iou : float
        Boxes that overlap by more are about the same.

    Returns
    -------
    ndarray of int
        Rows, the best score first; ties by stability, then by row.
    """
    order = np.lexsort((-stability, -scores))
    boxes, stability = boxes[order], stability[order]
    gone = np.zeros(len(order), np.bool_)
    for i in range(len(order)):
        if not gone[i]:
            later = slice(i + 1, None)
            gone[later] |= (stability[later] <= stability[i]) & (
                _box_iou(boxes[i], boxes[later]) > iou
            )
    return order[~gone]


def distinct(found: FoundMasks, settings: AutomaticSettings) -> FoundMasks:
    """Masks as the paper's automatic generator gives them: they may overlap and lie in each other.

    Those that pass `min_score`, `min_stability` and `min_area`, without any whose box overlaps
    that of a better-scoring one by more than `nms_iou` (paper, appendix B).

    Returns
    -------
    FoundMasks
        The best score first.
    """
    passes = (found.scores >= settings.min_score) & (found.stability >= settings.min_stability)
    found = found.take(passes & (found.areas >= (settings.min_area or 0)))
    found = found.take(np.lexsort((-found.stability, -found.scores)))
    boxes = found.boxes - (0, 0, 1, 1)  # from pixel centre to pixel centre, as in the reference
    gone = np.zeros(len(found), np.bool_)
    for i in range(len(found)):
        if not gone[i]:
            gone[i + 1 :] |= _box_iou(boxes[i], boxes[i + 1 :]) > settings.nms_iou
    return found.take(~gone)


def _box_iou(box: npt.NDArray[np.generic], others: npt.NDArray[np.generic]) -> Boxes:
    """Intersection over union of a box (4,) with others (n, 4); two points in one place have 1."""
    one, many = np.asarray(box, np.float64), np.asarray(others, np.float64)
    sides = np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    either = (one[2:] - one[:2]).prod() + (many[:, 2:] - many[:, :2]).prod(axis=1) - both
    same = (one == many).all(axis=1)
    return np.asarray(np.where(either > 0, both / np.maximum(either, 1e-12), same))
