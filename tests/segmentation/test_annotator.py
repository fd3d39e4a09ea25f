from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam import Prompt, Segmenter
from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.annotator import Annotator

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam


@pytest.fixture
def annotator(disc_model: Sam) -> Annotator:
    segmenter = Segmenter(disc_model, np.zeros((100, 120), np.uint8))
    return Annotator(segmenter, np.zeros((100, 120), np.uint16))


def test_the_best_candidate_is_chosen_to_begin_with(annotator: Annotator) -> None:
    annotator.prompt(Prompt(points=[(40, 50)]))
    assert annotator.chosen == 0


def test_an_accepted_candidate_becomes_an_object_and_ends_the_prompt(annotator: Annotator) -> None:
    candidates = annotator.prompt(Prompt(points=[(40, 50)]))
    annotator.choose(1)
    edit = annotator.accept()
    assert edit.value == 1
    assert (annotator.labels == 1).sum() == candidates[1].area
    assert annotator.labels[40, 50] == 1
    assert annotator.candidates is None


def test_objects_get_fresh_ids_and_are_undone_last_first(annotator: Annotator) -> None:
    states = [annotator.labels.copy()]
    for y in (20, 50, 80):
        annotator.prompt(Prompt(points=[(y, 50)]))
        annotator.accept()
        states.append(annotator.labels.copy())
    assert set(np.unique(annotator.labels)) == {0, 1, 2, 3}
    for expected in reversed(states[:-1]):
        assert annotator.undo() is not None
        np.testing.assert_array_equal(annotator.labels, expected)
    assert annotator.undo() is None


def test_nothing_to_accept_is_said(annotator: Annotator) -> None:
    with pytest.raises(InputError, match="no candidate to accept"):
        annotator.accept()


def test_what_belongs_to_others_is_not_accepted_and_the_prompt_stays(annotator: Annotator) -> None:
    annotator.labels[:] = 4
    annotator.prompt(Prompt(points=[(40, 50)]))
    with pytest.raises(InputError, match="other objects"):
        annotator.accept()
    assert annotator.candidates is not None


@pytest.mark.parametrize("index", [-1, 3])
def test_a_candidate_that_is_not_there_cannot_be_chosen(annotator: Annotator, index: int) -> None:
    annotator.prompt(Prompt(points=[(40, 50)]))
    with pytest.raises(InputError, match="there are 3"):
        annotator.choose(index)


def test_labels_of_another_shape_are_refused(annotator: Annotator) -> None:
    with pytest.raises(InputError, match=r"\(100, 120\)"):
        Annotator(annotator.segmenter, np.zeros((100, 121), np.uint8))


def test_labels_that_are_no_whole_numbers_are_refused(annotator: Annotator) -> None:
    with pytest.raises(InputTypeError, match="whole numbers"):
        Annotator(annotator.segmenter, np.zeros((100, 120)))
