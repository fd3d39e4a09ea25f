"""Whether scores can be believed, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_sam.evaluate import correlation, mean_absolute_error, reliability, share_of_oracle


def test_the_error_is_the_mean_distance() -> None:
    assert mean_absolute_error([0.9, 0.5], [0.5, 0.7]) == pytest.approx(0.3)
    assert math.isnan(mean_absolute_error([], []))


def test_correlation_is_pearsons() -> None:
    scores = np.random.default_rng(0).random(50)
    assert correlation(scores, 0.2 + scores / 2) == pytest.approx(1)
    assert correlation(scores, 1 - scores) == pytest.approx(-1)
    ious = np.random.default_rng(1).random(50)
    expected = np.cov(scores, ious)[0, 1] / np.sqrt(scores.var(ddof=1) * ious.var(ddof=1))
    assert correlation(scores, ious) == pytest.approx(expected)


@pytest.mark.parametrize(("scores", "ious"), [([0.5, 0.5], [0, 1]), ([0, 1], [1, 1]), ([], [])])
def test_what_does_not_vary_has_no_correlation(scores: list[float], ious: list[float]) -> None:
    assert math.isnan(correlation(scores, ious))


def test_the_share_of_the_oracle_is_one_of_sums() -> None:
    assert share_of_oracle([0.2, 0.7], [0.5, 0.7]) == pytest.approx(0.75)
    assert math.isnan(share_of_oracle([0, 0], [0, 0]))


def test_bins_hold_means_and_every_answer_once() -> None:
    low, high = reliability([0.11, 0.19, 0.95], [0.4, 0.6, 0.8])
    assert (low.count, low.score, low.iou) == (2, pytest.approx(0.15), pytest.approx(0.5))
    assert (high.count, high.score, high.iou) == (1, 0.95, 0.8)


def test_scores_beyond_0_and_1_count_for_the_outermost_bins() -> None:
    bins = reliability([-0.3, 0.05, 1.0, 1.4], [0, 0, 1, 1])
    assert [each.count for each in bins] == [2, 2]
    assert bins[-1].score == pytest.approx(1.2)


def test_a_score_of_1_counts_with_those_just_below() -> None:
    (bin_,) = reliability([0.95, 1.0], [0.9, 1.0])
    assert (bin_.count, bin_.score) == (2, pytest.approx(0.975))


def test_calibrated_scores_lie_on_the_diagonal() -> None:
    scores = np.random.default_rng(0).random(1000)
    bins = reliability(scores, scores)
    assert sum(each.count for each in bins) == 1000
    assert len(bins) == 10
    for each in bins:
        assert each.score == pytest.approx(each.iou)
