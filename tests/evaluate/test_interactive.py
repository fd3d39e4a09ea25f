"""The questions a simulated user asks, and the scoring of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam import Segmenter, open_image
from napari_sam.errors import InputError
from napari_sam.evaluate import ObjectResult, evaluate_prompts, interactive, protocol_sampling
from napari_sam.evaluate.truth import deepest_point
from napari_sam.model.sam import build_sam

if TYPE_CHECKING:
    from tests.evaluate.conftest import ObedientModel

PIXELS = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)


def disc(centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: PIXELS.shape[0], : PIXELS.shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) < radius


def labelled(*masks: np.ndarray) -> np.ndarray:
    labels = np.zeros(PIXELS.shape[:2], np.int32)
    for index, mask in enumerate(masks, start=1):
        labels[mask] = index
    return labels


def evaluate(model: Any, labels: np.ndarray, **options: Any) -> list[ObjectResult]:
    """Evaluate with an image pixel to a model pixel, so that radii agree."""
    return list(evaluate_prompts(model, PIXELS, labels, **{"sampling": 1, **options}))


def test_the_best_score_is_the_answer_and_the_oracle_knows_better(
    obedient_model: ObedientModel,
) -> None:
    (result,) = evaluate(obedient_model, labelled(disc((50, 60), 24)))
    assert result.click_score == pytest.approx(0.9)  # of the disc with radius 16
    assert result.click_iou == pytest.approx(16**2 / 24**2, abs=0.03)
    assert result.oracle_iou > 0.95
    assert result.box_iou == pytest.approx(np.pi / 4, abs=0.03)  # a disc fills so much of a box
    assert result.corrected == result.corrected_scores == ()


def test_a_result_says_how_large_the_object_is(obedient_model: ObedientModel) -> None:
    mask = disc((50, 60), 10)
    (result,) = evaluate(obedient_model, labelled(mask))
    assert (result.id, result.area) == (1, mask.sum())
    assert result.diameter == pytest.approx(20, abs=0.5)


def test_clicks_and_boxes_are_those_of_a_careful_user(obedient_model: ObedientModel) -> None:
    mask = np.zeros(PIXELS.shape[:2], bool)
    mask[31:40, 20:29] = True
    evaluate(obedient_model, labelled(mask))
    clicked, boxed = obedient_model.asked
    assert clicked.points is not None
    assert clicked.points.tolist() == [[[24.5, 35.5]]]  # x, y of the centre of pixel (35, 24)
    assert boxed.boxes is not None
    assert boxed.boxes.tolist() == [[20, 31, 29, 40]]


@pytest.mark.parametrize("sampling", [0.5, 1, 2])
def test_iou_is_that_of_whole_planes(sampling: float) -> None:
    model = build_sam("tiny_tiny_vit", seed=0)
    masks = [disc((20, 20), 15), disc((70, 100), 25), disc((60, 30), 20)]
    results = evaluate(model, labelled(*masks), sampling=sampling)
    session = Segmenter(model, open_image(PIXELS, limits=(0, 255)))
    for true, result in zip(masks, results, strict=True):
        click, _ = deepest_point(true)
        candidates = session.predict(points=[click], sampling=sampling)
        ious = []
        for candidate in candidates:
            found = np.zeros_like(true)
            (top, left), (height, width) = candidate.origin, candidate.mask.shape
            found[top : top + height, left : left + width] = candidate.mask
            ious.append((found & true).sum() / (found | true).sum())
        assert result.click_iou == pytest.approx(ious[0], abs=1e-12)
        assert result.oracle_iou == pytest.approx(max(ious), abs=1e-12)
    assert any(result.click_iou > 0 for result in results)


def test_a_corrective_click_goes_where_most_is_missing(obedient_model: ObedientModel) -> None:
    mask = disc((50, 30), 16) | disc((50, 70), 12) | disc((50, 95), 7)
    evaluate(obedient_model, labelled(mask), corrections=2)
    assert obedient_model.asked[0].points is not None
    first, second = obedient_model.asked[2:]
    assert first.points is not None
    assert second.points is not None
    assert first.labels is not None
    points = first.points[0]
    assert points[:1].tolist() == obedient_model.asked[0].points[0].tolist()
    assert first.labels.tolist() == [[1, 1]]
    assert np.hypot(*(points[1].numpy() - (70.5, 50.5))) < 4
    assert second.points[0, :2].tolist() == points.tolist()
    assert second.points.shape == (1, 3, 2)


def test_what_is_too_much_is_clicked_away(obedient_model: ObedientModel) -> None:
    obedient_model.radius = 12  # answers with 24 for an object of 10
    (result,) = evaluate(obedient_model, labelled(disc((50, 60), 10)), corrections=1)
    (asked,) = obedient_model.asked[2:]
    assert asked.labels is not None
    assert asked.labels.tolist() == [[1, 0]]
    assert result.corrected[0] > result.click_iou


def test_the_previous_answer_comes_along_as_mask(obedient_model: ObedientModel) -> None:
    evaluate(obedient_model, labelled(disc((50, 60), 24)), corrections=2)
    masks = [asked.masks for asked in obedient_model.asked]
    assert masks[:2] == [None, None]
    first, second = masks[2:]
    assert first is not None
    assert second is not None
    assert (first > 0).sum() == pytest.approx(np.pi * 16**2 / 4**2, rel=0.05)  # logits of 4 pixels
    assert not (first == second).all()


def test_clicks_bring_the_answer_nearer(obedient_model: ObedientModel) -> None:
    mask = disc((50, 30), 16) | disc((50, 52), 8)
    (result,) = evaluate(obedient_model, labelled(mask), corrections=2)
    assert result.click_iou < 0.9 < result.corrected[0]
    assert len(result.corrected) == 2
    assert result.corrected_scores == pytest.approx((0.6, 0.6))  # one mask for several clicks


def test_a_perfect_answer_is_not_corrected(obedient_model: ObedientModel) -> None:
    session = Segmenter(obedient_model, open_image(PIXELS, limits=(0, 255)))
    answer = session.predict(points=[(50, 60)], sampling=1)[0]
    mask = np.zeros(PIXELS.shape[:2], bool)
    (y, x), (height, width) = answer.origin, answer.mask.shape
    mask[y : y + height, x : x + width] = answer.mask
    click = np.argwhere(mask).mean(axis=0)
    assert click.tolist() == [50, 60]
    obedient_model.asked.clear()
    imperfect = disc((20, 100), 12)
    same, other = evaluate(obedient_model, labelled(mask, imperfect & ~mask), corrections=1)
    assert same.click_iou == 1
    assert same.corrected == (1.0,)
    assert same.corrected_scores == (same.click_score,)
    assert other.click_iou < 1
    assert sum(asked.masks is not None for asked in obedient_model.asked) == 1


def test_an_empty_answer_is_worth_nothing(obedient_model: ObedientModel) -> None:
    obedient_model.radius = -1
    (result,) = evaluate(obedient_model, labelled(disc((50, 60), 10)), corrections=1)
    assert result.click_iou == result.oracle_iou == result.corrected[0] == 0


def test_objects_are_asked_for_in_groups_of_bounded_size(
    obedient_model: ObedientModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = labelled(*(disc((50, x), 5 + x / 20) for x in (10, 40, 70, 100)))
    together = evaluate(obedient_model, labels, corrections=1)
    monkeypatch.setattr(interactive, "TOGETHER", 3)
    assert evaluate(obedient_model, labels, corrections=1) == together
    assert [result.id for result in together] == [1, 2, 3, 4]


def test_small_objects_and_too_many_are_left_out(obedient_model: ObedientModel) -> None:
    labels = labelled(disc((20, 20), 3), disc((50, 20), 9), disc((50, 60), 9), disc((50, 100), 9))
    assert [result.id for result in evaluate(obedient_model, labels)] == [2, 3, 4]
    assert len(evaluate(obedient_model, labels, min_area=10)) == 4
    assert [result.id for result in evaluate(obedient_model, labels, at_most=1)] == [3]


def test_the_usual_sampling_depends_on_the_plane() -> None:
    assert [protocol_sampling(shape) for shape in ((300, 20), (20, 301))] == [0.25, 0.5]


def test_the_usual_sampling_is_used(obedient_model: ObedientModel) -> None:
    labels = labelled(disc((50, 60), 9))
    assert evaluate(obedient_model, labels, sampling=None) == evaluate(
        obedient_model, labels, sampling=1 / 4
    )
    assert evaluate(obedient_model, labels) != evaluate(obedient_model, labels, sampling=1 / 4)


def test_a_model_for_boxes_only_is_refused() -> None:
    model = build_sam("lite_medsam", seed=0)
    with pytest.raises(InputError, match="trained for box prompts only"):
        evaluate(model, labelled(disc((50, 60), 9)))
