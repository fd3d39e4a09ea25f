from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam import Prompt, Segmenter
from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.session.annotator import Annotator

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
    change = annotator.accept()
    assert (change.kind, change.ids, change.plane) == ("accept", (1,), ())
    assert change.box == annotator.rows[1].box
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


def accept(annotator: Annotator, y: float, x: float, index: int = 0) -> int:
    """Accept a disc and return its id."""
    annotator.prompt(Prompt(points=[(y, x)]))
    annotator.choose(index)
    return annotator.accept().ids[0]


def test_an_object_has_a_row_that_says_where_it_is_and_what_was_asked(annotator: Annotator) -> None:
    candidates = annotator.prompt(Prompt(points=[(40, 50), (3, 4)], labels=[1, 0]))
    annotator.accept()
    row = annotator.rows[1]
    hits = np.argwhere(annotator.labels == 1)
    assert row.box == (*hits.min(0), *(hits.max(0) + 1))
    assert row.area == len(hits) == candidates[0].area
    assert row.score == candidates[0].score
    assert row.stability == candidates[0].stability
    assert row.prompt == {"points": [[40.0, 50.0], [3.0, 4.0]], "labels": [1, 0]}
    assert (row.plane, row.source, row.state) == ((), "prompt", "new")
    assert row.model == annotator.segmenter.model.name


def test_what_can_be_undone_and_redone_is_said(annotator: Annotator) -> None:
    assert annotator.can_undo is None
    accept(annotator, 40, 50)
    assert (annotator.can_undo, annotator.can_redo) == ("object 1", None)
    annotator.delete([1])
    assert annotator.can_undo == "the deletion of object 1"
    change = annotator.undo()
    assert (change.kind, change.of, change.ids) == ("undo", "delete", (1,))
    assert annotator.can_redo == "the deletion of object 1"
    assert annotator.redo().kind == "redo"
    assert annotator.redo() is None


def test_an_id_is_not_given_again_while_its_object_may_come_back(annotator: Annotator) -> None:
    accept(annotator, 20, 50)
    assert accept(annotator, 50, 50) == 2
    annotator.undo()
    assert accept(annotator, 80, 50) == 3
    annotator.delete([3])
    assert accept(annotator, 50, 100) == 4


def test_a_refined_object_keeps_its_id_and_lets_its_old_pixels_go(annotator: Annotator) -> None:
    accept(annotator, 40, 50, index=1)
    accept(annotator, 40, 90, index=1)
    before = annotator.labels.copy()
    prompt = annotator.refine(1)
    y0, x0, y1, x1 = annotator.rows[1].box
    assert prompt.mask.origin == (y0, x0)
    np.testing.assert_array_equal(prompt.mask.mask, before[y0:y1, x0:x1] == 1)
    assert annotator.refining == 1
    annotator.prompt(Prompt(points=[(50, 60)]))
    annotator.choose(1)
    change = annotator.accept()
    assert (change.kind, change.ids) == ("refine", (1,))
    assert annotator.refining is None
    assert before[35, 45] == 1
    assert annotator.labels[35, 45] == 0
    assert annotator.labels[55, 65] == 1
    assert annotator.rows[1].area == (annotator.labels == 1).sum()
    np.testing.assert_array_equal(annotator.labels == 2, before == 2)
    annotator.undo()
    np.testing.assert_array_equal(annotator.labels, before)


def test_clear_ends_refining_and_the_next_object_is_new(annotator: Annotator) -> None:
    accept(annotator, 40, 50)
    annotator.refine(1)
    annotator.clear()
    assert annotator.refining is None
    assert accept(annotator, 80, 80) == 2


def test_an_object_that_goes_while_it_is_refined_is_refined_no_longer(annotator: Annotator) -> None:
    accept(annotator, 40, 50)
    annotator.refine(1)
    annotator.undo()
    assert annotator.refining is None
    assert accept(annotator, 40, 50) == 2


def test_deleted_objects_leave_zeros_and_others_alone(annotator: Annotator) -> None:
    for y in (20, 50, 80):
        accept(annotator, y, 50)
    change = annotator.delete([1, 3])
    assert set(np.unique(annotator.labels)) == {0, 2}
    assert set(annotator.rows) == {2}
    assert change.ids == (1, 3)
    annotator.undo()
    assert set(annotator.rows) == {1, 2, 3}


def test_merged_objects_become_the_one_with_the_smallest_id(annotator: Annotator) -> None:
    for x in (40, 50, 90):
        accept(annotator, 50, x)
    together = np.isin(annotator.labels, (2, 3))
    annotator.merge([3, 2])
    np.testing.assert_array_equal(annotator.labels == 2, together)
    row = annotator.rows[2]
    hits = np.argwhere(together)
    assert row.box == (*hits.min(0), *(hits.max(0) + 1))
    assert (row.area, row.score, row.stability) == (len(hits), None, None)
    assert set(annotator.rows) == {1, 2}
    with pytest.raises(InputError, match="two or more"):
        annotator.merge([2])


def test_the_review_changes_rows_and_no_pixels(annotator: Annotator) -> None:
    accept(annotator, 50, 50)
    change = annotator.mark([1], "accepted")
    assert (change.kind, change.box, change.ids) == ("review", None, (1,))
    assert annotator.rows[1].state == "accepted"
    annotator.mark([1], "accepted")
    annotator.undo()
    assert annotator.rows[1].state == "new"
    assert annotator.can_undo == "object 1"


def test_what_is_painted_by_hand_is_a_step_with_rows(annotator: Annotator) -> None:
    accept(annotator, 50, 50, index=1)
    before, area = annotator.labels.copy(), annotator.rows[1].area
    pixels = annotator.labels[45:55, 45:115].copy()
    pixels[:, :5] = 0
    pixels[:, 60:] = 9
    change = annotator.painted((), (45, 45, 55, 115), pixels)
    assert (change.kind, change.ids, change.box) == ("painted", (1, 9), (45, 45, 55, 115))
    assert annotator.rows[1].area == area - 50
    assert (annotator.rows[9].source, annotator.rows[9].area) == ("painted", 100)
    assert annotator.rows[9].box == (45, 105, 55, 115)
    assert annotator.painted((), (45, 45, 55, 115), pixels) is None
    assert accept(annotator, 85, 100) == 10
    annotator.undo()
    annotator.undo()
    np.testing.assert_array_equal(annotator.labels, before)
    assert set(annotator.rows) == {1}


def test_objects_from_before_the_session_are_refined_and_deleted_where_they_are(
    disc_model: Sam,
) -> None:
    labels = np.zeros((2, 100, 120), np.uint16)
    labels[:, 10:30, 20:40] = 7
    segmenter = Segmenter(disc_model, np.zeros((2, 100, 120), np.uint8))
    annotator = Annotator(segmenter, labels)
    assert annotator.rows == {}
    with pytest.raises(InputError, match="no object 7"):
        annotator.refine(7)
    assert annotator.refine(7, (1,)).mask.origin == (10, 20)
    annotator.prompt(Prompt(points=[(50, 60)], plane=(1,)))
    annotator.accept()
    assert set(np.unique(labels[0, 10:30, 20:40])) == {7}
    assert labels[1, 50, 60] == 7
    assert labels[1, 20, 30] == 0
    assert annotator.rows[7].plane == (1,)
    annotator.undo()
    assert annotator.rows == {}
    annotator.delete([7], (0,))
    assert not labels[0].any()
    assert labels[1, 20, 30] == 7


def test_the_object_at_a_pixel_is_found(annotator: Annotator) -> None:
    accept(annotator, 50, 60)
    assert annotator.object_at((), 50, 60) == 1
    assert annotator.object_at((), 5, 5) == 0
    assert annotator.object_at((), 100, 5) == 0


def test_accepting_reads_the_labels_around_the_object_alone(
    annotator: Annotator, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(annotator, 20, 50)
    read = []
    monkeypatch.setattr(
        label_blocks, "read", lambda a, p, box: read.append(box) or a[(*p, *_slices(box))]
    )
    monkeypatch.setattr(label_blocks, "highest", lambda _: pytest.fail("all labels were read"))
    accept(annotator, 70, 60)
    annotator.undo()
    annotator.redo()
    annotator.delete([2])
    assert read
    assert min(box[0] for box in read) > 50


def _slices(box: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(box[0], box[2]), slice(box[1], box[3])


def test_without_a_model_there_is_nobody_to_ask() -> None:
    annotator = Annotator(None, np.zeros((100, 120), np.uint16))
    with pytest.raises(InputError, match="no model"):
        annotator.prompt(Prompt(points=[(40, 50)]))
