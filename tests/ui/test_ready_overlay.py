from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.ready_overlay import NOT_YET, READY

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam.ui.session import Session


@pytest.fixture
def wide(viewer: ViewerModel, worker: Any, make_session: Any) -> Session:
    """Return a session on an image of 3 x 4 tiles at sampling 1, all in view."""
    image = viewer.add_image(np.zeros((80, 100), np.uint8), scale=(0.5, 0.5), translate=(9, -7))
    session = make_session(worker)
    session.eye.span = lambda image: 32.0
    session.draw_points()
    viewer.scene.camera.zoom = 1
    assert session.image is image
    return session


def overlay(session: Session) -> Any:
    return find_layer(session.viewer, session.image, "ready")


def seen(session: Session, y: float, x: float) -> int:
    """Value that the overlay has at a pixel of the image."""
    layer = overlay(session)
    return int(layer.get_value(session.image.data_to_world((y, x)), world=True) or 0)


def test_there_is_no_layer_before_it_is_switched_on(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    assert overlay(wide) is None
    wide.ready_overlay.visible = True
    assert overlay(wide).visible
    assert wide.viewer.layers.selection.active is wide.prompts.points


def test_every_tile_is_shown_where_it_lies_in_the_colour_of_its_state(
    wide: Session, worker: Any
) -> None:
    wide.background.start()
    worker.step_idle()
    wide.ready_overlay.visible = True
    assert sum(wide.background.tiles.ready) == 0
    wide.hover.position = (2, 2)
    while not sum(wide.background.tiles.ready):
        worker.step_idle()
    tiles = wide.background.tiles
    assert sum(tiles.ready) == 1 < len(tiles.ready)
    for core, ready in zip(tiles.cores, tiles.ready, strict=True):
        y, x = np.reshape(core, (2, 2)).mean(axis=0)
        assert seen(wide, y, x) == (READY if ready else NOT_YET)
    assert seen(wide, 20, 20) == READY
    assert seen(wide, 30, 20) == NOT_YET
    while worker.step_idle():
        pass
    assert set(np.unique(overlay(wide).data)) == {0, READY}


def test_it_is_hidden_and_shown_but_made_once(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    wide.ready_overlay.visible = True
    layer = overlay(wide)
    wide.ready_overlay.visible = False
    assert not layer.visible
    wide.ready_overlay.visible = True
    assert layer.visible
    assert overlay(wide) is layer
    wide.viewer.dims.ndisplay = 3
    assert not layer.visible, "no tiles are in view"


def test_deleting_the_layer_switches_it_off(wide: Session, worker: Any) -> None:
    told: list[bool] = []
    wide.background.start()
    worker.step_idle()
    wide.ready_overlay.visible = True
    wide.ready_overlay.changed.connect(lambda: told.append(wide.ready_overlay.visible))
    wide.viewer.layers.remove(overlay(wide))
    assert told == [False]
    worker.step_idle()
    assert overlay(wide) is None
    wide.ready_overlay.visible = True
    assert overlay(wide) is not None


def test_it_goes_with_its_image(wide: Session, worker: Any) -> None:
    wide.background.start()
    worker.step_idle()
    wide.ready_overlay.visible = True
    layer = overlay(wide)
    wide.use_image(wide.viewer.add_image(np.zeros((50, 50), np.uint8)))
    assert not layer.visible
    wide.viewer.layers.clear()


def test_it_lies_on_the_plane_in_view(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image(np.stack([picture] * 3))
    session = make_session(worker)
    session.ready_overlay.visible = True
    session.background.start()
    viewer.dims.set_point(0, 2)
    while worker.step_idle():
        pass
    layer = overlay(session)
    assert layer.get_value((2, 30, 40), world=True) == READY
    assert layer.extent.world[:, 0].tolist() == [2, 2]
