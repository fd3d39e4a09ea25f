from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel

    from napari_sam.ui.session import Session

HOVER = {0, 3, 4}
CANDIDATE = {0, 1, 2}


def move(session: Session, *position: float, dragging: bool = False) -> None:
    event = SimpleNamespace(
        type="mouse_move", position=position, is_dragging=dragging, button=None, modifiers=()
    )
    mouse_move_callbacks(session.viewer, event)


def values(session: Session) -> set[int]:
    """Values that the preview shows; empty when it is hidden."""
    preview = find_layer(session.viewer, session.image, "preview")
    if preview is None or not preview.visible:
        return set()
    return set(np.unique(preview.data).tolist())


def middle(session: Session) -> np.ndarray:
    preview = find_layer(session.viewer, session.image, "preview")
    return np.array(preview.data_to_world(np.argwhere(preview.data).mean(axis=0)))


def finish_idle(session: Session) -> None:
    worker: Any = session.worker
    while worker.step_idle():
        pass


@pytest.fixture
def live(session: Session) -> Session:
    """Return a session whose tiles in view are ready."""
    move(session, 30, 40)
    finish_idle(session)
    move(session, 0, 500)
    assert values(session) == set()
    return session


def test_the_mask_under_the_mouse_is_shown_in_its_own_colour(live: Session) -> None:
    move(live, 30, 40)
    assert values(live) == HOVER
    np.testing.assert_allclose(middle(live), (30, 40))
    move(live, 25, 50)
    np.testing.assert_allclose(middle(live), (25, 50))
    assert live.objects.candidates is None
    assert live.objects.layer is None


def test_nothing_is_shown_or_encoded_where_the_tile_is_not_ready(
    session: Session, backend: Any
) -> None:
    move(session, 30, 40)
    assert values(session) == set()
    session.worker.step_idle()  # opens model and image, encodes nothing
    (segmenter,) = backend.segmenters.values()
    move(session, 31, 40)
    assert values(session) == set()
    assert segmenter.encoded == segmenter.hovers == []


def test_the_mask_comes_by_itself_when_the_tile_under_the_mouse_is_ready(session: Session) -> None:
    move(session, 30, 40)
    finish_idle(session)
    assert values(session) == HOVER


def test_one_question_is_under_way_and_only_the_newest_waits(
    live: Session, slow_worker: Any
) -> None:
    live.worker = slow_worker
    for x in range(20, 40):
        move(live, 30, x)
    assert len(slow_worker.tasks) == 1
    slow_worker.run_next()
    np.testing.assert_allclose(middle(live), (30, 20))
    assert len(slow_worker.tasks) == 1
    slow_worker.run_next()
    np.testing.assert_allclose(middle(live), (30, 39))
    assert slow_worker.tasks == []


@pytest.mark.parametrize(
    "leave",
    [
        lambda session: move(session, 300, 40),
        lambda session: setattr(session.viewer, "mouse_over_canvas", False),
        lambda session: setattr(session.viewer.dims, "ndisplay", 3),
        lambda session: setattr(session.viewer.layers.selection, "active", session.image),
        lambda session: setattr(session.hover, "enabled", False),
    ],
)
def test_it_is_hidden_when_the_mouse_is_elsewhere(
    live: Session, slow_worker: Any, leave: Callable[[Session], None]
) -> None:
    live.viewer.mouse_over_canvas = True
    move(live, 30, 40)
    assert values(live) == HOVER
    live.worker = slow_worker
    move(live, 30, 41)
    leave(live)
    assert values(live) == set()
    slow_worker.run_next()
    assert values(live) == set(), "an answer that comes late is not shown"


def test_another_plane_hides_it(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image(np.stack([picture] * 3))
    session = make_session(worker)
    session.draw_points()
    viewer.dims.set_point(0, 1)
    move(session, 1, 30, 40)
    finish_idle(session)
    assert values(session) == HOVER
    np.testing.assert_allclose(middle(session), (1, 30, 40))
    viewer.dims.set_point(0, 2)
    assert values(session) == set()


def test_a_click_pins_it_and_the_mouse_changes_nothing_any_more(
    live: Session, slow_worker: Any
) -> None:
    move(live, 30, 40)
    worker, live.worker = live.worker, slow_worker
    live.prompts.points.add((30, 40))
    assert values(live) == HOVER, "it stays until the answer is there"
    move(live, 20, 20)
    slow_worker.run_next()
    assert slow_worker.tasks == []
    assert values(live) == CANDIDATE
    live.worker = worker
    move(live, 20, 20)
    live.hover.again()
    move(live, 500, 500)
    assert values(live) == CANDIDATE
    np.testing.assert_allclose(middle(live), (30, 40))
    live.clear()
    assert values(live) == set()
    move(live, 20, 20)
    assert values(live) == HOVER


def test_a_hover_that_comes_in_after_a_click_is_not_shown(live: Session, slow_worker: Any) -> None:
    live.worker = slow_worker
    move(live, 30, 40)
    live.prompts.points.add((20, 20))
    slow_worker.run_next()
    assert values(live) == set()
    slow_worker.run_next()
    np.testing.assert_allclose(middle(live), (20, 20))


@pytest.mark.parametrize("prepare", ["background", "pan", "boxes"])
def test_without_the_tool_that_makes_objects_nothing_is_shown(live: Session, prepare: str) -> None:
    if prepare == "background":
        live.prompts.polarity = "negative"
    elif prepare == "pan":
        live.prompts.points.mode = "pan_zoom"
    else:
        live.draw_boxes()
    move(live, 30, 40)
    assert values(live) == set()


def drag(session: Session, layer: Any, *path: tuple[float, float]) -> Iterator[None]:
    """Press at the first position, move along the others, release at the last."""
    *_, last = path
    steps = [("mouse_press", path[0], mouse_press_callbacks)]
    steps += [("mouse_move", each, mouse_move_callbacks) for each in path[1:]]
    steps += [("mouse_release", last, mouse_release_callbacks)]
    for kind, position, callbacks in steps:
        event = SimpleNamespace(
            type=kind,
            position=position,
            pos=np.array(position),
            is_dragging=kind == "mouse_move",
            button=1,
            modifiers=(),
            view_direction=None,
            up_direction=None,
            dims_displayed=[0, 1],
            handled=False,
        )
        for target in (session.viewer, layer):
            callbacks(target, ReadOnlyWrapper(event, exceptions=("handled",)))
        yield


def test_a_box_shows_its_mask_while_it_is_drawn(live: Session, backend: Any) -> None:
    live.draw_boxes()
    boxes = live.prompts.boxes
    drawing = drag(live, boxes, (10, 10), (10, 11), (20, 30), (30, 50))
    next(drawing)
    assert values(live) == set()
    next(drawing)
    next(drawing)
    assert values(live) <= HOVER
    np.testing.assert_allclose(middle(live), (15, 20))
    next(drawing)
    np.testing.assert_allclose(middle(live), (20, 30))
    assert backend.prompts == [], "nothing was asked for good"
    next(drawing)
    assert values(live) == CANDIDATE
    assert len(backend.prompts) == 1
    for _ in drag(live, boxes, (40, 10), (50, 20), (55, 30)):
        assert values(live) == CANDIDATE, "the first box has candidates"


def test_layers_may_be_deleted_at_any_moment(live: Session, slow_worker: Any) -> None:
    move(live, 30, 40)
    live.viewer.layers.remove(find_layer(live.viewer, live.image, "preview"))
    move(live, 30, 41)
    np.testing.assert_allclose(middle(live), (30, 41))
    live.worker = slow_worker
    move(live, 30, 42)
    live.viewer.layers.remove(live.prompts.points)
    move(live, 30, 43)
    live.viewer.layers.remove(live.image)
    while slow_worker.tasks:
        slow_worker.run_next()
    move(live, 30, 44)
    live.viewer.layers.clear()
    move(live, 30, 45)


def test_a_mistake_of_ours_is_raised_and_the_next_move_asks_again(
    live: Session, slow_worker: Any, backend: Any
) -> None:
    segmenter = backend.segmenter
    live.worker = slow_worker

    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    move(live, 30, 40)
    backend.segmenter = fail
    with pytest.raises(ZeroDivisionError):
        slow_worker.run_next()
    backend.segmenter = segmenter
    move(live, 30, 40)
    slow_worker.run_next()
    assert values(live) == HOVER
