"""Matching of label images, against all possible matchings."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.errors import InputError
from napari_sam.evaluate import THRESHOLDS, Matching, average_precision, match_labels

LABELS = arrays(np.int32, (4, 5), elements=st.sampled_from([0, 1, 2, 3, 9]))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def most_matches(found: np.ndarray, truth: np.ndarray, threshold: float) -> int:
    """Try every one-to-one matching."""
    founds, truths = ([labels == i for i in np.unique(labels) if i] for labels in (found, truth))
    if len(founds) > len(truths):
        founds, truths = truths, founds
    good = [[iou(a, b) >= threshold for b in truths] for a in founds]
    return max(
        sum(row[column] for row, column in zip(good, columns, strict=True))
        for columns in itertools.permutations(range(len(truths)), len(founds))
    )


@settings(max_examples=100, deadline=None)
@given(found=LABELS, truth=LABELS, blend=arrays(np.bool_, (4, 5)))
def test_no_matching_has_more_pairs(
    found: np.ndarray, truth: np.ndarray, blend: np.ndarray
) -> None:
    found = np.where(blend, found, truth)  # so that something matches
    matching = match_labels(found, truth)
    for threshold in THRESHOLDS:
        assert (matching.ious >= threshold).sum() == most_matches(found, truth, threshold)


@settings(max_examples=100, deadline=None)
@given(found=LABELS, truth=LABELS, blend=arrays(np.bool_, (4, 5)))
def test_pairs_are_one_to_one_with_their_iou(
    found: np.ndarray, truth: np.ndarray, blend: np.ndarray
) -> None:
    found = np.where(blend, found, truth)
    matching = match_labels(found, truth)
    for side, ids in enumerate((matching.found, matching.truth)):
        assert len(np.unique(matching.pairs[:, side])) == len(matching.pairs)
        assert np.isin(matching.pairs[:, side], ids).all()
    for (a, b), value in zip(matching.pairs, matching.ious, strict=True):
        assert value == iou(found == a, truth == b) >= 0.5


def test_an_object_in_two_halves_is_matched_once() -> None:
    truth = np.full((2, 4), 3)
    found = np.array([[5, 5, 8, 8]] * 2)
    for one, other in ((found, truth), (truth, found)):
        matching = match_labels(one, other)
        assert matching.ious.tolist() == [0.5]
    assert match_labels(found, truth).pairs.tolist() == [[5, 3]]


def test_less_than_half_is_no_match() -> None:
    truth = np.full((1, 5), 1)
    assert len(match_labels(np.array([[1, 1, 0, 0, 0]]), truth).pairs) == 0
    assert len(match_labels(np.array([[1, 1, 1, 0, 0]]), truth).pairs) == 1


def test_ids_may_be_large_and_negative_and_of_other_types() -> None:
    truth = np.array([[0, 0, -7, -7]])
    found = np.array([[0, 0, 2**40, 2**40]])
    assert match_labels(found, truth).pairs.tolist() == [[2**40, -7]]
    assert match_labels(found != 0, truth).pairs.tolist() == [[1, -7]]


def test_stacks_are_matched_as_a_whole() -> None:
    truth = np.zeros((3, 4, 4), int)
    truth[:, 1:3, 1:3] = 1
    found = truth.copy()
    found[2] = 0
    assert match_labels(found, truth).ious.tolist() == [pytest.approx(2 / 3)]


def test_scores_are_those_of_the_definition() -> None:
    truth = np.repeat([0, 1, 2, 3], 10)[None]
    found = np.zeros_like(truth)
    found[:, 10:19], found[:, 20:26], found[:, 0:5] = (
        1,
        2,
        4,
    )  # IoU 0.9 and 0.6, and one that is none
    scores = average_precision([match_labels(found, truth)], (0.5, 0.75, 0.95))
    assert (scores.found, scores.truth) == (3, 3)
    assert scores.average_precision == (2 / 4, 1 / 5, 0)
    assert scores.precision == (2 / 3, 1 / 3, 0)
    assert scores.recall == (2 / 3, 1 / 3, 0)
    assert scores.f1 == (2 / 3, 1 / 3, 0)
    assert scores.matched_iou[:2] == (pytest.approx(0.75), pytest.approx(0.9))
    assert math.isnan(scores.matched_iou[2])
    assert scores.mean_average_precision == pytest.approx((0.5 + 0.2) / 3)


def test_images_are_counted_together() -> None:
    full, empty = np.ones((3, 3), int), np.zeros((3, 3), int)
    perfect, missed, invented = (
        match_labels(found, truth) for found, truth in ((full, full), (empty, full), (full, empty))
    )
    assert average_precision([perfect]).average_precision == (1,) * 10
    assert average_precision([perfect, missed]).average_precision == (0.5,) * 10
    assert average_precision([perfect, missed, invented]).average_precision == (1 / 3,) * 10


def test_finding_nothing_where_nothing_is_is_right() -> None:
    empty, full = np.zeros((3, 3), int), np.ones((3, 3), int)
    nothing = average_precision([match_labels(empty, empty)])
    for shares in (nothing.average_precision, nothing.precision, nothing.recall, nothing.f1):
        assert shares == (1,) * 10
    invented = average_precision([match_labels(full, empty)])
    for shares in (invented.average_precision, invented.precision, invented.recall, invented.f1):
        assert shares == (0,) * 10
    assert average_precision([]).average_precision == nothing.average_precision


def test_the_usual_thresholds_are_written_out() -> None:
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_images_of_different_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(3, 3\) but the true ones \(3, 4\)"):
        match_labels(np.ones((3, 3), int), np.ones((3, 4), int))


def test_labels_that_are_no_ids_are_refused() -> None:
    with pytest.raises(InputError, match="found labels are float64"):
        match_labels(np.ones((3, 3)), np.ones((3, 3), int))
    with pytest.raises(InputError, match="true labels are complex128"):
        match_labels(np.ones((3, 3), int), np.ones((3, 3), complex))


@pytest.mark.parametrize("threshold", [0.4, 1.1])
def test_a_threshold_at_which_matches_are_not_known_is_refused(threshold: float) -> None:
    matching: Matching = match_labels(np.ones((3, 3), int), np.ones((3, 3), int))
    with pytest.raises(InputError, match=f"threshold of {threshold} cannot be used"):
        average_precision([matching], (0.5, threshold))
