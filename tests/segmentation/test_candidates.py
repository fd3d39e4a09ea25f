from __future__ import annotations

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.images.tiles import Window
from napari_sam.segmentation import candidates as candidates_module
from napari_sam.segmentation.candidates import Candidates, stability_score


def candidates(
    scores: list[float], logits: np.ndarray, shape: tuple[int, int] = (128, 128)
) -> Candidates:
    window = Window((0.0, 0.0), (1.0, 1.0), 128)
    return Candidates(logits.astype(np.float32), np.array(scores, np.float32), window, (), shape)


def block(value: float, rows: slice, columns: slice) -> np.ndarray:
    logits = np.full((32, 32), -10.0)
    logits[rows, columns] = value
    return logits


def test_the_best_score_comes_first_and_takes_its_mask_along() -> None:
    small, large = block(5, slice(4, 6), slice(4, 6)), block(5, slice(2, 12), slice(2, 12))
    found = candidates([0.2, 0.8], np.stack([small, large]))
    np.testing.assert_allclose(found.scores, [0.8, 0.2])
    assert found[0].area > found[1].area > 0
    assert [candidate.score for candidate in found] == pytest.approx([0.8, 0.2])


def test_masks_are_cropped_to_one_box_that_holds_them_all() -> None:
    found = candidates(
        [0.9, 0.5],
        np.stack([block(9, slice(4, 6), slice(8, 10)), block(9, slice(10, 12), slice(8, 10))]),
    )
    assert found.masks.shape[1:] < (60, 60)
    y, x = found.origin
    assert found.masks[0, 20 - y, 36 - x]
    assert found.masks[1, 44 - y, 36 - x]
    assert not found.masks[0, 44 - y, 36 - x]


def test_a_box_is_tight_in_continuous_coordinates() -> None:
    found = candidates([0.9], block(10, slice(4, 6), slice(8, 11))[None])
    assert found[0].box == (15.5, 31.5, 23.5, 43.5)  # logits of 4 pixels with equal slopes outside


def test_masks_end_with_the_plane() -> None:
    found = candidates([0.9], np.full((1, 32, 32), 5.0), shape=(50, 70))
    assert found.masks.shape == (1, 50, 70)
    assert found.masks.all()


def test_an_empty_mask_is_one_empty_pixel_inside_the_image() -> None:
    found = candidates([0.9], np.full((1, 32, 32), -5.0))
    assert (found.masks.shape, found.origin, found[0].area, found[0].box) == (
        (1, 1, 1),
        (0, 0),
        0,
        None,
    )
    assert found.stability[0] == 0


def test_masks_too_large_to_hold_are_refused_and_drawn_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates_module, "MAX_DRAWN_PIXELS", 3000)
    small = candidates([0.9], block(9, slice(4, 6), slice(8, 10))[None])
    assert small.masks.any()
    large = candidates([0.9], np.full((1, 32, 32), 5.0))
    with pytest.raises(InputError, match="128 x 128 pixels at level 0, too many"):
        large.masks  # noqa: B018
    assert large[0].draw((10, 10, 20, 30)).all()


def test_stability_is_the_overlap_between_a_high_and_a_low_threshold() -> None:
    logits = np.full((3, 4, 4), -5.0)
    logits[:, 0] = 5.0  # four sure pixels
    logits[1, 1, :2] = 0.5  # two that the high threshold loses
    logits[2] = -5.0
    np.testing.assert_allclose(stability_score(logits.astype(np.float32)), [1, 4 / 6, 0])


def test_stability_counts_what_lies_on_the_plane_only() -> None:
    logits = np.full((1, 32, 32), 0.0)  # undecided everywhere ...
    logits[0, :5, :5] = 5.0  # ... but not on the plane
    assert candidates([0.9], logits, shape=(20, 20)).stability[0] == 1


def test_a_candidate_that_is_not_there_cannot_be_taken() -> None:
    found = candidates([0.9], np.zeros((1, 32, 32)))
    assert found[-1].score == found[0].score
    with pytest.raises(IndexError, match="there are 1"):
        found[1]


def test_results_cannot_be_changed_by_accident() -> None:
    found = candidates([0.9], np.ones((1, 32, 32)))
    for array in (found.logits, found.scores, found.stability, found.masks):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
