"""The tab to segment everything: what is pressed is one call, what is shown is what there is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QWidget

from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.ui import activity as activity_module
from napari_sam.ui.automatic import Automatic
from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.pages.everything_page import EverythingPage, how_far

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


@pytest.fixture
def page(qtbot: QtBot, automatic: Automatic, fake_session: Any) -> EverythingPage:
    page = EverythingPage(fake_session)
    qtbot.addWidget(page)
    return page


def bars() -> list[Any]:
    """Bars in napari's activity dock."""
    return list(progress._all_instances)


def test_every_control_has_a_tooltip(page: EverythingPage) -> None:
    kinds = (QAbstractButton, QComboBox, QAbstractSpinBox)
    controls = [widget for kind in kinds for widget in page.findChildren(kind)]
    named = {name for name, value in vars(page).items() if isinstance(value, QWidget)}
    assert len(named) > 15
    for name in named - {"progress"}:
        assert getattr(page, name).toolTip(), name
    assert len(controls) > 10


def test_it_is_narrow_enough_for_a_dock(page: EverythingPage) -> None:
    assert page.minimumSizeHint().width() <= 330


def test_controls_change_what_is_looked_for_and_chosen(
    page: EverythingPage, automatic: Automatic
) -> None:
    page.region.setCurrentIndex(page.region.findData("plane"))
    assert automatic.region == "plane"
    page.diameter.setValue(25)
    assert automatic.diameter.value == 25
    page.diameter.setValue(0)
    assert automatic.diameter.value is None
    page.score.setValue(0.7)
    page.stability.setValue(0.8)
    page.overlap.setValue(30)
    page.min_area.setValue(20)
    page.max_area.setValue(5000)
    page.level.setCurrentIndex(page.level.findData("whole"))
    page.border.setChecked(False)
    assert automatic.rules == MergeRules(
        min_score=0.7,
        min_stability=0.8,
        containment=0.3,
        min_area=20,
        max_area=5000,
        level="whole",
        whole_only=True,
    )
    page.max_area.setValue(10)
    assert (automatic.rules.min_area, automatic.rules.max_area) == (10, 10)
    assert page.min_area.value() == 10
    page.min_area.setValue(0)
    page.max_area.setValue(0)
    assert automatic.rules.max_area == float("inf")


def test_it_shows_what_was_set_elsewhere(page: EverythingPage, automatic: Automatic) -> None:
    automatic.diameter.set(33)
    automatic.use_region("shape")
    automatic.use_rules(MergeRules(min_score=0.5, level="part"))
    assert page.diameter.value() == 33
    assert page.region.currentData() == "shape"
    assert page.score.value() == pytest.approx(0.5)
    assert page.level.currentData() == "part"


def test_a_run_from_the_first_press_to_the_last(
    page: EverythingPage, automatic: Automatic, runner: Any, drawer: Any, fake_session: Any
) -> None:
    assert not page.keep_button.isEnabled()
    assert not page.cancel_button.isEnabled()
    page.find_button.click()
    assert not page.find_button.isEnabled()
    assert page.cancel_button.isEnabled()
    for _ in range(4):
        runner.step()
    assert 0 < page.bar.value() < page.bar.maximum()
    assert "of 12 tiles" in page.progress.text()
    assert "left" in page.progress.text()
    page.pause_button.click()
    assert (automatic.state, page.pause_button.text()) == ("paused", "Go on")
    page.pause_button.click()
    assert (automatic.state, page.pause_button.text()) == ("finding", "Pause")
    page.cancel_button.click()
    assert automatic.state == "stopping"
    runner.finish()
    assert "press Find to go on" in page.progress.text()
    page.find_button.click()
    runner.finish()
    drawer.draw()
    assert page.bar.value() == page.bar.maximum()
    assert page.shown.text() == "40 objects in view"
    page.score.setValue(0.5)
    drawer.draw()
    assert page.shown.text() == "88 objects in view"
    page.keep_button.click()
    assert not page.keep_button.isEnabled()
    runner.finish()
    assert fake_session.objects.annotator.painted[0][1].min_score == 0.5
    page.forget_button.click()
    assert not page.keep_button.isEnabled()
    assert how_far(automatic) == ""


def test_a_run_is_listed_in_the_activity_dock_and_cancelled_there(
    page: EverythingPage,
    automatic: Automatic,
    runner: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(activity_module, "PERIOD", 1)
    automatic.find()
    assert not bars(), "napari handles events while it makes a bar: not inside a call"
    qtbot.waitUntil(lambda: bool(bars()))
    for _ in range(4):
        runner.step()
    (bar,) = bars()
    assert "cells" in bar.desc
    qtbot.waitUntil(lambda: bar.n > 0)
    assert 0 < bar.n < bar.total
    bar.cancel()
    assert automatic.state == "stopping"
    runner.finish()
    assert not bars()
    assert capsys.readouterr() == ("", "")


def test_a_run_that_ends_while_its_bar_is_made_leaves_none(
    page: EverythingPage,
    automatic: Automatic,
    runner: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activity_module, "PERIOD", 1)
    made = []

    def end(event: Any) -> None:
        made.append(event)
        runner.finish()

    progress._all_instances.events.changed.connect(end)  # as napari does, which handles events then
    try:
        automatic.find()
        qtbot.waitUntil(lambda: bool(made))
    finally:
        progress._all_instances.events.changed.disconnect(end)
    assert automatic.state == "idle"
    assert not bars()


def test_a_panel_that_is_taken_apart_hears_nothing_more(
    qtbot: QtBot,
    automatic: Automatic,
    fake_session: Any,
    runner: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(activity_module, "PERIOD", 1)
    page = EverythingPage(fake_session)
    automatic.find()
    for _ in range(3):
        runner.step()
    qtbot.waitUntil(lambda: bool(bars()))
    page.deleteLater()
    qtbot.wait(50)
    runner.finish()
    assert automatic.is_finished
    assert not bars()


@pytest.fixture
def real(fake_session: Any, qtbot: QtBot) -> Iterator[Automatic]:
    """Return the part with real threads."""
    made = Automatic(fake_session)
    fake_session.automatic = made
    yield made
    made.close()


def test_with_real_threads_objects_appear_while_it_runs(
    real: Automatic,
    fake_session: Any,
    finder: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = EverythingPage(fake_session)
    qtbot.addWidget(page)
    real.diameter.set(16)

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return finder(*args, **kwargs)

    monkeypatch.setattr(find_masks, "find_in_tile", slow)
    seen = []
    real.drawing.changed.connect(lambda: seen.append((real.state, real.drawing.view)))
    real.find()
    qtbot.waitUntil(lambda: real.state == "idle", timeout=30_000)
    n = len(np.unique(finder.labels[finder.labels % 2 == 0])) - 1
    qtbot.waitUntil(
        lambda: real.drawing.view is not None and real.drawing.view.objects == n,
        timeout=20_000,
    )
    assert real.is_finished
    assert any(state == "finding" and view is not None for state, view in seen)
    assert find_layer(fake_session.viewer, fake_session.image, "found").data.any()


def test_a_viewer_closed_during_a_run_ends_it(
    real: Automatic, fake_session: Any, finder: Any, qtbot: QtBot
) -> None:
    real.find()
    qtbot.waitUntil(lambda: len(finder.asked) > 0, timeout=20_000)
    real.close()
    thread = real._runner._thread
    thread.join(10)
    assert not thread.is_alive()
