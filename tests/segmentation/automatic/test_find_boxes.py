from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from napari_sam import Segmenter, open_image
from napari_sam.segmentation.automatic.merge_rules import MergeRules

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.model.sam import Sam

SHAPE = (300, 420)

BOXES = np.array(
    [(y - 0.5, x - 0.5, y + 19.5, x + 15.5) for y in range(4, 280, 40) for x in range(6, 400, 31)]
)


@pytest.fixture
def session(disc_model: Sam) -> Segmenter:
    """Masks are the insides of boxes, whatever the image shows."""
    return Segmenter(disc_model, np.zeros(SHAPE, np.uint8))


def filled(boxes: np.ndarray) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int64)
    for number, box in enumerate(boxes, start=1):
        y0, x0, y1, x1 = np.ceil(box).astype(int)
        labels[y0:y1, x0:x1] = number
    return labels


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_every_box_has_one_object(session: Segmenter) -> None:
    shuffled = np.random.default_rng(0).permutation(len(BOXES))
    result = session.segment(boxes=BOXES[shuffled])
    labels, truth = np.asarray(result.labels), filled(BOXES)
    assert len(result) == len(BOXES)
    for row in result.objects.itertuples():
        number = shuffled[row.box] + 1
        assert overlap(labels == row.id, truth == number) > 0.7


def test_the_order_of_the_boxes_changes_their_numbers_only(session: Segmenter) -> None:
    one = session.segment(boxes=BOXES)
    other = session.segment(boxes=BOXES[::-1])
    np.testing.assert_array_equal(np.asarray(one.labels), np.asarray(other.labels))
    np.testing.assert_array_equal(one.objects["box"], len(BOXES) - 1 - other.objects["box"])


def test_two_boxes_of_one_object_are_one_object(session: Segmenter) -> None:
    boxes = [(10, 10, 40, 40), (11, 10, 40, 41), (10, 60, 40, 90)]
    assert len(session.segment(boxes=boxes)) == 2
    assert len(session.segment(boxes=boxes[1:])) == 2


def test_low_scores_are_dropped_where_that_is_asked_for(session: Segmenter) -> None:
    assert len(session.segment(boxes=BOXES[:3])) == 3
    assert len(session.segment(boxes=BOXES[:3], rules=MergeRules(min_score=0.7))) == 0


def test_boxes_larger_than_a_tile_are_answered(session: Segmenter) -> None:
    boxes = np.array([(10, 12, 290, 400), (100, 100, 120, 125)])
    result = session.segment(
        boxes=boxes, rules=MergeRules(min_score=0, min_stability=0, level="part")
    )
    areas = dict(zip(result.objects["box"], result.objects["area"], strict=True))
    assert areas[1] == pytest.approx(20 * 25, rel=0.3)
    result = session.segment(boxes=boxes[:1])
    assert int(result.objects["area"][0]) == pytest.approx(280 * 388, rel=0.1)


def test_masks_are_those_that_the_same_prompts_draw(session: Segmenter) -> None:
    boxes = [(10, 12, 290, 400), (20, 405, 60, 418)]
    result = session.segment(boxes=boxes)
    labels = np.asarray(result.labels)
    expected = np.zeros_like(labels)
    for value, number in zip(result.objects["id"], result.objects["box"], strict=True):
        candidate = session.predict(box=boxes[number])[0]
        (y, x), mask = candidate.origin, candidate.mask
        expected[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = value
        area = result.objects.set_index("id")["area"][value]
        assert area == np.count_nonzero(mask) == candidate.area
    assert len(result.objects) == 2
    np.testing.assert_array_equal(labels, expected)


def test_boxes_of_a_stack_lie_in_their_planes(disc_model: Sam) -> None:
    image = open_image(np.zeros((3, 100, 120), np.uint8), axes="ZYX")
    session = Segmenter(disc_model, image)
    boxes = pd.DataFrame(
        [(2, 10, 10, 30, 35), (0, 50, 60, 80, 90), (2, 50, 60, 80, 90)],
        columns=["z", "y0", "x0", "y1", "x1"],
    )
    result = session.segment(boxes=boxes)
    assert result.planes == ((0,), (2,))
    np.testing.assert_array_equal(result.objects["z"], [0, 2, 2])
    np.testing.assert_array_equal(result.objects["box"], [1, 0, 2])
    labels = np.asarray(result.labels)
    assert [sorted(set(np.unique(plane)) - {0}) for plane in labels] == [[1], [], [2, 3]]
    one = session.segment(boxes=boxes[["y0", "x0", "y1", "x1"]], planes=[1])
    np.testing.assert_array_equal(one.objects["z"], [1, 1])


def test_a_run_goes_on_with_the_boxes_that_are_left(
    session: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session.segment(boxes=BOXES)
    asked: list[int] = []
    predict_many = session.predict_many

    def counted(prompts: Any) -> Any:
        asked.append(len(prompts))
        return predict_many(prompts)

    monkeypatch.setattr(session, "predict_many", counted)
    steps = session.segment_progress(boxes=BOXES, records=tmp_path / "records")
    for step in steps:
        if step.done == 2:
            break
    steps.close()  # type: ignore[attr-defined]
    assert 0 < sum(asked) < len(BOXES)
    rest = session.segment(boxes=BOXES, records=tmp_path / "records")
    assert sum(asked) == len(BOXES)
    np.testing.assert_array_equal(np.asarray(rest.labels), np.asarray(whole.labels))


def test_no_boxes_are_no_objects(session: Segmenter) -> None:
    assert len(session.segment(boxes=[])) == 0
