"""Two label images compared object by object: matches, and the scores that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array

from napari_sam.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    import numpy.typing as npt

__all__ = ["THRESHOLDS", "MatchedScores", "Matching", "average_precision", "match_labels"]

LOWEST = 0.5
"""IoU from which on objects match."""

THRESHOLDS = tuple(round(LOWEST + 0.05 * step, 2) for step in range(10))
"""IoU at which results are usually compared: 0.5, 0.55 ... 0.95."""


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Which found object is which true one, where they agree at IoU 0.5 or better.

    Attributes
    ----------
    found, truth : ndarray of int
        Ids of all objects of the two label images, in ascending order.
    pairs : ndarray of int, shape (n, 2)
        Ids (found, truth) of the objects that match, one to one.
    ious : ndarray of float, shape (n,)
        Their IoU.
    """

    found: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    ious: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedScores:
    """Scores of automatic results at some IoU thresholds.

    Attributes
    ----------
    found, truth : int
        Objects in all images.
    thresholds : tuple of float
    average_precision, precision, recall, f1 : tuple of float
        One for each threshold, from the sums over all images of matches (TP), found objects
        without a match (FP) and true objects without one (FN): TP / (TP + FP + FN),
        TP / (TP + FP), TP / (TP + FN) and 2 TP / (2 TP + FP + FN). Where nothing was to be found
        and nothing was found all are 1; any other fraction without a denominator is 0.
    matched_iou : tuple of float
        Mean IoU of the matches at each threshold; nan without any.
    """

    found: int
    truth: int
    thresholds: tuple[float, ...]
    average_precision: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    matched_iou: tuple[float, ...]

    @property
    def mean_average_precision(self) -> float:
        """Mean of the average precision over the thresholds."""
        return float(np.mean(self.average_precision))


def match_labels(found: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Matching:
    """Match the objects of two label images one to one.

    No one-to-one matching has more pairs at any IoU threshold from 0.5 on. Above 0.5 there is only
    one: two objects that do not overlap cannot both cover more than half of a third. At exactly
    0.5 an object may also be split into two halves; whichever of them is taken, the other object
    touches nothing else, so taking the pairs in any order is exact. That of the lower id counts.

    Parameters
    ----------
    found, truth : ndarray of int, of one shape
        0 is background, every other value one object. Time and memory grow with the pixels and
        the pairs of objects that overlap.

    Raises
    ------
    InputError
        When a type or the shapes do not fit.
    """
    for name, labels in (("found", found), ("true", truth)):
        if labels.dtype.kind not in "iub":
            raise InputError(
                f"the {name} labels are {labels.dtype}: expected whole numbers, 0 for background"
            )
    if found.shape != truth.shape:
        raise InputError(
            f"the found labels have shape {found.shape} but the true ones {truth.shape}; compare "
            "label images of the same image"
        )
    found_ids, found_at = np.unique(found, return_inverse=True)
    truth_ids, truth_at = np.unique(truth, return_inverse=True)
    found_at, truth_at = found_at.ravel(), truth_at.ravel()
    counts = coo_array(
        (np.ones(found.size, dtype=np.int64), (found_at, truth_at)),
        shape=(len(found_ids), len(truth_ids)),
    )
    counts.sum_duplicates()
    rows, columns = counts.coords
    union = np.bincount(found_at)[rows] + np.bincount(truth_at)[columns] - counts.data
    ious = counts.data / union
    match = (found_ids[rows] != 0) & (truth_ids[columns] != 0) & (ious >= LOWEST)
    rows, columns, ious = rows[match], columns[match], ious[match]
    pairs = np.stack([found_ids[rows], truth_ids[columns]], axis=1).astype(np.int64)
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))  # halves: the lower id is the first one
    pairs, ious = pairs[order], ious[order]
    for side in (0, 1):
        _, first = np.unique(pairs[:, side], return_index=True)
        pairs, ious = pairs[np.sort(first)], ious[np.sort(first)]
    return Matching(
        found=found_ids[found_ids != 0].astype(np.int64),
        truth=truth_ids[truth_ids != 0].astype(np.int64),
        pairs=pairs,
        ious=ious,
    )


def average_precision(
    matchings: Iterable[Matching], thresholds: Sequence[float] = THRESHOLDS
) -> MatchedScores:
    """Scores of some images together: their objects are counted as if of one image.

    Parameters
    ----------
    matchings : iterable of Matching
    thresholds : sequence of float
        IoU from which on (0.5 or more) two objects count as the same.

    Raises
    ------
    InputError
        When a threshold is below 0.5 or above 1.
    """
    if wrong := [each for each in thresholds if not LOWEST <= each <= 1]:
        raise InputError(
            f"an IoU threshold of {wrong[0]:g} cannot be used: matches are known from {LOWEST} to 1"
        )
    images = list(matchings)
    found = sum(len(image.found) for image in images)
    truth = sum(len(image.truth) for image in images)
    ious = np.concatenate([np.empty(0), *(image.ious for image in images)])
    matched = [ious[ious >= threshold] for threshold in thresholds]
    is_empty = found == truth == 0
    hits = [len(each) for each in matched]

    def shares(times: int, *denominators: int) -> tuple[float, ...]:
        pairs = zip(hits, denominators, strict=True)
        return tuple(
            1.0 if is_empty else times * hit / below if below else 0.0 for hit, below in pairs
        )

    return MatchedScores(
        found=found,
        truth=truth,
        thresholds=tuple(thresholds),
        average_precision=shares(1, *(found + truth - hit for hit in hits)),
        precision=shares(1, *(found for _ in hits)),
        recall=shares(1, *(truth for _ in hits)),
        f1=shares(2, *(found + truth for _ in hits)),
        matched_iou=tuple(float(each.mean()) if len(each) else np.nan for each in matched),
    )
