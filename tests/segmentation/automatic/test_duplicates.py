"""Which masks are forgotten for others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.segmentation.automatic.duplicates import distinct, not_dominated
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.settings import AutomaticSettings

SETTINGS = AutomaticSettings(min_score=0.8, min_stability=0.9, nms_iou=0.7)


def found(
    boxes: list[tuple[int, int, int, int]], scores: list[float], stability: list[float]
) -> FoundMasks:
    n = len(boxes)
    rles = np.empty(n, np.object_)
    rles[:] = [b""] * n
    return FoundMasks(
        boxes=np.array(boxes, np.int64),
        rles=rles,
        scores=np.array(scores, np.float32),
        stability=np.array(stability, np.float32),
        areas=np.array([(y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in boxes]),
        points=np.zeros((n, 2)),
        prompts=np.arange(n),
        tokens=np.ones(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )


HERE, NEARLY, ELSEWHERE = (0, 0, 20, 20), (0, 0, 20, 21), (50, 50, 70, 70)


def rows(boxes: list[tuple[int, int, int, int]], scores: list[float], stability: list[float]):
    return not_dominated(
        np.array(boxes, float), np.array(scores), np.array(stability), 0.7
    ).tolist()


def test_a_mask_that_is_worse_in_both_scores_is_dropped() -> None:
    assert rows([HERE, NEARLY], [0.7, 0.9], [0.8, 0.95]) == [1]


def test_a_mask_that_is_better_in_one_of_them_stays() -> None:
    assert rows([HERE, NEARLY], [0.7, 0.9], [0.99, 0.95]) == [1, 0]


def test_a_mask_elsewhere_stays() -> None:
    assert rows([HERE, ELSEWHERE], [0.7, 0.9], [0.8, 0.95]) == [1, 0]


def test_of_two_that_score_the_same_the_first_stays() -> None:
    assert rows([HERE, NEARLY], [0.9, 0.9], [0.95, 0.95]) == [0]


def test_a_mask_that_was_dropped_drops_no_other() -> None:
    chain = [(0, 0, 20, 20), (0, 0, 20, 26), (0, 0, 20, 34)]  # neighbours overlap by 0.76
    assert rows(chain, [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]) == [0, 2]


def test_points_are_boxes_too() -> None:
    point = (5, 5, 5, 5)
    assert rows([point, point, (6, 5, 6, 5)], [0.9, 0.8, 0.7], [0.9, 0.8, 0.7]) == [0, 2]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), score=st.floats(0, 1), stability=st.floats(0, 1))
def test_for_any_thresholds_a_dropped_mask_has_a_better_one_in_its_place(
    seed: int, score: float, stability: float
) -> None:
    random = np.random.default_rng(seed)
    corners = random.integers(0, 8, (40, 2))
    boxes = np.concatenate([corners, corners + random.integers(8, 12, (40, 2))], axis=1)
    scores, stable = random.random(40).round(1), random.random(40).round(1)
    kept = not_dominated(boxes.astype(float), scores, stable, 0.5)
    dropped = np.setdiff1d(np.arange(40), kept)
    assert len(dropped)
    good = kept[(scores[kept] >= score) & (stable[kept] >= stability)]
    for row in dropped[(scores[dropped] >= score) & (stable[dropped] >= stability)]:
        sides = np.minimum(boxes[row, 2:], boxes[good, 2:]) - np.maximum(
            boxes[row, :2], boxes[good, :2]
        )
        shared = np.maximum(sides, 0).prod(axis=1)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        overlaps = shared / (areas[row] + areas[good] - shared) >= 0.5
        assert (overlaps & (scores[good] >= scores[row])).any()


def test_distinct_masks_pass_the_thresholds_and_the_best_of_a_box_stays() -> None:
    masks = found(
        [HERE, NEARLY, ELSEWHERE, ELSEWHERE],
        [0.85, 0.9, 0.79, 0.81],
        [0.99, 0.95, 0.99, 0.89],
    )
    assert distinct(masks, SETTINGS).prompts.tolist() == [1]
    loose = replace(SETTINGS, min_stability=0.8)
    assert distinct(masks, loose).prompts.tolist() == [1, 3]


def test_distinct_masks_may_lie_in_each_other() -> None:
    masks = found([HERE, (5, 5, 10, 10)], [0.9, 0.95], [0.95, 0.95])
    assert distinct(masks, SETTINGS).prompts.tolist() == [1, 0]


def test_small_masks_are_not_among_the_distinct_ones() -> None:
    masks = found([HERE, ELSEWHERE], [0.9, 0.95], [0.95, 0.95])
    masks = replace(masks, areas=np.array([400, 3]))
    assert distinct(masks, replace(SETTINGS, min_area=4)).prompts.tolist() == [0]
    assert distinct(masks, replace(SETTINGS, min_area=3)).prompts.tolist() == [1, 0]


def test_nothing_found_stays_nothing() -> None:
    assert len(distinct(FoundMasks.empty(), SETTINGS)) == 0
