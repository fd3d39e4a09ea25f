from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from psygnal import Signal

from napari_sam.segmentation.session.change import Change
from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.ui.layer_roles import role_of
from napari_sam.ui.review import Review
from napari_sam.ui.review_keys import REVIEW_KEYS
from napari_sam.ui.score_colours import colour_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SCORES = {1: 0.9, 2: 0.3, 3: 0.6, 4: None}


class KeptObjects:
    """What the review needs of a session's objects: rows that can be deleted, joined and marked."""

    changed = Signal(object)
    turned = Signal()

    def __init__(self, rows: Iterable[ObjectRow], layer: Any) -> None:
        self.rows = {row.id: row for row in rows}
        self.layer = layer


class ReviewedSession:
    """Like a `Session`, with squares for objects and one step back."""

    def __init__(self, viewer: Any, image: Any, objects: KeptObjects) -> None:
        self.viewer, self.image, self.objects = viewer, image, objects
        self.status = ""
        self.refused: list[Exception] = []
        self.refined: list[int] = []
        self._before: dict[int, ObjectRow] = {}

    def say(self, text: str) -> None:
        self.status = text

    def refuse(self, error: Exception) -> None:
        self.refused.append(error)

    def refine(self, id_: int) -> None:
        self.refined.append(id_)

    def delete(self, ids: Iterable[int], then: Any = None) -> Change:
        ids = tuple(ids)
        self._before = dict(self.objects.rows)
        for id_ in ids:
            del self.objects.rows[id_]
        return self.step("delete", ids, then=then)

    def merge(self, ids: Iterable[int], then: Any = None) -> Change:
        first, *others = ids = tuple(sorted(ids))
        self._before = dict(self.objects.rows)
        for id_ in others:
            del self.objects.rows[id_]
        self.objects.rows[first] = made(first, None, (), area=8)
        return self.step("merge", ids, then=then)

    def mark(self, ids: Iterable[int], state: Any, then: Any = None) -> Change:
        ids = tuple(ids)
        self._before = dict(self.objects.rows)
        for id_ in ids:
            self.objects.rows[id_] = self.objects.rows[id_].with_state(state)
        return self.step("review", ids, box=None, then=then)

    def undo(self, of: Any, *ids: int) -> None:
        self.objects.rows.clear()
        self.objects.rows.update(self._before)
        self.step("undo", ids, of=of)

    def step(
        self,
        kind: Any,
        ids: tuple[int, ...],
        box: Any = (0, 0, 9, 9),
        of: Any = None,
        then: Any = None,
    ) -> Change:
        change = Change(kind=kind, ids=ids, plane=(), box=box, of=of)
        self.objects.changed.emit(change)
        if then is not None:
            then(change)
        return change


def made(id_: int, score: float | None, plane: tuple[int, ...], **values: Any) -> ObjectRow:
    y, x = 10 * id_, 15 * id_
    known = {"area": 32, "stability": score, "source": "automatic", "prompt": {"points": [[y, x]]}}
    return ObjectRow(
        id=id_, plane=plane, box=(y, x, y + 8, x + 4), score=score, model="discs", **known | values
    )


@pytest.fixture
def make_review(viewer: ViewerModel) -> Iterator[Callable[..., Review]]:
    reviews = []

    def make(plane: tuple[int, ...] = (), **placement: Any) -> Review:
        shape = (*[5] * len(plane), 60, 80)
        image = viewer.add_image(np.zeros(shape, np.uint8), name="cells", **placement)
        layer = viewer.add_labels(np.zeros(shape, np.uint32), name="objects", **placement)
        rows = [made(id_, score, plane) for id_, score in SCORES.items()]
        review = Review(ReviewedSession(viewer, image, KeptObjects(rows, layer)))
        reviews.append(review)
        review.work()
        return review

    yield make
    for review in reviews:
        review.close()


@pytest.fixture
def review(make_review: Callable[..., Review]) -> Review:
    """Return a review of four objects; from the least certain on these are 2, 3, 1 and 4."""
    return make_review()


def frame(viewer: ViewerModel) -> Any:
    return next((layer for layer in viewer.layers if role_of(layer) == "frame"), None)


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


def test_the_keys_work_on_the_layer_and_are_none_of_naparis(
    viewer: ViewerModel, review: Review
) -> None:
    from napari.layers import Labels
    from napari.utils.action_manager import action_manager
    from napari.utils.shortcuts import default_shortcuts

    theirs = {
        str(key).lower()
        for name, action in action_manager._actions.items()
        if action.keymapprovider in (Labels, ViewerModel)
        for key in default_shortcuts.get(name, ())
    }
    assert {"m", "e", "x", "v", "1"} <= theirs
    assert not theirs & set(REVIEW_KEYS)
    layer = review.session.objects.layer
    assert set(REVIEW_KEYS) <= {str(key).lower() for key in layer.keymap}
    press = {str(key).lower(): call for key, call in layer.keymap.items()}
    press["n"](layer)
    assert review.current == 2
    press["a"](layer)
    assert review.rows[2].state == "accepted"
    review.close()
    assert not any(callable(call) for call in layer.keymap.values())


def test_naparis_own_picker_picks_the_row_without_moving(review: Review) -> None:
    centre = review.session.viewer.scene.camera.center
    review.session.objects.layer.selected_label = 3
    assert review.current == 3
    assert review.session.viewer.scene.camera.center == centre
    review.session.objects.layer.selected_label = 77
    assert review.current == 3


def test_colours_follow_the_objects_and_go_when_the_review_does(review: Review) -> None:
    layer = review.session.objects.layer
    own = layer.colormap
    review.coloured = True
    np.testing.assert_allclose(layer.get_color(2), colour_of(0.3), atol=1e-6)
    review.session.objects.rows[2] = made(2, 1.0, ())
    review.session.step("refine", (2,))
    np.testing.assert_allclose(layer.get_color(2), colour_of(1.0), atol=1e-6)
    review.coloured = False
    assert layer.colormap is own
    review.coloured = True
    assert layer.colormap is not own
    review.close()
    assert layer.colormap is own


def test_turning_to_another_layer_begins_anew_in_its_colours(
    viewer: ViewerModel, review: Review
) -> None:
    objects = review.session.objects
    first, own = objects.layer, objects.layer.colormap
    review.coloured = True
    review.next()
    other = viewer.add_labels(np.zeros((60, 80), np.uint32), name="more")
    objects.layer, objects.rows = other, {5: made(5, 0.5, ())}
    objects.turned.emit()
    assert first.colormap is own
    assert not first.keymap or not any(callable(call) for call in first.keymap.values())
    assert review.current is None
    assert not frame(viewer).visible
    review.work()
    np.testing.assert_allclose(other.get_color(5), colour_of(0.5), atol=1e-6)
    review.next()
    assert review.current == 5
    objects.layer, objects.rows = None, {}
    objects.turned.emit()
    review.work()
    assert review.progress == "No objects yet"
    review.next()
    assert "no objects yet" in review.session.status


def test_layers_can_be_deleted_at_any_moment(viewer: ViewerModel, review: Review) -> None:
    review.coloured = True
    review.next()
    viewer.layers.remove(frame(viewer))
    review.next()
    assert frame(viewer).visible
    viewer.layers.remove(review.session.objects.layer)
    review.next()
    review.coloured = False
    viewer.layers.clear()
    review.session.image = None
    review.next()
    review.accept()


def test_a_long_step_may_replace_all_rows(review: Review) -> None:
    objects = review.session.objects
    objects.rows = {**objects.rows, 5: made(5, 0.1, ())}
    review.session.step("automatic", (5,))
    review.next()
    assert review.current == 5


def test_the_frame_goes_and_comes_without_moving(viewer: ViewerModel, review: Review) -> None:
    review.show_frame(shown=True)
    assert frame(viewer) is None, "nothing is looked at yet"
    review.next()
    viewer.scene.camera.zoom = centre = 1.5
    review.show_frame(shown=False)
    assert not frame(viewer).visible
    review.show_frame(shown=True)
    assert frame(viewer).visible
    assert viewer.scene.camera.zoom == centre


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


def test_the_table_is_written_with_all_that_is_known(review: Review, tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    review.session.mark([3], "accepted")
    review.export(path)
    assert not path.exists()
    review.work()
    table = pd.read_csv(path).set_index("id")
    assert list(table.index) == [1, 2, 3, 4]
    assert table.loc[3, "state"] == "accepted"
    assert table.loc[2, "predicted_iou"] == 0.3
    assert np.isnan(table.loc[4, "predicted_iou"])
    assert table.loc[1, ["y0", "x0", "y1", "x1"]].tolist() == [9.5, 14.5, 17.5, 18.5]
    assert table.loc[1, "prompt"] == '{"points": [[10, 15]]}'
    assert list(tmp_path.iterdir()) == [path]
    assert "written" in review.session.status


def test_a_table_that_cannot_be_written_is_refused_in_a_sentence(
    review: Review, tmp_path: Path
) -> None:
    review.export(tmp_path / "missing" / "objects.csv")
    review.work()
    (error,) = review.session.refused
    assert "objects.csv" in str(error)
    assert not review.working


def test_a_closed_review_hears_nothing(review: Review) -> None:
    heard: list[None] = []
    review.changed.connect(lambda: heard.append(None))
    review.close()
    review.session.delete([1])
    review.session.objects.turned.emit()
    assert not heard
