"""The tab for the model shows models, how they compute and what they see, and calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QFileDialog, QLabel, QLineEdit

from napari_sam.ui.models import Models
from napari_sam.ui.pages.model_page import STILL_MS, ModelPage
from napari_sam.ui.panel_parts import ScrollPanel
from napari_sam.ui.vision import Vision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_sam.ui.session import Session

BRIGHT = np.arange(1, 5, dtype=np.uint8)[:, np.newaxis, np.newaxis]


@pytest.fixture
def page(session: Session, qtbot: QtBot) -> Iterator[ModelPage]:
    """Return the page of a session whose background work is done at once."""
    session.vision.close()
    worker: Any = session.worker
    session.vision = Vision(session, worker, Models(session, worker))
    session.viewer.scene.camera.center = (30, 40)
    made = ModelPage(session)
    scroll = ScrollPanel(made)
    qtbot.addWidget(scroll)
    scroll.resize(330, 760)
    scroll.show()
    qtbot.waitExposed(scroll)
    yield made
    scroll.hide()


def rows(page: ModelPage) -> list[list[str]]:
    items = page.models.list
    return [
        [items.topLevelItem(row).text(column) for column in range(3)]
        for row in range(items.topLevelItemCount())
    ]


def select(page: ModelPage, row: int) -> None:
    page.models.list.setCurrentItem(page.models.list.topLevelItem(row))


def test_models_are_listed_with_their_state_and_the_one_in_use(page: ModelPage) -> None:
    assert rows(page) == [["discs", "", "in use"], ["other discs", "", "here"]]
    assert "made for tests" in page.models.details.text()
    assert "On this computer." in page.models.details.text()
    assert not page.models.use_button.isEnabled()


def test_a_model_is_used_with_a_button(page: ModelPage, session: Session) -> None:
    select(page, 1)
    page.models.use_button.click()
    assert session.model == "other discs"
    assert rows(page)[1][2] == "in use"
    assert not page.models.use_button.isEnabled()


def test_a_model_that_is_not_here_has_a_button_to_download_it_and_one_to_cancel(
    page: ModelPage, session: Session, backend: Any, slow_worker: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(backend, "state", lambda model: "download")
    monkeypatch.setattr(backend, "fetch", lambda model, progress: progress(2_000_000, 8_000_000))
    session.vision.models.look()
    select(page, 1)
    assert page.models.use_button.text() == "Download"
    assert not page.models.bar.isVisible()
    session.vision.models._helper = slow_worker
    page.models.use_button.click()
    assert page.models.bar.isVisible()
    assert page.models.bar.maximum() == 0  # nothing is known yet: it only moves
    slow_worker.tasks[0][2]("2000000/8000000")
    assert page.models.bar.value() == 250
    assert "2 of 8 MB" in page.models.message.text()
    page.models.cancel_button.click()
    assert not page.models.bar.isVisible()
    assert page.models.use_button.isEnabled()
    assert session.model == "discs"


def test_a_file_that_is_no_checkpoint_is_refused_on_the_page(
    page: ModelPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.txt"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    page.models.file_button.click()
    assert page.models.message.text() == "No file holds discs; give the path of a checkpoint."
    assert len(rows(page)) == 2


def test_device_and_precision_are_shown_and_changed(page: ModelPage, backend: Any) -> None:
    assert page.models.device.currentText() == "automatic"
    page.models.device.setCurrentIndex(1)
    page.models.device.activated.emit(1)
    page.models.precision.activated.emit(2)
    assert backend.computing.device == "cpu"
    assert backend.computing.precision == "bfloat16"
    page.sync()
    assert page.models.device.currentText() == "processor (CPU)"
    assert page.models.precision.currentText() == "fast (bfloat16)"


def test_the_model_and_device_in_use_are_named(page: ModelPage, session: Session) -> None:
    assert "No model is loaded yet" in page.models.running.text()
    session.prompts.points.add([30, 40])
    page.sync()
    assert page.models.running.text() == "In use: discs on cpu"


def test_the_picture_is_there_and_follows_the_view(
    page: ModelPage, viewer: ViewerModel, session: Session, qtbot: QtBot
) -> None:
    assert not page.sight.picture.pixmap().isNull()
    session.use_image(viewer.add_image(BRIGHT * np.full((60, 80), 9, np.uint8)))
    assert session.vision.picture.max() == 9
    viewer.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: session.vision.picture.max() == 36, timeout=100 * STILL_MS)


def test_typed_limits_are_proposed_and_applied(page: ModelPage, session: Session) -> None:
    session.prompts.points.add([30, 40])
    low, high = page.sight.limits[0].low, page.sight.limits[0].high
    assert (low.text(), high.text()) == ("0", "255")
    assert not page.sight.pending.isVisible()
    low.setText("10")
    high.setText("90")
    high.editingFinished.emit()
    assert page.sight.pending.isVisible()
    assert "1 part" in page.sight.cost.text()
    assert session.image_watch.limits == (0, 255)
    page.sight.apply_button.click()
    assert session.image_watch.limits == (10, 90)
    assert not page.sight.pending.isVisible()
    assert page.sight.origin.text() == "Limits: typed"


def test_fields_that_nobody_changed_propose_nothing(page: ModelPage, session: Session) -> None:
    session.image.contrast_limits = (1 / 3, 200 / 3)
    session.vision.use_shown_limits()
    page.sight.limits[0].high.editingFinished.emit()
    assert session.image_watch.sight.limits_from == "layer"


def test_limits_that_cannot_be_used_are_refused_on_the_page(page: ModelPage) -> None:
    page.sight.limits[0].low.setText("300")
    page.sight.limits[0].low.editingFinished.emit()
    assert "low below high" in page.sight.message.text()


def test_layers_of_one_place_can_be_chosen_as_colours(
    page: ModelPage, session: Session, viewer: ViewerModel, picture: np.ndarray
) -> None:
    assert not page.sight.channel_box.isVisible()
    nuclei = viewer.add_image(picture, name="nuclei", contrast_limits=(0, 99))
    assert page.sight.channel_box.isVisible()
    green = page.sight.channels[1]
    assert [green.itemText(i) for i in range(green.count())] == ["none", "cells", "nuclei"]
    green.setCurrentIndex(2)
    green.activated.emit(2)
    assert session.vision.sight.layers == (session.image, nuclei)
    assert page.sight.limits[1].high.text() == "99"
    assert page.sight.first_name.text() == "Red"


def test_an_axis_of_channels_becomes_layers_with_a_button(
    page: ModelPage, session: Session, viewer: ViewerModel
) -> None:
    assert not page.sight.axis_box.isVisible()
    session.use_image(
        viewer.add_image(np.zeros((3, 60, 80), np.uint8), axis_labels=("c", "y", "x"))
    )
    assert page.sight.axis_box.isVisible()
    assert "3 channels" in page.sight.axis_label.text()
    page.sight.axis_button.click()
    assert len(session.vision.sight.layers) == 3
    assert [combo.currentText() for combo in page.sight.channels] == [
        f"Image, channel {number}" for number in (1, 2, 3)
    ]


def test_without_an_image_nothing_can_be_changed(page: ModelPage, viewer: ViewerModel) -> None:
    assert page.sight.isEnabled()
    viewer.layers.clear()
    assert not page.sight.isEnabled()
    page.sight.type_limits()


def test_a_hidden_page_draws_nothing(page: ModelPage, session: Session) -> None:
    page.window().hide()
    before = session.vision.picture
    session.vision.use_limits([(0, 1000)])
    assert session.vision.picture is before


def test_every_control_has_a_tooltip_and_fits_the_panel(page: ModelPage) -> None:
    assert page.minimumSizeHint().width() <= 300
    controls = [
        each
        for kind in (QAbstractButton, QComboBox, QLineEdit)
        for each in page.findChildren(kind)
        if not each.objectName().startswith("qt_")
    ]
    assert len(controls) > 10
    assert [each for each in controls if not each.toolTip()] == []
    assert page.findChildren(QLabel)
