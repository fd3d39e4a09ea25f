from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam.ui.session import Session


@pytest.fixture
def wide(viewer: ViewerModel, worker: Any, make_session: Any) -> Session:
    """Return a session on an image of many tiles, of which 4 x 5 are in view at sampling 1."""
    viewer.canvas.size = (80, 100)
    viewer.add_image(np.zeros((400, 600), np.uint8))
    session = make_session(worker)
    session.eye.span = lambda image: 32.0
    session.draw_points()
    look_at(viewer, 200, 300)
    return session


def look_at(viewer: ViewerModel, y: float, x: float) -> None:
    viewer.scene.camera.zoom = 1
    viewer.scene.camera.center = (y, x)


def middles(segmenter: Any) -> np.ndarray:
    """Middles of the tiles that were encoded, in their order."""
    return np.array([np.array(window.origin) + 15.5 for _, window in segmenter.encoded])


def only(backend: Any) -> Any:
    (segmenter,) = backend.segmenters.values()
    return segmenter


def finish(worker: Any) -> None:
    while worker.step_idle():
        pass


def test_nothing_is_encoded_before_the_first_click_or_hover(wide: Session, backend: Any) -> None:
    assert wide.worker.idle is None
    look_at(wide.viewer, 100, 100)
    assert not wide.worker.step_idle()
    assert wide.background.text == ""
    assert backend.segmenters == {}


@pytest.mark.parametrize("begin", ["click", "hover"])
def test_the_tiles_in_view_follow_and_no_others(
    wide: Session, worker: Any, backend: Any, begin: str
) -> None:
    if begin == "click":
        wide.prompts.points.add((200, 300))
    else:
        wide.hover.looked.emit()
    finish(worker)
    where = middles(only(backend))
    low, high = where.min(axis=0), where.max(axis=0)
    assert (low > (200 - 40 - 28, 300 - 50 - 28)).all()
    assert (high < (200 + 40 + 28, 300 + 50 + 28)).all()
    assert len(where) == len(wide.background.tiles.ready) >= 20
    assert all(wide.background.tiles.ready)


def test_it_says_how_many_tiles_are_ready(wide: Session, worker: Any) -> None:
    said: list[str] = []
    wide.background.changed.connect(lambda: said.append(wide.background.text))
    wide.background.start()
    finish(worker)
    total = len(wide.background.tiles.ready)
    assert said[0] == f"0 of {total} tiles in view are ready."
    assert said[3] == f"3 of {total} tiles in view are ready."
    assert said[-1] == f"{total} of {total} tiles in view are ready."


def test_the_nearest_to_the_mouse_comes_first_else_the_middle(
    wide: Session, worker: Any, backend: Any
) -> None:
    wide.background.start()
    worker.step_idle()
    worker.step_idle()
    assert np.abs(middles(only(backend))[-1] - (200, 300)).max() <= 16
    wide.hover.position = (235, 345)
    worker.step_idle()
    assert np.abs(middles(only(backend))[-1] - (235, 345)).max() <= 16


def test_it_turns_to_what_is_in_view_when_the_camera_moves(
    wide: Session, worker: Any, backend: Any
) -> None:
    wide.background.start()
    for _ in range(3):
        worker.step_idle()
    look_at(wide.viewer, 80, 100)
    first = len(only(backend).encoded)
    finish(worker)
    later = middles(only(backend))[first:]
    assert (np.abs(later - (80, 100)) <= (40 + 28, 50 + 28)).all()
    look_at(wide.viewer, 80, 100.5)
    worker.step_idle()
    assert all(wide.background.tiles.ready), "nothing is done twice"


def test_it_stops_when_the_image_goes(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    assert wide.background.tiles is not None
    wide.viewer.layers.remove(wide.image)
    assert wide.background.tiles is None
    assert wide.background.text == ""
    assert not worker.step_idle()
    look_at(wide.viewer, 10, 10)
    assert worker.idle is None


def test_another_image_waits_for_its_own_first_click(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    first = wide.image
    wide.use_image(wide.viewer.add_image(np.zeros((50, 50), np.uint8)))
    assert worker.idle is None
    wide.use_image(first)
    assert worker.idle is not None, "the first one goes on"


def test_nothing_is_done_in_3d_or_out_of_sight(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    wide.viewer.dims.ndisplay = 3
    assert worker.idle is None
    assert wide.background.tiles is None
    wide.viewer.dims.ndisplay = 2
    assert worker.idle is not None
    look_at(wide.viewer, 5000, 5000)
    assert worker.idle is None


def test_the_plane_in_view_is_encoded(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any, backend: Any
) -> None:
    viewer.add_image(np.stack([picture] * 4))
    session = make_session(worker)
    session.background.start()
    viewer.dims.set_point(0, 2)
    finish(worker)
    assert {plane for plane, _ in only(backend).encoded} == {(2,)}


def test_switched_off_it_encodes_nothing_but_says_what_is_ready(
    wide: Session, worker: Any, backend: Any
) -> None:
    wide.background.start()
    for _ in range(3):
        worker.step_idle()
    wide.background.enabled = False
    finish(worker)
    assert len(only(backend).encoded) == sum(wide.background.tiles.ready) == 2
    wide.background.enabled = True
    finish(worker)
    assert all(wide.background.tiles.ready)


def test_another_model_has_tiles_of_its_own(wide: Session, worker: Any, backend: Any) -> None:
    wide.background.start()
    finish(worker)
    assert wide.background.is_open
    wide.use_model("other discs")
    assert wide.background.tiles is None
    assert not wide.background.is_open
    finish(worker)
    assert [len(each.encoded) > 0 for each in backend.segmenters.values()] == [True, True]


def test_a_model_that_cannot_be_had_is_said_and_not_tried_at_every_turn(
    wide: Session, worker: Any
) -> None:
    wide.use_model("broken")
    wide.background.start()
    finish(worker)
    assert wide.background.text == "This model is broken: pick another."
    look_at(wide.viewer, 10, 10)
    assert worker.idle is None
    wide.use_model("discs")
    finish(worker)
    assert "ready" in wide.background.text


def test_a_mistake_of_ours_is_raised(wide: Session, worker: Any, backend: Any) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    backend.segmenter = fail
    wide.background.start()
    with pytest.raises(ZeroDivisionError):
        worker.step_idle()


def test_a_model_that_is_not_on_this_computer_is_left_to_a_click(
    wide: Session, worker: Any, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_hand: list[object] = []
    monkeypatch.setitem(REGISTRY, "discs", REGISTRY[DEFAULT_MODEL])
    monkeypatch.setattr(
        "napari_sam.model.checkpoints.find_checkpoint", lambda name: at_hand or None
    )
    wide.background.start()
    finish(worker)
    assert backend.segmenters == {}
    at_hand.append("downloaded by the click")
    wide.prompts.points.add((200, 300))
    finish(worker)
    assert all(wide.background.tiles.ready)


def test_a_view_of_very_many_tiles_is_encoded_around_the_focus(
    wide: Session, worker: Any, backend: Any
) -> None:
    wide.eye.span = lambda image: 8.0
    wide.background.start()
    wide.hover.position = (225, 340)
    finish(worker)
    where = middles(only(backend))
    assert 49 <= len(where) <= 81
    assert (np.abs(where - (225, 340)) < 40).all()


def test_an_image_that_cannot_be_used_is_said(wide: Session, worker: Any, backend: Any) -> None:
    def refuse(*_: object) -> None:
        raise InputError("this image holds complex numbers: give real ones")

    backend.segmenter = refuse
    wide.background.start()
    finish(worker)
    assert wide.background.text == "This image holds complex numbers: give real ones."
