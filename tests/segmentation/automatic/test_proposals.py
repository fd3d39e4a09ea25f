from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.proposals import distinct_boxes, rank_proposals


def squares(corners: list[tuple[int, int]], scores: list[float], stable: list[float]) -> FoundMasks:
    n = len(corners)
    boxes = np.array([(y, x, y + 20, x + 20) for y, x in corners], np.int64).reshape(n, 4)
    return replace(
        FoundMasks.empty(),
        boxes=boxes,
        rles=np.full(n, b"", np.object_),
        scores=np.array(scores, np.float32),
        stability=np.array(stable, np.float32),
        areas=np.full(n, 400),
        points=boxes[:, :2].astype(float),
        prompts=np.arange(n),
        tokens=np.zeros(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )


def test_the_mean_of_score_and_stability_ranks() -> None:
    found = squares([(0, 0), (0, 50), (0, 100)], [0.9, 0.5, 0.7], [0.2, 0.9, 0.1])
    np.testing.assert_array_equal(rank_proposals(found).prompts, [1, 0, 2])


def test_duplicates_go_and_neighbours_stay() -> None:
    found = squares([(0, 0), (0, 0), (0, 1), (0, 4)], [0.6, 0.9, 0.8, 0.7], [0.5] * 4)
    np.testing.assert_array_equal(rank_proposals(found).prompts, [1, 3])
    np.testing.assert_array_equal(rank_proposals(found, nms_iou=0.95).prompts, [1, 2, 3])


def test_only_so_many_are_kept() -> None:
    found = squares([(0, 50 * i) for i in range(8)], list(np.linspace(0.1, 0.9, 8)), [0.5] * 8)
    np.testing.assert_array_equal(rank_proposals(found, at_most=3).prompts, [7, 6, 5])


def test_the_order_of_the_masks_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    corners = [(int(y), int(x)) for y, x in rng.integers(0, 60, (40, 2))]
    found = squares(corners, list(rng.integers(0, 4, 40) / 4), [0.5] * 40)
    expected = rank_proposals(found, nms_iou=0.3).prompts
    assert 1 < len(expected) < 40
    for seed in range(5):
        shuffled = found.take(np.random.default_rng(seed).permutation(40))
        np.testing.assert_array_equal(rank_proposals(shuffled, nms_iou=0.3).prompts, expected)


def test_nothing_found_is_no_proposal() -> None:
    assert len(rank_proposals(FoundMasks.empty())) == 0
    assert len(distinct_boxes(np.empty((0, 4), np.int64), 0.5)) == 0
