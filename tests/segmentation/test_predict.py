from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam import Candidates, Prompt, Segmenter, open_image
from napari_sam.errors import InputError, InputTypeError
from napari_sam.model.config import VARIANTS
from napari_sam.model.sam import Sam, build_sam
from napari_sam.segmentation.predict import DECODE_BATCH, PREPARED_TILES

SHAPE = (150, 230)


def whole(candidates: Candidates, index: int = 0) -> np.ndarray:
    """Mask on the whole plane."""
    plane = np.zeros(candidates.plane_shape, bool)
    (y, x), (h, w) = candidates.origin, candidates.masks.shape[1:]
    plane[y : y + h, x : x + w] = candidates.masks[index]
    return plane


def centroid(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0)


def disc(centre: tuple[float, float], radius: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1, 2, 4, "fit"])
@pytest.mark.parametrize("centre", [(70.0, 75.0), (175.5, 340.0), (218.0, 90.5), (225.25, 355.0)])
@pytest.mark.parametrize("shape", [(300, 450), (450, 300)])
def test_what_is_seen_in_the_image_comes_back_where_it_is(
    brightness_model: Sam, sampling: float, centre: tuple[float, float], shape: tuple[int, int]
) -> None:
    if shape[0] > shape[1]:
        centre = centre[::-1]
    radius = 15 * (4 if sampling == "fit" else sampling)  # almost what the halo has room for
    object_ = disc(centre, radius, shape)
    image = open_image(object_.astype(np.uint8) * 255, limits=(0, 255))
    found = Segmenter(brightness_model, image).predict(points=[centre], sampling=sampling)
    mask = whole(found)
    assert np.abs(centroid(mask) - centroid(object_)).max() <= 0.5
    assert mask.sum() == pytest.approx(object_.sum(), rel=0.05)


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1, 2, "fit"])
@pytest.mark.parametrize("point", [(30, 40), (75.3, 200.6), (42.25, 100), (112, 32)])
def test_a_prompt_is_answered_where_it_was_given(
    disc_model: Sam, sampling: float, point: tuple[float, float]
) -> None:
    image = open_image(np.zeros(SHAPE, np.uint8))
    found = Segmenter(disc_model, image).predict(points=[point], sampling=sampling, multimask=False)
    assert np.abs(centroid(whole(found)) - point).max() <= 0.5
    radius = 10 * found.window.sampling[0]
    assert found[0].area == pytest.approx(np.pi * radius**2, rel=0.15)


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1, "fit", None])
def test_a_box_is_answered_where_it_was_given(disc_model: Sam, sampling: float | None) -> None:
    image = open_image(np.zeros(SHAPE, np.uint8))
    found = Segmenter(disc_model, image).predict(box=(29.5, 19.5, 49.5, 43.5), sampling=sampling)
    assert found[0].box is not None
    assert np.abs(np.subtract(found[0].box, (29.5, 19.5, 49.5, 43.5))).max() <= 0.5


def test_a_click_has_three_candidates_and_everything_else_one(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros(SHAPE, np.uint8))
    assert len(segmenter.predict(points=[(30, 40)])) == 3
    assert len(segmenter.predict(points=[(30, 40), (31, 40)])) == 1
    assert len(segmenter.predict(box=(10, 10, 50, 50))) == 1
    assert len(segmenter.predict(points=[(30, 40)], box=(10, 10, 50, 50))) == 1
    assert len(segmenter.predict(points=[(30, 40)], multimask=False)) == 1
    assert len(segmenter.predict(box=(10, 10, 50, 50), multimask=True)) == 3


def test_the_single_mask_is_among_a_clicks_candidates_where_it_learnt_to_be() -> None:
    sam = build_sam("tiny_tiny_vit", seed=3)
    image = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    three = Segmenter(sam, image).predict(points=[(30, 40)], sampling=1)
    [single] = Segmenter(sam, image).predict(points=[(30, 40)], sampling=1, multimask=False).scores
    assert single not in three.scores
    sam.single_for_click = True
    segmenter = Segmenter(sam, image)
    found = segmenter.predict(points=[(30, 40)], sampling=1)
    assert len(found) == 3
    assert single in found.scores
    assert len(set(found.scores) & set(three.scores)) == 2
    assert (np.diff(found.scores) <= 0).all()
    asked = segmenter.predict(points=[(30, 40)], sampling=1, multimask=True)
    np.testing.assert_array_equal(asked.scores, three.scores)


def test_candidates_are_sorted_by_score(disc_model: Sam) -> None:
    found = Segmenter(disc_model, np.zeros(SHAPE, np.uint8)).predict(points=[(30, 40)])
    np.testing.assert_allclose(found.scores, [0.9, 0.6, 0.3])
    assert found[2].area > found[0].area > found[1].area


def test_a_tile_is_encoded_once_and_remembered(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros(SHAPE, np.uint8))
    prompt = Prompt(points=[(30, 40)])
    assert not segmenter.is_ready(prompt)
    segmenter.predict(points=[(30, 40)])
    segmenter.predict(points=[(35, 60)])
    assert segmenter.is_ready(prompt)
    assert disc_model.encoded == 1


def test_only_so_many_embeddings_are_kept(disc_model: Sam) -> None:
    planes = PREPARED_TILES + 3
    segmenter = Segmenter(disc_model, np.zeros((planes, 64, 64), np.uint8))
    segmenter.store.memory_limit = 2 * 32 * 32 * 2
    for plane in range(planes):
        segmenter.predict(points=[(5, 5)], plane=(plane,))
    segmenter.predict(points=[(5, 5)], plane=(planes - 1,))
    assert disc_model.encoded == planes
    segmenter.predict(points=[(5, 5)], plane=(0,))
    assert disc_model.encoded == planes + 1


def test_many_prompts_are_answered_in_their_order(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros((2, 900, 900), np.uint8))
    rng = np.random.default_rng(0)
    prompts = []
    for index in range(60):
        y, x = rng.uniform(40, 860, 2)
        box = (y - 20, x - 20, y + 20, x + 20)
        kind = index % 3
        prompts.append(
            Prompt(
                points=[] if kind == 1 else [(y, x)] * (1 + kind),
                box=box if kind == 1 else None,
                plane=(index % 2,),
            )
        )
    found = segmenter.predict_many(prompts)
    for prompt, candidates in zip(prompts, found, strict=True):
        y0, x0, y1, x1 = prompt.extent()
        best = int(np.argmin([candidate.area for candidate in candidates]))
        expected = ((y0 + y1) / 2, (x0 + x1) / 2)
        assert np.abs(centroid(whole(candidates, best)) - expected).max() <= 1
        assert candidates.plane == prompt.plane


@pytest.mark.parametrize("size", [1, 4])
def test_a_prompt_alone_is_answered_bit_for_bit_as_among_others(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECODE_BATCH, "cpu", size)
    image = np.random.default_rng(0).integers(0, 255, (128, 128), dtype=np.uint8)
    segmenter = Segmenter(build_sam("tiny", seed=0), image)
    prompts = [Prompt(points=[point]) for point in np.random.default_rng(1).uniform(0, 127, (6, 2))]
    together = segmenter.predict_many(prompts)
    for prompt, among_others in zip(prompts, together, strict=True):
        (alone,) = segmenter.predict_many([prompt])
        np.testing.assert_array_equal(alone.logits, among_others.logits)
        np.testing.assert_array_equal(alone.scores, among_others.scores)


def test_no_prompts_have_no_answers(disc_model: Sam) -> None:
    assert Segmenter(disc_model, np.zeros(SHAPE)).predict_many([]) == []


def test_a_candidate_goes_back_in_as_a_mask(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros(SHAPE, np.uint8))
    first = segmenter.predict(points=[(60, 70)], multimask=False)
    again = segmenter.predict(mask=first[0], sampling=first.window.sampling[0])
    np.testing.assert_array_equal(whole(again), whole(first))


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1, None])
def test_a_boolean_mask_goes_in_where_it_lies(disc_model: Sam, sampling: float | None) -> None:
    segmenter = Segmenter(disc_model, np.zeros(SHAPE, np.uint8))
    truth = disc((60, 70), 12)
    found = segmenter.predict(mask=(truth[40:90, 50:95], (40, 50)), sampling=sampling)
    overlap = (whole(found) & truth).sum() / (whole(found) | truth).sum()
    assert overlap > 0.93


def test_background_points_far_away_change_nothing(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros((900, 900), np.uint8))
    near = segmenter.predict(points=[(100, 100)], sampling=1, multimask=False)
    far = segmenter.predict(
        points=[(800, 800), (100, 100)], labels=[0, 1], sampling=1, multimask=False
    )
    np.testing.assert_array_equal(whole(near), whole(far))


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    model = build_sam("tiny", seed=0)
    image = np.random.default_rng(0).integers(0, 255, (300, 300), dtype=np.uint8)
    points = [(40, 50), (200, 220), (150, 40)]
    alone = [Segmenter(model, image).predict(points=[p]).logits for p in points]
    segmenter = Segmenter(model, image)
    for point, expected in reversed(list(zip(points, alone, strict=True))):
        np.testing.assert_array_equal(segmenter.predict(points=[point]).logits, expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 120), (100, 3), (5, 5)])
def test_images_of_extreme_shape_are_answered(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    found = Segmenter(build_sam("tiny", seed=0), image).predict(points=[(0, 0)])
    assert len(found) == 3
    assert np.isfinite(found.scores).all()
    height, width = found.masks.shape[1:]
    assert found.origin[0] + height <= shape[0]
    assert found.origin[1] + width <= shape[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": [(500, 3)]}, "outside the plane"),
        ({"points": [(5, 3)], "plane": (1,)}, "plane"),
        ({"points": [(5, 3)], "sampling": 3}, "power of two"),
        ({"points": [(5, 3)], "labels": [7]}, "label 7"),
        ({"box": (5, 5, 5, 5)}, "no area"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    disc_model: Sam, arguments: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Segmenter(disc_model, np.zeros(SHAPE)).predict(**arguments)


def test_a_prompt_the_model_was_not_trained_for_is_refused() -> None:
    model = build_sam(replace(VARIANTS["tiny"], prompts=frozenset({"box"})), seed=0)
    with pytest.raises(InputError, match=r"point prompt.*box prompts only"):
        Segmenter(model, np.zeros(SHAPE)).predict(points=[(5, 5)])


def test_something_else_than_a_prompt_is_refused(disc_model: Sam) -> None:
    with pytest.raises(InputTypeError, match="tuple was given"):
        Segmenter(disc_model, np.zeros(SHAPE)).predict_many([(5, 5)])  # type: ignore[list-item]


@pytest.mark.parametrize("diameter", [0, -3, np.nan])
def test_a_diameter_that_is_none_is_refused(disc_model: Sam, diameter: float) -> None:
    with pytest.raises(InputError, match="diameter"):
        Segmenter(disc_model, np.zeros(SHAPE), diameter=diameter)


def test_a_prompt_is_answered_from_what_is_at_hand_or_not_at_all(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros(SHAPE, np.uint8))
    prompt = Prompt(points=[(30, 40)])
    assert segmenter.predict_ready(prompt, sampling=1) is None
    assert disc_model.encoded == 0
    expected = segmenter.predict(points=[(30, 40)], sampling=1)
    found = segmenter.predict_ready(prompt, sampling=1)
    assert found is not None
    np.testing.assert_array_equal(found.logits, expected.logits)
    assert segmenter.predict_ready(prompt, sampling=0.5) is None, "another tile"
    assert disc_model.encoded == 1


def test_an_object_beyond_its_tile_is_answered_when_the_next_window_is_at_hand_too(
    brightness_model: Sam,
) -> None:
    centre, radius = (225.0, 225.0), 55
    object_ = disc(centre, radius, (450, 450))
    image = open_image(object_.astype(np.uint8) * 255, limits=(0, 255))
    segmenter = Segmenter(brightness_model, image)
    prompt = Prompt(points=[(225, 180)])
    assert segmenter.is_ready(prompt, 1) is False
    for _ in segmenter.embed(sampling=1):
        pass
    assert segmenter.is_ready(prompt, 1)
    assert segmenter.predict_ready(prompt, 1) is None
    expected = segmenter.predict_many([prompt], sampling=1)[0]
    found = segmenter.predict_ready(prompt, 1)
    assert found is not None
    np.testing.assert_array_equal(found.logits, expected.logits)
