from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import StoreError
from napari_sam.segmentation.session.journal_contents import read_journal
from napari_sam.segmentation.session.replay import replay
from napari_sam.ui.layer_roles import KEY, find_layer
from napari_sam.ui.sight import first_sight
from napari_sam.ui.wording import NO_OBJECT, NOTHING_TO_REDO

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_sam.ui.session import Session

PLACES = ((20, 15), (20, 45), (45, 30))
"""Of three objects; the discs around them do not touch."""


@pytest.fixture
def three(session: Session) -> Session:
    """Return a session with three objects."""
    for place in PLACES:
        session.prompts.points.add(place)
        session.accept()
    return session


def ids_at_places(session: Session) -> list[int]:
    return [int(session.objects.layer.data[place]) for place in PLACES]


def point_at(session: Session, *position: float) -> None:
    """Move the mouse to a pixel of the image."""
    session.viewer.cursor.position = tuple(session.image.data_to_world(position))


def test_steps_are_taken_back_and_done_again(three: Session) -> None:
    three.delete([2])
    assert ids_at_places(three) == [1, 0, 3]
    assert three.status == "Object 2 deleted."
    three.undo()
    assert ids_at_places(three) == [1, 2, 3]
    assert three.status == "Object 2 brought back."
    three.redo()
    assert ids_at_places(three) == [1, 0, 3]
    three.redo()
    assert three.status == NOTHING_TO_REDO
    for _ in range(4):
        three.undo()
    assert not three.objects.layer.data.any()
    for _ in range(4):
        three.redo()
    assert ids_at_places(three) == [1, 0, 3]


def test_merged_objects_are_one_and_come_apart_again(three: Session) -> None:
    three.merge([3, 1])
    assert ids_at_places(three) == [1, 2, 1]
    assert set(three.objects.rows) == {1, 2}
    assert "merged into one" in three.status
    three.undo()
    assert ids_at_places(three) == [1, 2, 3]


def test_the_features_of_the_layer_follow_every_step(three: Session) -> None:
    layer = three.objects.layer
    assert list(layer.features["index"]) == [1, 2, 3]
    assert list(layer.features["source"]) == ["prompt"] * 3
    np.testing.assert_allclose(layer.features["score"], 0.9)
    three.mark([2], "accepted")
    assert list(layer.features["state"]) == ["new", "accepted", "new"]
    three.delete([1])
    assert list(layer.features["index"]) == [2, 3]
    three.undo()
    assert list(layer.features["index"]) == [1, 2, 3]


def test_an_object_under_the_mouse_is_refined_and_replaced(three: Session, backend: Any) -> None:
    point_at(three, 21, 44)
    before = int((three.objects.layer.data == 2).sum())
    three.refine()
    assert three.objects.refined.id == 2
    prompt = backend.prompts[-1]
    assert prompt.mask.mask.sum() == before
    three.prompts.points.add((20, 47))
    assert backend.prompts[-1].mask is not None
    three.choose(2)
    three.accept()
    data = three.objects.layer.data
    assert data[20, 47] == 2
    assert (data == 2).sum() > before
    assert set(three.objects.rows) == {1, 2, 3}
    assert three.objects.refined is None
    three.undo()
    assert (data == 2).sum() == before
    assert ids_at_places(three) == [1, 2, 3]


def test_clearing_ends_refining(three: Session) -> None:
    three.refine(2)
    assert three.objects.refined is not None
    three.clear()
    assert three.objects.refined is None
    three.prompts.points.add((45, 60))
    three.accept()
    assert three.objects.layer.data[45, 60] == 4
    assert ids_at_places(three) == [1, 2, 3]


def test_background_points_correct_an_object_that_is_refined(three: Session, backend: Any) -> None:
    three.refine(1)
    three.prompts.polarity = "negative"
    three.prompts.points.add((20, 18))
    prompt = backend.prompts[-1]
    assert prompt.mask is not None
    assert list(prompt.labels) == [0]


def test_the_object_under_the_mouse_is_deleted(three: Session) -> None:
    point_at(three, 5, 70)
    three.delete_here()
    assert three.status == NO_OBJECT
    point_at(three, 45, 31)
    three.delete_here()
    assert ids_at_places(three) == [1, 2, 0]
    point_at(three, -100, 400)
    assert three.object_here() == 0


def test_objects_of_the_users_own_layer_can_be_changed(
    session: Session, viewer: ViewerModel, picture: np.ndarray
) -> None:
    mine = viewer.add_labels(np.zeros(picture.shape, np.uint16), name="mine")
    mine.data[10:20, 10:20] = 7
    mine.data[30:40, 10:20] = 9
    mine.features = {"index": [7, 9], "cell type": ["a", "b"]}
    session.use_labels(mine)
    session.delete([7])
    assert not mine.data[10:20].any()
    session.undo()
    assert (mine.data == 7).sum() == 100
    session.merge([7, 9])
    assert set(np.unique(mine.data)) == {0, 7}
    session.undo()
    session.refine(9)
    assert session.objects.refined.region.mask.sum() == 100
    assert "cell type" in mine.features.columns, "the user's own table stays"


def test_strokes_of_napari_are_steps_like_all_others(three: Session) -> None:
    layer = three.objects.layer
    three.editing.toggle()
    assert three.viewer.layers.selection.active is layer
    assert layer.selected_label == 4
    layer.brush_size = 5
    layer.paint((50, 60), 4)
    assert three.objects.rows[4].source == "painted"
    assert list(layer.features["index"]) == [1, 2, 3, 4]
    keys = {str(key): call for key, call in layer.keymap.items()}
    keys["Ctrl+Z"](layer)
    assert layer.data[50, 60] == 0
    keys["Ctrl+Shift+Z"](layer)
    assert layer.data[50, 60] == 4
    three.editing.toggle()
    assert three.viewer.layers.selection.active is three.prompts.points


def test_what_was_there_is_offered_and_brought_back(
    three: Session, make_session: Any, worker: Any
) -> None:
    viewer, image = three.viewer, three.image
    three.delete([2])
    three.close()
    viewer.layers.remove(find_layer(viewer, image, "labels"))
    again = make_session(type(worker)(at_once=True))
    assert again.objects.layer is None, "nothing comes back by itself"
    assert again.reopening.offer.text.startswith("2 objects of this image")
    again.reopening.bring_back()
    assert again.reopening.offer is None
    assert ids_at_places(again) == [1, 0, 3]
    again.undo()
    assert ids_at_places(again) == [1, 2, 3]
    assert list(again.objects.layer.features["index"]) == [1, 2, 3]


def test_a_removed_layer_of_objects_is_offered_again(three: Session) -> None:
    three.viewer.layers.remove(three.objects.layer)
    assert three.objects.annotator is None
    three.reopening.bring_back()
    assert ids_at_places(three) == [1, 2, 3]
    three.viewer.layers.remove(three.objects.layer)
    three.reopening.decline()
    assert three.reopening.offer is None
    three.prompts.points.add((20, 30))
    three.accept()
    assert three.objects.layer.data[20, 30] == 1, "a new session"


def test_another_panel_goes_on_with_what_was_painted_without_one(
    three: Session, make_session: Any, worker: Any
) -> None:
    layer = three.objects.layer
    three.close()
    layer.data[50:54, 60:64] = 8
    again = make_session(type(worker)(at_once=True))
    assert again.objects.layer is layer
    assert ids_at_places(again) == [1, 2, 3]
    assert (layer.data == 8).sum() == 16
    again.undo()
    assert not (layer.data == 8).any()
    again.undo()
    assert ids_at_places(again) == [1, 2, 0]


def test_without_a_disk_objects_are_kept_in_memory_and_the_user_is_told_once(
    session: Session, sessions_folder: Path, warnings_shown: list[str]
) -> None:
    sessions_folder.write_text("in the way")
    for place in PLACES:
        session.prompts.points.add(place)
        session.accept()
    assert ids_at_places(session) == [1, 2, 3]
    assert len(warnings_shown) == 1
    assert "save the layer" in warnings_shown[0]
    session.undo()
    assert ids_at_places(session) == [1, 2, 0]


def test_a_full_disk_changes_nothing_and_the_candidates_stay(
    three: Session, warnings_shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = three.objects.annotator.journal

    def fail(_: object) -> None:
        raise StoreError("the journal could not be written (disk full): make room on the disk")

    three.prompts.points.add((45, 60))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", fail)
        three.accept()
        assert len(warnings_shown) == 1
        assert "make room" in warnings_shown[0]
        assert three.objects.layer.data[45, 60] == 0
        three.objects.layer.paint((50, 70), 9)
        assert three.objects.layer.data[50, 70] == 0
    assert three.objects.candidates is not None
    three.accept()
    assert three.objects.layer.data[45, 60] == 4


def test_limits_that_change_in_mid_session_are_with_the_steps_and_labels_stay_the_same(
    session: Session,
) -> None:
    for limits in ((0, 200), (5, 90), (5, 90)):
        session.image.contrast_limits = limits
        session.image_watch.see(first_sight(session.image))
        session.prompts.points.add(PLACES[len(session.objects.rows)])
        session.accept()
    folder, labels = session.objects.annotator.journal.folder, session.objects.layer.data.copy()
    session.close()
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    known = [line.get("made_with", {}).get("limits") for line in lines]
    assert known == [[[0, 200]], None, [[5, 90]], None], "the first line, and where they change"
    np.testing.assert_array_equal(replay(folder), labels)
    assert read_journal(folder).made_with["limits"] == [[5, 90]], "where the session goes on"


def test_a_missing_folder_of_a_layer_is_no_catastrophe(
    three: Session, make_session: Any, worker: Any, warnings_shown: list[str]
) -> None:
    layer = three.objects.layer
    three.close()
    shutil.rmtree(layer.metadata[KEY]["journal"])
    again = make_session(type(worker)(at_once=True))
    assert len(warnings_shown) == 1
    again.prompts.points.add((45, 60))
    again.accept()
    again.objects.finish()
    assert layer.data[45, 60] == 4
    assert ids_at_places(again) == [1, 2, 3]
