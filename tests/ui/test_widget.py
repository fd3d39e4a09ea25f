from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.open_panels import panel_of
from napari_sam.ui.widget import SamWidget

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


def test_opening_the_panel_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys, napari_sam.ui.widget, napari_sam.ui.commands\n"
        "from napari_sam.ui.backend import SamBackend\n"
        "SamBackend().choices()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_click_on_the_canvas_is_segmented_chosen_accepted_and_undone(
    make_napari_viewer: Any, qtbot: QtBot, backend: Any, picture: np.ndarray
) -> None:
    viewer = make_napari_viewer(show=True)
    image = viewer.add_image(picture, name="cells", scale=(0.5, 0.25), translate=(100, -40))
    panel = SamWidget(viewer, backend=backend)
    viewer.window.add_dock_widget(panel)
    qtbot.mouseClick(panel.click_page.points_button, _left())
    canvas = viewer.window._qt_viewer.canvas
    press_on_canvas(viewer, canvas, image.data_to_world((33, 44)))
    qtbot.waitUntil(lambda: panel.session.objects.candidates is not None, timeout=20_000)
    np.testing.assert_allclose(backend.prompts[-1].points, [(33, 44)], atol=0.5)
    third = panel.click_page.candidates.cards[2]
    qtbot.mouseClick(third, _left())
    assert panel.session.objects.chosen == 2
    assert [card.isChecked() for card in panel.click_page.candidates.cards] == [False, False, True]
    qtbot.mouseClick(panel.click_page.accept_button, _left())
    layer = panel.session.objects.layer
    painted = np.argwhere(layer.data)
    assert len(painted) == 489
    np.testing.assert_allclose(painted.mean(axis=0), (33, 44), atol=0.5)
    world = layer.data_to_world(painted.mean(axis=0))
    np.testing.assert_allclose(world, image.data_to_world((33, 44)), atol=0.25)
    qtbot.mouseClick(panel.click_page.undo_button, _left())
    assert not layer.data.any()
    viewer.layers.remove(layer)
    viewer.layers.remove(image)
    assert viewer.screenshot(canvas_only=False, flash=False).any(), "it still draws"
    panel.session.worker.close(timeout=10)


def _left() -> Any:
    from qtpy.QtCore import Qt

    return Qt.MouseButton.LeftButton


def press_on_canvas(viewer: Any, canvas: Any, world: Any, button: int = 1) -> None:
    """Click on a position of the world, through the canvas."""
    camera, size = viewer.scene.camera, np.array(viewer.canvas.size)
    y, x = size / 2 + (np.array(world) - camera.center[-2:]) * camera.zoom
    events = canvas._scene_canvas.events
    for event in (events.mouse_press, events.mouse_release):
        event(pos=(x, y), modifiers=(), button=button)


def test_the_panel_shows_scores_and_what_can_be_done(panel: SamWidget, click_on: Any) -> None:
    assert not panel.click_page.accept_button.isEnabled()
    assert panel.status.text == "Click on an object, or draw a box around it."
    click_on(panel, 20, 30)
    texts = [card._text.text() for card in panel.click_page.candidates.cards]
    for text, score in zip(texts, (0.9, 0.8, 0.7), strict=True):
        assert f"score {score:.2f}" in text
        assert "stability" in text
        assert "px" in text
    assert all(not card._picture.pixmap().isNull() for card in panel.click_page.candidates.cards)
    assert panel.click_page.accept_button.isEnabled()
    panel.session.clear()
    assert not any(card.isEnabled() for card in panel.click_page.candidates.cards)


def test_the_buttons_of_polarity_follow_the_key_and_the_key_them(panel: SamWidget) -> None:
    points = panel.session.prompts.points
    assert panel.click_page.positive_button.isChecked()
    keys = {str(key): call for key, call in points.keymap.items()}
    keys["T"](points)
    assert panel.click_page.negative_button.isChecked()
    assert not panel.click_page.positive_button.isChecked()
    panel.click_page.positive_button.click()
    points.add((3, 4))
    panel.click_page.negative_button.click()
    points.add((5, 6))
    assert list(points.features["polarity"]) == ["positive", "negative"]


def test_the_pickers_show_the_layers_there_are(panel: SamWidget, picture: np.ndarray) -> None:
    viewer, session = panel.session.viewer, panel.session
    second = viewer.add_image(picture, name="more cells")
    viewer.add_labels(np.zeros((9, 9), int), name="of another size")
    mine = viewer.add_labels(np.zeros(picture.shape, int), name="mine")
    assert [image.name for image in panel.image_picker.choices] == ["cells", "more cells"]
    assert panel.click_page.labels_picker.choices == (None, mine)
    panel.image_picker.value = second
    assert session.image is second
    panel.click_page.labels_picker.value = mine
    assert session.objects.layer is mine
    mine.name = "renamed"
    combo = panel.click_page.labels_picker.native
    assert [combo.itemText(i) for i in range(combo.count())] == ["new layer", "renamed"]
    viewer.layers.remove(mine)
    assert panel.click_page.labels_picker.value is None
    viewer.layers.remove(second)
    assert panel.image_picker.value.name == "cells"
    viewer.layers.clear()
    assert panel.image_picker.choices == ()
    assert not panel.click_page.points_button.isEnabled()
    assert panel.status.text == "Open an image to begin."


def test_two_viewers_do_not_hear_each_other(
    panel: SamWidget,
    make_napari_viewer_proxy: Any,
    backend: Any,
    picture: np.ndarray,
    click_on: Any,
) -> None:
    viewer = make_napari_viewer_proxy()
    viewer.add_image(picture, name="others")
    other = SamWidget(viewer, backend=backend)
    viewer.window.add_dock_widget(other)
    other.session.draw_points()
    click_on(panel, 20, 30)
    assert panel.session.objects.candidates is not None
    assert other.session.objects.candidates is None
    click_on(other, 40, 50)
    panel.session.accept()
    assert other.session.objects.candidates is not None
    assert other.session.objects.layer is None
    assert panel_of(panel.session.viewer) is panel
    assert panel_of(viewer) is other
    other.session.worker.close(timeout=10)


def test_a_second_panel_takes_the_viewer_over(
    panel: SamWidget, backend: Any, click_on: Any
) -> None:
    again = SamWidget(panel.session.viewer, backend=backend)
    panel.session.viewer.window.add_dock_widget(again)
    assert not panel.isEnabled()
    assert panel_of(again.session.viewer) is again
    click_on(again, 20, 30)
    assert again.session.objects.candidates is not None
    assert panel.session.objects.candidates is None
    again.session.worker.close(timeout=10)


def test_a_panel_that_is_destroyed_stops_its_worker_and_lets_the_layers_be(
    panel: SamWidget, qtbot: QtBot, click_on: Any
) -> None:
    click_on(panel, 20, 30)
    session, viewer = panel.session, panel.session.viewer
    points, worker = session.prompts.points, session.worker
    viewer.window.remove_dock_widget(panel)
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    worker._thread.join(10)
    assert not worker._thread.is_alive()
    assert not viewer.layers["cells candidate"].visible
    points.add((22, 31))
    viewer.layers.clear()


def test_closing_the_viewer_during_an_answer_is_safe(
    make_napari_viewer: Any, qtbot: QtBot, backend: Any, picture: np.ndarray
) -> None:
    import threading

    started, go = threading.Event(), threading.Event()
    answer = backend.segmenter

    def wait_and_answer(*arguments: Any) -> Any:
        started.set()
        assert go.wait(10)
        return answer(*arguments)

    backend.segmenter = wait_and_answer
    viewer = make_napari_viewer()
    viewer.add_image(picture)
    panel = SamWidget(viewer, backend=backend)
    viewer.window.add_dock_widget(panel)
    panel.session.draw_points()
    panel.session.prompts.points.add((20, 30))
    assert started.wait(10)
    thread = panel.session.worker._thread
    with qtbot.waitSignal(panel.destroyed):
        viewer.close()
    go.set()
    thread.join(10)
    assert not thread.is_alive()


def test_what_we_did_wrong_is_shown_by_napari(
    panel: SamWidget, qtbot: QtBot, backend: Any, click_on: Any
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    backend.segmenter = fail
    with qtbot.captureExceptions() as raised:
        click_on(panel, 20, 30)
    assert [kind for kind, _, _ in raised] == [ZeroDivisionError]
    assert "oops" in panel.status.text


def test_a_real_model_answers_from_a_checkpoint_file(
    make_napari_viewer: Any, qtbot: QtBot, tmp_path: Path, picture: np.ndarray, click_on: Any
) -> None:
    from napari_sam.model.sam import build_sam
    from napari_sam.model.weights import save_safetensors

    path = tmp_path / "tiny.safetensors"
    save_safetensors(build_sam("tiny", seed=0), path)
    viewer = make_napari_viewer()
    viewer.add_image(np.stack([picture] * 3), scale=(4, 0.5, 0.5), translate=(0, 9, 9))
    panel = SamWidget(viewer)
    viewer.window.add_dock_widget(panel)
    panel.session.use_model(path)
    panel.session.draw_points()
    click_on(panel, 1, 20, 30)
    candidates = panel.session.objects.candidates
    assert candidates is not None, panel.status.text
    assert len(candidates) == 3
    assert candidates.plane == (1,)
    assert "on " in panel.session.answering.device
    areas = [candidate.area for candidate in candidates]
    panel.session.choose(int(np.argmax(areas)))
    panel.session.accept()
    layer = panel.session.objects.layer
    assert layer.data.shape == (3, 60, 80)
    assert layer.data[1].any()
    assert not layer.data[[0, 2]].any()
    panel.session.draw_boxes()
    corners = [[1, 5, 5], [1, 5, 40], [1, 30, 40], [1, 30, 5]]
    panel.session.prompts.boxes.add_rectangles(np.array(corners))
    qtbot.waitUntil(lambda: not panel.session.busy, timeout=20_000)
    assert len(panel.session.objects.candidates) == 1
    panel.session.worker.close(timeout=10)


def test_a_file_that_is_no_checkpoint_is_refused_in_one_sentence(
    panel: SamWidget, tmp_path: Path, warnings_shown: list[str], click_on: Any
) -> None:
    from napari_sam.ui.backend import SamBackend

    panel.session.backend = SamBackend()
    path = tmp_path / "mine.pt"
    path.write_text("no weights")
    panel.session.model = path
    click_on(panel, 20, 30)
    (text,) = warnings_shown
    assert "mine.pt" in text
    assert panel.session.objects.candidates is None


def test_the_panel_fits_a_low_and_narrow_screen(panel: SamWidget, click_on: Any) -> None:
    click_on(panel, 20, 30)
    assert panel.minimumSizeHint().height() < 300
    assert panel.minimumSizeHint().width() < 420
    card = panel.click_page.candidates.cards[0]
    assert card._text.sizeHint().width() <= card.width()
