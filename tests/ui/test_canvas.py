"""The real viewer: clicks at places of the world, keys, layers that go, two viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.widget import SamWidget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


@pytest.fixture
def make_panel(make_napari_viewer: Any, backend: Any) -> Iterator[Any]:
    """Return a function that shows images with a panel, in a window of their own."""
    panels: list[SamWidget] = []

    def make(data: Any, **options: Any) -> SamWidget:
        viewer = make_napari_viewer(show=True)
        viewer.add_image(data, name="cells", contrast_limits=(0, 255), **options)
        panel = SamWidget(viewer, backend=backend)
        viewer.window.add_dock_widget(panel)
        panel.session.draw_points()
        panels.append(panel)
        return panel

    yield make
    for panel in panels:
        panel.session.worker.close(timeout=10)


def mouse(panel: SamWidget, position: Any, *keys: str, button: int = 1) -> None:
    """Press and release a button of the mouse at a level-0 pixel of the image."""
    session = panel.session
    viewer = session.viewer
    world = np.array(session.image.data_to_world(position))[-2:]
    camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
    y, x = size / 2 + (world - camera.center[-2:]) * camera.zoom
    events = viewer.window._qt_viewer.canvas._scene_canvas.events
    for event in (events.mouse_press, events.mouse_release):
        event(pos=(x, y), modifiers=keys, button=button)


def wait(qtbot: QtBot, panel: SamWidget) -> None:
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=20_000)


def test_a_click_finds_its_place_on_a_moved_pyramid_of_volumes_in_time(
    make_panel: Any, qtbot: QtBot, backend: Any
) -> None:
    volume = np.zeros((2, 3, 120, 160), np.uint8)
    panel = make_panel(
        [volume, volume[..., ::2, ::2]],
        multiscale=True,
        scale=(1, 4, 0.5, 0.25),
        translate=(0, 8, 100, -40),
    )
    session = panel.session
    session.viewer.dims.set_point((0, 1), (1, 16))
    mouse(panel, (1, 2, 66, 90))
    wait(qtbot, panel)
    assert backend.prompts[-1].plane == (1, 2)
    np.testing.assert_allclose(backend.prompts[-1].points, [(66, 90)], atol=1)
    session.choose(2)
    session.accept()
    layer = session.objects.layer
    painted = np.argwhere(layer.data)
    assert set(map(tuple, painted[:, :2])) == {(1, 2)}
    np.testing.assert_allclose(painted.mean(axis=0)[-2:], (66, 90), atol=1)
    np.testing.assert_allclose(
        layer.data_to_world((1, 2, 66, 90)), session.image.data_to_world((1, 2, 66, 90))
    )
    mouse(panel, (1, 2, 66, 90), "Control")
    wait(qtbot, panel)
    assert session.objects.refined.id == 1, "control and click refines, and draws no point"
    assert not len(session.prompts.points.data)
    assert session.prompts.points.mode == "add"
    session.clear()
    session.undo()
    assert not layer.data.any()
    session.redo()
    assert len(np.argwhere(layer.data)) == len(painted)


def test_the_wheel_goes_through_the_candidates(make_panel: Any, qtbot: QtBot) -> None:
    panel = make_panel(np.zeros((60, 80), np.uint8))
    session = panel.session
    mouse(panel, (30, 40))
    wait(qtbot, panel)
    canvas = session.viewer.window._qt_viewer.canvas._scene_canvas
    zoom = session.viewer.scene.camera.zoom
    chosen = [session.objects.chosen]
    for delta in ((0, -1), (0, -1), (-1, 0), (0, 1)):
        canvas.events.mouse_wheel(pos=(50, 50), delta=delta, modifiers=("Shift",))
        chosen.append(session.objects.chosen)
    assert chosen == [0, 1, 2, 0, 2]
    assert session.viewer.scene.camera.zoom == zoom


@pytest.mark.parametrize("role", ["points", "labels", "preview", "image"])
def test_layers_may_go_at_any_moment(make_panel: Any, qtbot: QtBot, role: str) -> None:
    from napari_sam.ui.layer_roles import find_layer

    panel = make_panel(np.zeros((60, 80), np.uint8))
    session = panel.session
    viewer, image = session.viewer, session.image
    for place in ((20, 20), (40, 50)):
        mouse(panel, place)
        wait(qtbot, panel)
        session.accept()
    mouse(panel, (20, 60))
    for tab in range(panel.tabs.count()):
        panel.tabs.setCurrentIndex(tab)
        qtbot.wait(20)
    gone = image if role == "image" else find_layer(viewer, image, role)
    viewer.layers.remove(gone)
    wait(qtbot, panel)
    for tab in range(panel.tabs.count()):
        panel.tabs.setCurrentIndex(tab)
        qtbot.wait(20)
    for call in (session.accept, session.undo, session.redo, session.refine, session.clear):
        call()
    wait(qtbot, panel)
    assert viewer.screenshot(canvas_only=False, flash=False).any(), "it still draws"


def test_a_viewer_is_closed_with_a_window_open_and_what_was_painted_comes_back(
    make_panel: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.ui.label_layers.ONE_LEVEL", 50)
    data = np.arange(1100 * 1200, dtype=np.uint8).reshape(1100, 1200)
    levels = [data, data[::2, ::2]]
    panel = make_panel(levels, multiscale=True)
    panel.session.editing.toggle()
    panel.session.editing.window.layer.paint((300, 400), 1)
    other = make_panel(levels, multiscale=True)
    with qtbot.waitSignal(panel.destroyed):
        panel.session.viewer.close()
    wait(qtbot, other)
    other.session.reopening.look()
    qtbot.waitUntil(lambda: other.session.reopening.offer is not None, timeout=10_000)
    assert other.click_page.offer.isVisible()
    other.click_page.bring_back_button.click()
    assert set(other.session.objects.rows) == {1}
    assert not other.click_page.offer.isVisible()
