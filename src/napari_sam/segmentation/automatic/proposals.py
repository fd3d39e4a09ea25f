"""Object proposals: what may be an object, the likeliest first, as many as one wants to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.automatic.found import FoundMasks

__all__ = ["distinct_boxes", "rank_proposals"]


def rank_proposals(found: FoundMasks, at_most: int = 1000, nms_iou: float = 0.9) -> FoundMasks:
    """Rank masks by how likely they are objects, leaving out duplicates.

    Segment Anything, appendix D.3: no thresholds on the scores, the mean of predicted IoU and
    stability as rank, boxes that overlap a better one's by 0.9 or more left out, the first 1,000
    kept. Whole, part and subpart of one object all stay.

    Parameters
    ----------
    found : FoundMasks
        Of one plane; all that a run has recorded.
    at_most : int
        How many to return.
    nms_iou : float
        IoU of two boxes from which on the one that ranks lower is a duplicate.

    Returns
    -------
    FoundMasks
        Best first. The order of the input does not matter.
    """
    rank = (found.scores.astype(np.float64) + found.stability) / 2
    # Rows that rank alike are put in the order of where they were found.
    rows, columns = found.tiles.T
    order = np.lexsort((found.tokens, found.prompts, columns, rows, found.samplings, -rank))
    return found.take(order[distinct_boxes(found.boxes[order], nms_iou, at_most)])


def distinct_boxes(
    boxes: npt.NDArray[np.int64], nms_iou: float, at_most: int | None = None
) -> npt.NDArray[np.intp]:
    """Non-maximum suppression: indices of boxes that overlap no better one by so much.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
        ``(y0, x0, y1, x1)``, best first.
    nms_iou : float
        Intersection over union from which on a box is left out.
    at_most : int, optional
        How many to find.
    """
    corners = boxes.astype(np.float64)
    areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) != at_most:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[left, :2])
        high = np.minimum(corners[best, 2:], corners[left, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        left = left[shared < nms_iou * (areas[best] + areas[left] - shared)]
    return np.array(kept, np.intp)
