"""Go through the objects, the least certain first, and decide about each."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_sam.ui.review import Review

REVIEWED = runpy.run_path(str(Path(__file__).with_name("reviewed_session.py")))
frame = REVIEWED["frame"]
made = REVIEWED["made"]


def test_next_shows_the_least_certain_in_the_middle_a_quarter_of_the_view(
    viewer: ViewerModel, make_review: Callable[..., Review]
) -> None:
    viewer.canvas.size = (600, 800)
    review = make_review(scale=(0.5, 2), translate=(100, -40))
    review.next()
    assert review.current == 2
    assert review.picked == (2,)
    camera = viewer.scene.camera  # the object is 8 x 4 pixels, at row 20 and column 30
    np.testing.assert_allclose(camera.center[-2:], (100 + 0.5 * 23.5, -40 + 2 * 31.5))
    side = np.array([(8 + 12) * 0.5, (4 + 12) * 2])  # 6 more all round: at least 16 pixels
    assert camera.zoom == pytest.approx(min(0.5 * np.array((600, 800)) / side))
    assert frame(viewer).visible
    assert viewer.layers.selection.active is review.session.objects.layer
    assert review.session.objects.layer.selected_label == 2


def test_next_goes_through_all_and_round(review: Review) -> None:
    seen = []
    for _ in range(5):
        review.next()
        seen.append(review.current)
    assert seen == [2, 3, 1, 4, 2]


def test_next_turns_to_the_plane_of_the_object(
    viewer: ViewerModel, make_review: Callable[..., Review]
) -> None:
    viewer.add_image(np.zeros((2, 9, 60, 80), np.uint8), name="another, with time")
    review = make_review(plane=(3,), scale=(2, 1, 1))
    viewer.dims.set_point(0, 1)
    review.next()
    assert viewer.dims.point[:2] == (1, 6)
    assert frame(viewer).data[0][:, 0].tolist() == [3] * 4


def test_accepting_ticks_off_and_goes_on_until_all_are_looked_at(review: Review) -> None:
    review.next()
    assert review.progress == "0 of 4 looked at"
    review.accept()
    assert review.current == 3
    assert review.progress == "1 of 4 looked at"
    for _ in range(3):
        review.accept()
    assert review.progress == "4 of 4 looked at"
    assert review.session.status == "All objects are looked at."
    assert not frame(review.session.viewer).visible


def test_deleting_goes_on_and_undo_comes_back(review: Review) -> None:
    review.next()
    review.delete()
    assert 2 not in review.rows
    assert review.current == 3
    review.session.undo("delete", 2)
    review.work()
    assert review.current == 2
    assert review.objects.order("score").tolist() == [2, 3, 1, 4]


def test_undoing_what_was_done_elsewhere_moves_nothing(review: Review) -> None:
    review.next()
    review.session.delete([4])
    review.session.undo("delete", 4)
    assert review.current == 2


def test_an_object_that_is_gone_is_no_longer_picked(review: Review) -> None:
    review.next()
    shown = frame(review.session.viewer)
    assert shown.visible
    review.session.delete([2])
    review.work()
    assert review.current is None
    assert not shown.visible
    review.next()
    assert review.current == 3, "the next after where it stood"


def test_several_objects_are_decided_about_together(review: Review) -> None:
    review.pick([1, 3])
    assert review.current == 3
    review.accept()
    assert {id_ for id_, row in review.rows.items() if row.state == "accepted"} == {1, 3}


def test_joining_needs_two_and_stays_with_what_comes_out(review: Review) -> None:
    review.next()
    review.join()
    assert "Ctrl" in review.session.status
    assert len(review.rows) == 4
    review.pick([3, 2])
    review.join()
    assert set(review.rows) == {1, 2, 4}
    assert (review.current, review.picked) == (2, (2,))
    assert review.rows[2].score is None


def test_refining_shows_the_object_and_hands_it_over(review: Review) -> None:
    review.refine()
    assert review.session.refined == []
    assert "No object is picked" in review.session.status
    review.pick([1])
    review.refine()
    assert review.session.refined == [1]
    assert not frame(review.session.viewer).visible


def test_a_three_dimensional_view_is_said_and_left_alone(
    viewer: ViewerModel, make_review: Callable[..., Review]
) -> None:
    review = make_review(plane=(3,))
    viewer.dims.ndisplay = 3
    centre = viewer.scene.camera.center
    review.next()
    assert "2D" in review.session.status
    assert viewer.scene.camera.center == centre
    assert frame(viewer) is None


def test_a_long_step_may_replace_all_rows(review: Review) -> None:
    objects = review.session.objects
    objects.rows = {**objects.rows, 5: made(5, 0.1, ())}
    review.session.step("automatic", (5,))
    review.next()
    assert review.current == 5


def test_next_waits_for_the_rows_to_be_read(make_review: Callable[..., Review]) -> None:
    review = make_review()
    objects = review.session.objects
    objects.rows = {id_: made(id_, 1 / id_, ()) for id_ in range(1, 3001)}
    objects.turned.emit()
    review.next()
    assert review.current is None
    assert review.progress == "Reading the objects …"
    while review.work(0):
        pass
    assert review.current == 3000


def test_a_closed_review_hears_nothing(review: Review) -> None:
    heard: list[None] = []
    review.changed.connect(lambda: heard.append(None))
    review.close()
    review.session.delete([1])
    review.session.objects.turned.emit()
    assert not heard
