"""Hover and background in a real viewer, with the real worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.interactions import mouse_move_callbacks

from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_sam.ui.widget import SamWidget


def test_the_mask_under_the_mouse_comes_and_goes(panel: SamWidget, qtbot: QtBot) -> None:
    session = panel.session
    viewer, image = session.viewer, session.image
    viewer.mouse_over_canvas = True

    def move(y: float, x: float) -> None:
        position = image.data_to_world((y, x))
        event = SimpleNamespace(
            type="mouse_move", position=position, is_dragging=False, button=None, modifiers=()
        )
        mouse_move_callbacks(viewer, event)

    def middle() -> np.ndarray:
        preview = find_layer(viewer, image, "preview")
        if preview is None or not preview.visible:
            return np.full(2, np.nan)
        drawn = preview.data_to_world(np.argwhere(preview.data).mean(axis=0))
        return np.array(image.world_to_data(drawn))

    move(30, 40)
    qtbot.waitUntil(lambda: np.allclose(middle(), (30, 40)), timeout=20_000)
    assert session.background.text
    for x in range(20, 60):
        move(25, x)
    qtbot.waitUntil(lambda: np.allclose(middle(), (25, 59)), timeout=20_000)
    viewer.mouse_over_canvas = False
    assert np.isnan(middle()).all()
    session.ready_overlay.visible = True
    assert find_layer(viewer, image, "ready").visible


def test_closing_the_panel_while_tiles_are_encoded_leaves_nothing_behind(
    panel: SamWidget, qtbot: QtBot
) -> None:
    session: Any = panel.session
    viewer = session.viewer
    session.background.start()
    qtbot.waitUntil(lambda: session.background.tiles is not None, timeout=20_000)
    callbacks = len(viewer.mouse_move_callbacks)
    viewer.scene.camera.zoom *= 1.5
    session.close()
    assert len(viewer.mouse_move_callbacks) == callbacks - 1
    viewer.scene.camera.zoom *= 1.5
    viewer.layers.clear()
