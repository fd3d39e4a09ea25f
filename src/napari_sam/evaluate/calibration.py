"""Whether predicted scores can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "ReliabilityBin",
    "correlation",
    "mean_absolute_error",
    "reliability",
    "share_of_oracle",
]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """How good the answers with scores in a range were.

    Attributes
    ----------
    count : int
    score : float
        Their mean predicted IoU.
    iou : float
        Their mean IoU with the truth; equal to `score` where the scores are calibrated.
    """

    count: int
    score: float
    iou: float


def mean_absolute_error(scores: npt.ArrayLike, ious: npt.ArrayLike) -> float:
    """Mean distance of predicted IoU to IoU; nan without any."""
    distances = np.abs(np.subtract(scores, ious))
    return float(distances.mean()) if distances.size else math.nan


def correlation(scores: npt.ArrayLike, ious: npt.ArrayLike) -> float:
    """Pearson correlation of predicted IoU with IoU; nan where one of them is constant."""
    a, b = np.asarray(scores, dtype=np.float64), np.asarray(ious, dtype=np.float64)
    if not a.size or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def share_of_oracle(chosen: npt.ArrayLike, best: npt.ArrayLike) -> float:
    """Share of what is possible that choosing by score reaches.

    Parameters
    ----------
    chosen : array_like of float
        IoU of the candidates with the best score.
    best : array_like of float
        IoU of the best candidates.

    Returns
    -------
    float
        Sum of the first over that of the second; nan where no candidate meets its object.
    """
    total = float(np.sum(best))
    return float(np.sum(chosen)) / total if total else math.nan


def reliability(
    scores: npt.ArrayLike, ious: npt.ArrayLike, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Group answers by their score.

    Parameters
    ----------
    scores, ious : array_like of float, shape (n,)
    bins : int
        Ranges of one width from 0 to 1; a score beyond counts for the first or the last one.

    Returns
    -------
    tuple of ReliabilityBin
        In ascending order, without the empty ones.
    """
    scores, ious = np.asarray(scores, dtype=np.float64), np.asarray(ious, dtype=np.float64)
    index = np.clip((scores * bins).astype(int), 0, bins - 1)
    return tuple(
        ReliabilityBin(
            count=int(np.count_nonzero(index == each)),
            score=float(scores[index == each].mean()),
            iou=float(ious[index == each].mean()),
        )
        for each in np.unique(index).tolist()
    )
