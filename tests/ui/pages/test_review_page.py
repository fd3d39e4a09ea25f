from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import QItemSelectionModel, Qt

from napari_sam.segmentation.session.change import Change
from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.ui.pages.review_page import ReviewPage

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_sam.ui.session import Session
    from napari_sam.ui.widget import SamWidget

PLACES = ((20, 20), (20, 50), (40, 30))
SCORES = (0.9, 0.8, 0.7)


@pytest.fixture
def page(session: Session, qtbot: QtBot) -> ReviewPage:
    """Return a page on three objects; the first has the best score."""
    for choice, place in enumerate(PLACES):
        session.prompts.points.add(place)
        session.choose(choice)
        session.accept()
    page = ReviewPage(session)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: not session.review.working)
    return page


def texts(page: ReviewPage, column: int) -> list[str]:
    model = page.table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def picked(page: ReviewPage) -> list[str]:
    rows = page.table.selectionModel().selectedRows()
    return sorted(index.data() for index in rows)


def test_the_table_begins_with_the_least_certain(page: ReviewPage) -> None:
    assert texts(page, 0) == ["3", "2", "1"]
    assert texts(page, 1) == ["0.70", "0.80", "0.90"]
    assert texts(page, 4) == ["prompt"] * 3
    assert page.progress.text() == "0 of 3 looked at"


def test_a_click_on_a_row_shows_the_object(
    page: ReviewPage, session: Session, qtbot: QtBot
) -> None:
    click_row(page, qtbot, 1)
    assert session.review.current == 2
    centre = session.viewer.scene.camera.center[-2:]
    assert centre == pytest.approx(PLACES[1], abs=0.5)
    assert page.accept_button.isEnabled()
    assert not page.join_button.isEnabled()


def test_two_rows_can_be_joined(page: ReviewPage, session: Session, qtbot: QtBot) -> None:
    click_row(page, qtbot, 0)
    click_row(page, qtbot, 2, Qt.KeyboardModifier.ControlModifier)
    assert set(session.review.picked) == {1, 3}
    page.join_button.click()
    assert texts(page, 0) == ["2", "1"]
    assert picked(page) == ["1"]


def click_row(page: ReviewPage, qtbot: QtBot, row: int, keys: Any = None) -> None:
    where = page.table.visualRect(page.table.model().index(row, 0)).center()
    keys = Qt.KeyboardModifier.NoModifier if keys is None else keys
    qtbot.mouseClick(page.table.viewport(), Qt.MouseButton.LeftButton, keys, where)


def test_keys_and_buttons_do_the_same(page: ReviewPage, session: Session, qtbot: QtBot) -> None:
    page.activateWindow()
    page.table.setFocus()
    qtbot.waitUntil(page.table.hasFocus)
    qtbot.keyClick(page.table, Qt.Key.Key_N)
    assert session.review.current == 3
    assert picked(page) == ["3"]
    qtbot.keyClick(page.table, Qt.Key.Key_A)
    assert texts(page, 5) == ["✓", "", ""]
    assert page.progress.text() == "1 of 3 looked at"
    assert session.review.current == 2
    page.delete_button.click()
    assert texts(page, 0) == ["3", "1"]
    assert session.review.current == 1
    session.undo()
    assert texts(page, 0) == ["3", "2", "1"]
    assert picked(page) == ["2"]


def test_a_click_on_a_title_sorts_and_keeps_what_is_picked(
    page: ReviewPage, session: Session
) -> None:
    session.review.go_to(3)
    page.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert texts(page, 0) == ["1", "2", "3"]
    assert picked(page) == ["3"]
    page.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert texts(page, 0) == ["3", "2", "1"]
    assert picked(page) == ["3"]
    assert session.review.current == 3


def test_an_object_that_is_accepted_elsewhere_comes_into_its_place(
    page: ReviewPage, session: Session, qtbot: QtBot
) -> None:
    session.review.go_to(1)
    session.prompts.points.add((50, 70))
    session.choose(1)
    session.accept()
    qtbot.waitUntil(lambda: texts(page, 0) == ["3", "2", "4", "1"])
    assert picked(page) == ["1"]


def test_many_changes_at_once_arrive_as_one(
    page: ReviewPage, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {
        id_: ObjectRow(
            id=id_, plane=(), box=(0, 0, 2, 2), area=4, score=1 / id_, stability=None,
            source="automatic", prompt=None, model="",
        )
        for id_ in range(10, 400)
    }  # fmt: skip
    known = {**session.objects.rows, **rows}
    monkeypatch.setattr(page._review.objects, "_find_rows", lambda: known)
    resets = []
    page.table.model().modelReset.connect(lambda: resets.append(None))
    change = Change(kind="automatic", ids=tuple(rows), plane=(), box=None)
    session.objects.changed.emit(change)
    qtbot.waitUntil(lambda: page.table.model().rowCount() == 393)
    assert texts(page, 0)[:2] == ["399", "398"]
    assert len(resets) == 1


def test_all_can_be_picked(page: ReviewPage, session: Session) -> None:
    page.table.selectAll()
    assert set(session.review.picked) == {1, 2, 3}
    page.table.selectionModel().select(
        page.table.model().index(0, 0),
        QItemSelectionModel.SelectionFlag.Deselect | QItemSelectionModel.SelectionFlag.Rows,
    )
    assert set(session.review.picked) == {1, 2}


def test_the_check_box_colours_the_layer(page: ReviewPage, session: Session) -> None:
    own = session.objects.layer.colormap
    page.colours.click()
    assert session.objects.layer.colormap is not own
    page.colours.click()
    assert session.objects.layer.colormap is own


def test_the_table_can_be_saved(
    page: ReviewPage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "objects.csv"
    dialog = "qtpy.QtWidgets.QFileDialog.getSaveFileName"
    monkeypatch.setattr(dialog, lambda *_: ("", ""))
    page.export_button.click()
    assert not page._review.working
    monkeypatch.setattr(dialog, lambda *_: (str(path), ""))
    page.export_button.click()
    qtbot.waitUntil(path.exists)
    assert len(path.read_text().splitlines()) == 4


def test_without_objects_there_is_nothing_to_press(session: Session, qtbot: QtBot) -> None:
    page = ReviewPage(session)
    qtbot.addWidget(page)
    page.show()
    buttons = (page.next_button, page.accept_button, page.delete_button, page.export_button)
    assert not any(button.isEnabled() for button in buttons)
    assert page.progress.text() == "No objects yet"


def test_everything_is_explained_and_fits_a_narrow_panel(
    page: ReviewPage,
) -> None:
    from qtpy.QtWidgets import QAbstractButton, QLabel, QProgressBar

    kinds = (QAbstractButton, QLabel, QProgressBar)
    controls = [
        control for kind in kinds for control in page.findChildren(kind) if control.parent() is page
    ]
    assert len(controls) > 8
    assert all(control.toolTip() for control in controls)
    assert page.minimumSizeHint().width() <= 330


def test_refining_hands_the_object_over_and_says_so(
    page: ReviewPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    monkeypatch.setattr(session, "refine", heard.append)
    session.review.refining.connect(lambda: heard.append(0))
    session.review.go_to(2)
    page.refine_button.click()
    assert heard == [2, 0]


def test_refining_goes_on_with_clicks(panel: SamWidget) -> None:
    panel.tabs.setCurrentIndex(2)
    panel.session.review.refining.emit()
    assert panel.tabs.tabText(panel.tabs.currentIndex()) == "Click"


def test_a_page_that_is_destroyed_hears_nothing_more(
    page: ReviewPage, session: Session, qtbot: QtBot
) -> None:
    other = ReviewPage(session)
    with qtbot.waitSignal(other.destroyed):
        other.deleteLater()
    session.review.next()
    session.review.delete()
    assert session.review.current == 2
