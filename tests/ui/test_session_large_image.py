"""Objects of an image too large for memory: their labels are on disk, steps are done in order."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam.segmentation.session.journalled_labels import JournalledLabels
from napari_sam.ui import label_layers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.session import Session


@pytest.fixture
def large(
    viewer: ViewerModel, worker: Any, make_session: Any, monkeypatch: pytest.MonkeyPatch
) -> Session:
    """Return a session on an image whose objects go into a pyramid."""
    monkeypatch.setattr(label_layers, "ONE_LEVEL", 1_000)
    plane = np.zeros((1100, 1300), np.uint8)
    viewer.add_image([plane, plane[::2, ::2]], multiscale=True, contrast_limits=(0, 9), name="big")
    session = make_session(worker)
    session.draw_points()
    return session


def test_objects_of_a_large_image_go_into_levels_that_stay_in_step(large: Session) -> None:
    large.prompts.points.add((400, 500))
    large.choose(2)
    large.accept()
    large.objects.finish()
    layer, annotator = large.objects.layer, large.objects.annotator
    assert layer.multiscale
    assert not layer.editable
    assert [level.shape for level in layer.data] == [(1100, 1300), (550, 650)]
    assert layer.data[0][400, 500] == layer.data[1][200, 250] == 1
    assert isinstance(layer.data[-1], np.ndarray), "napari reads a coarsest level on disk only once"
    np.testing.assert_array_equal(layer.data[-1], annotator.labels.levels[-1][:])
    large.undo()
    large.objects.finish()
    assert not layer.data[-1].any()
    large.redo()
    large.objects.finish()
    assert (layer.data[-1] == 1).sum() == pytest.approx(489 / 4, rel=0.1)
    assert list(layer.features["index"]) == [1]


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Return an event that steps on disk wait for."""
    go_on = threading.Event()
    do = JournalledLabels.do

    def wait_and_do(*arguments: Any) -> Change:
        assert go_on.wait(20)
        return do(*arguments)

    monkeypatch.setattr(JournalledLabels, "do", wait_and_do)
    yield go_on
    go_on.set()


def test_quick_steps_on_a_large_image_are_done_in_order_and_none_is_lost(
    large: Session, held_back: threading.Event
) -> None:
    points = large.prompts.points
    points.add((400, 500))
    assert large.accept() is None, "the window does not wait for the disk"
    large.accept()  # Enter once more: it is on its way
    assert not large.objects.rows
    assert len(points.data) == 1, "the mark stays until its object is there"
    points.add((700, 900))
    points.data = points.data[1:]  # and the user wipes the first mark meanwhile
    held_back.set()
    large.objects.finish()
    assert set(large.objects.rows) == {1}
    assert large.objects.layer.data[0][400, 500] == 1
    np.testing.assert_array_equal(points.data, [(700, 900)])
    held_back.clear()
    large.accept()
    large.undo()
    large.redo()
    large.undo()
    held_back.set()
    large.objects.finish()
    assert large.objects.annotator.can_redo
    assert set(large.objects.rows) == {1}
    assert large.objects.layer.data[0][700, 900] == 0
    large.redo()
    large.objects.finish()
    assert large.objects.layer.data[0][700, 900] == 2
    assert list(large.objects.layer.features["index"]) == [1, 2]


def test_what_was_accepted_on_a_large_image_is_kept_when_the_panel_is_closed_at_once(
    large: Session, make_session: Any, worker: Any
) -> None:
    large.prompts.points.add((400, 500))
    large.accept()
    layer = large.objects.layer
    large.close()
    assert list(layer.features["index"]) == [1]
    again = make_session(type(worker)(at_once=True))
    assert set(again.objects.rows) == {1}


def test_a_full_disk_under_a_large_image_is_said_once_and_the_candidates_stay(
    large: Session, warnings_shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    large.prompts.points.add((400, 500))
    large.accept()
    large.objects.finish()
    large.prompts.points.add((700, 900))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", full)
        large.accept()
        large.objects.finish()
    assert len(warnings_shown) == 1
    assert "make room on the disk" in warnings_shown[0]
    assert set(large.objects.rows) == {1}
    assert large.objects.candidates is not None
    np.testing.assert_array_equal(large.prompts.points.data, [(700, 900)])
    large.accept()
    large.objects.finish()
    assert large.objects.layer.data[0][700, 900] == 3, "an id is given once"
    assert len(warnings_shown) == 1


def test_objects_of_a_large_image_come_back(large: Session, make_session: Any, worker: Any) -> None:
    large.prompts.points.add((400, 500))
    large.accept()
    large.objects.finish()
    layer = large.objects.layer
    large.close()
    again = make_session(type(worker)(at_once=True))
    assert again.objects.layer is layer
    assert set(again.objects.rows) == {1}
    again.viewer.layers.remove(layer)
    again.reopening.bring_back()
    assert again.objects.layer is not layer
    assert again.objects.layer.data[0][400, 500] == 1
    again.undo()
    again.objects.finish()
    assert not again.objects.layer.data[-1].any()


def test_objects_of_a_long_stack_of_small_planes_go_onto_the_disk_too(
    viewer: ViewerModel, worker: Any, make_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_layers, "ARRAY_BYTES", 1_000)
    viewer.add_image(np.zeros((3, 60, 80), np.uint8), contrast_limits=(0, 9), name="film")
    session = make_session(worker)
    session.draw_points()
    viewer.dims.set_current_step(0, 1)
    session.prompts.points.add((1, 20, 30))
    session.accept()
    session.objects.finish()
    annotator, layer = session.objects.annotator, session.objects.layer
    assert len(annotator.labels.levels) == 1
    assert annotator.labels.levels[0][1, 20, 30] == 1
    assert layer.get_value((1, 20, 30), world=True) == 1
    assert not layer.editable
    session.close()
    again = make_session(type(worker)(at_once=True))
    assert again.objects.layer is layer
    again.undo()
    again.objects.finish()
    assert layer.get_value((1, 20, 30), world=True) == 0


def test_a_large_image_is_painted_in_a_window_and_kept_in_one_step(large: Session) -> None:
    large.prompts.points.add((400, 500))
    large.accept()
    large.objects.finish()
    large.viewer.canvas.size = (400, 600)
    large.viewer.scene.camera.center = (400, 500)
    large.viewer.scene.camera.zoom = 2
    large.editing.toggle()
    window = large.editing.window
    assert window.pixels.shape == (200, 300)
    assert window.layer.selected_label == 2
    window.layer.paint((50, 60), 2)
    window.layer.fill((100, 150), 0)
    painted = int((window.pixels == 2).sum())
    assert painted
    levels = large.objects.layer.data
    assert levels[0][400, 500] == 1, "nothing is changed yet"
    large.editing.toggle()
    assert large.editing.window is None
    assert not window.layer.visible
    assert (levels[0][:] == 2).sum() == painted
    assert levels[0][400, 500] == 0
    assert set(large.objects.rows) == {2}
    large.undo()
    large.objects.finish()
    assert set(large.objects.rows) == {1}
    assert levels[1][200, 250] == 1


@pytest.mark.parametrize("gone", ["window", "labels", "image"])
def test_what_was_painted_in_a_window_is_kept_whatever_is_removed(
    large: Session, gone: str, sessions_folder: Path
) -> None:
    large.viewer.canvas.size = (400, 600)
    large.viewer.scene.camera.center = (400, 500)
    large.editing.toggle()
    window = large.editing.window
    window.layer.paint((50, 60), 1)
    layers = {"window": window.layer, "labels": large.objects.layer, "image": large.image}
    annotator = large.objects.annotator
    large.viewer.layers.remove(layers[gone])
    assert set(annotator.rows) == {1}
    assert large.editing.window is None
