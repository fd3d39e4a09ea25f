"""Everything at once in real viewers: stopped, closed and robbed of layers while it runs."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.images.source import open_image
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import find_masks, tile_feed
from napari_sam.segmentation.predict import Segmenter
from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.widget import SamWidget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

PARTS = runpy.run_path(str(Path(__file__).with_name("automatic") / "conftest.py"))
FIRST = 3
"""Tiles after which a run waits to be told."""


class TinyModels:
    """Gives the same tiny model for every image."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._model = build_sam("tiny_tiny_vit", seed=0)
        self._segmenters: dict[Any, Segmenter] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def segmenter(self, model: Any, image: Any, report: Any) -> Segmenter:
        del model, report
        if image.key not in self._segmenters:
            source = open_image(image.data, limits=image.limits, axes=image.axes)
            self._segmenters[image.key] = Segmenter(self._model, source)
        return self._segmenters[image.key]


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """Return an event that runs wait for in the middle."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def make_panel(
    make_napari_viewer: Any,
    backend: Any,
    go_on: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """Return a function that shows discs with a panel in a window."""
    finder, panels = PARTS["Finder"](), []

    def find(*arguments: Any, **named: Any) -> Any:
        if len(finder.asked) >= FIRST:
            assert go_on.wait(60)
        return finder(*arguments, **named)

    monkeypatch.setattr(find_masks, "find_in_tile", find)
    monkeypatch.setattr(tile_feed, "encode", PARTS["encode_nothing"])

    def make() -> SamWidget:
        viewer = make_napari_viewer(show=True)
        pixels = np.where(PARTS["discs"]() > 0, 200, 20).astype(np.uint8)
        viewer.add_image(pixels, name="discs", contrast_limits=(0, 255))
        panel = SamWidget(viewer, backend=TinyModels(backend))
        viewer.window.add_dock_widget(panel)
        panel.session.draw_points()
        panel.tabs.setCurrentIndex(1)
        panel.session.automatic.use_region("plane")
        panel.session.automatic.diameter.set(16)
        panels.append(panel)
        return panel

    yield make
    for panel in panels:
        panel.session.worker.close(timeout=10)


def begin(panel: SamWidget, qtbot: QtBot) -> Any:
    """Press Find and wait until something is found; there is more to come."""
    automatic = panel.session.automatic
    panel.everything_page.find_button.click()
    qtbot.waitUntil(lambda: automatic.is_found, timeout=30_000)
    assert automatic.state == "finding"
    return automatic


def test_a_run_is_stopped_kept_taken_back_and_done_again_with_buttons(
    make_panel: Any, go_on: threading.Event, qtbot: QtBot
) -> None:
    panel = make_panel()
    automatic, page = begin(panel, qtbot), panel.everything_page

    def wait() -> None:
        qtbot.waitUntil(lambda: automatic.state == "idle", timeout=30_000)

    page.cancel_button.click()
    go_on.set()
    wait()
    assert not automatic.is_finished
    assert automatic.progress.done < automatic.progress.total
    page.keep_button.click()
    wait()
    kept = len(panel.session.objects.rows)
    assert kept
    panel.tabs.setCurrentIndex(0)
    panel.click_page.undo_button.click()
    wait()
    assert not panel.session.objects.layer.data.any()
    panel.click_page.redo_button.click()
    wait()
    assert len(np.unique(panel.session.objects.layer.data)) == kept + 1


def test_a_viewer_is_closed_during_a_run_and_its_threads_end(
    make_panel: Any, go_on: threading.Event, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = make_panel()
    automatic = begin(panel, qtbot)
    threads = [automatic._runner._thread, panel.session.worker._thread]
    folder = automatic._run.folder
    assert folder.exists()
    monkeypatch.setattr("napari_sam.ui.automatic.CLOSING", 60.0)  # other programs may be slow
    threading.Timer(0.2, go_on.set).start()
    with qtbot.waitSignal(panel.destroyed):
        panel.session.viewer.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not folder.exists(), "what was found and not kept"


@pytest.mark.parametrize("role", ["found", "labels", "points", "preview", "image"])
def test_a_layer_goes_during_a_run(
    make_panel: Any, go_on: threading.Event, qtbot: QtBot, role: Any
) -> None:
    panel = make_panel()
    automatic = begin(panel, qtbot)
    viewer, image = panel.session.viewer, panel.session.image
    viewer.layers.remove(image if role == "image" else find_layer(viewer, image, role))
    go_on.set()
    qtbot.waitUntil(lambda: automatic.state == "idle", timeout=30_000)
    if role == "image":
        assert not automatic.is_found
    else:
        assert automatic.is_finished
        panel.everything_page.keep_button.click()
        qtbot.waitUntil(lambda: bool(panel.session.objects.rows), timeout=30_000)
        qtbot.waitUntil(lambda: automatic.state == "idle", timeout=30_000)
    assert viewer.screenshot(canvas_only=False, flash=False).any(), "it still draws"


def test_two_viewers_run_at_once_and_keep_what_is_theirs(
    make_panel: Any, go_on: threading.Event, qtbot: QtBot
) -> None:
    first, second = make_panel(), make_panel()
    for panel in (first, second):
        panel.everything_page.find_button.click()
    runs = [panel.session.automatic for panel in (first, second)]
    assert all(each.state == "finding" for each in runs)
    go_on.set()
    qtbot.waitUntil(lambda: all(each.state == "idle" for each in runs), timeout=60_000)
    first.everything_page.keep_button.click()
    qtbot.waitUntil(lambda: runs[0].state == "idle", timeout=30_000)
    assert first.session.objects.rows
    assert not second.session.objects.rows
    second.everything_page.keep_button.click()
    qtbot.waitUntil(lambda: runs[1].state == "idle", timeout=30_000)
    np.testing.assert_array_equal(
        first.session.objects.layer.data, second.session.objects.layer.data
    )
    folders = {panel.session.objects.annotator.journal.folder for panel in (first, second)}
    assert len(folders) == 2
    first.session.undo()
    qtbot.waitUntil(lambda: runs[0].state == "idle", timeout=30_000)
    assert not first.session.objects.rows
    assert second.session.objects.rows
