"""Everything at once in the real session: keeping is one step, taken back and done again as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import find_masks, tile_feed
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.automatic.tile_masks import TileFinding
from napari_sam.segmentation.predict import Segmenter

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from pytestqt.qtbot import QtBot

    from napari_sam.ui.session import Session

SIDE = 12

CORNERS = ((5, 5), (30, 40))


def squares(*_: Any, tile_index: Any, **__: Any) -> TileFinding:
    """Stand in for `find_in_tile`: two squares, the second less certain."""
    rles = np.empty(2, np.object_)
    rles[:] = [encode(np.ones((SIDE, SIDE), bool))] * 2
    found = replace(
        FoundMasks.empty(),
        boxes=np.array([(y, x, y + SIDE, x + SIDE) for y, x in CORNERS]),
        rles=rles,
        scores=np.array([0.95, 0.55], np.float32),
        stability=np.array([0.95, 0.95], np.float32),
        areas=np.array([SIDE**2] * 2),
        points=np.array(CORNERS, float) + SIDE / 2,
        prompts=np.arange(2),
        tokens=np.ones(2, np.uint8),
        samplings=np.ones(2),
        tiles=np.array([tile_index] * 2),
    )
    return TileFinding(found, 2, 0, 0)


@pytest.fixture
def found(
    viewer: ViewerModel,
    picture: np.ndarray,
    worker: Any,
    backend: Any,
    make_session: Callable[[Any], Session],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> Session:
    """Return a session in which a run has found two squares."""
    model = build_sam("tiny_tiny_vit", seed=0)
    side = model.config.grid_size
    nothing = np.zeros((model.config.channels, side, side), np.float16)
    monkeypatch.setattr(find_masks, "find_in_tile", squares)
    monkeypatch.setattr(tile_feed, "encode", lambda model, images: [nothing] * len(images))
    monkeypatch.setattr(backend, "segmenter", lambda *_: Segmenter(model, picture))
    viewer.add_image(picture, name="cells")
    session = make_session(worker)
    session.automatic.use_region("plane")
    session.automatic.find()
    qtbot.waitUntil(lambda: session.automatic.state == "idle", timeout=60_000)
    assert session.automatic.is_finished, session.status
    return session


def labels(session: Session) -> np.ndarray:
    return np.asarray(session.objects.layer.data)


def wait(session: Session, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: session.automatic.state == "idle", timeout=60_000)


def test_finding_paints_nothing(found: Session) -> None:
    assert not labels(found).any()
    assert not found.objects.rows


def test_keeping_is_one_step_that_is_taken_back_and_done_again(
    found: Session, qtbot: QtBot
) -> None:
    found.automatic.use_rules(replace(found.automatic.rules, min_score=0.5))
    found.automatic.keep()
    assert found.objects.held
    wait(found, qtbot)
    kept = labels(found).copy()
    assert set(np.unique(kept)) == {0, 1, 2}
    for y, x in CORNERS:
        assert len(np.unique(kept[y : y + SIDE, x : x + SIDE])) == 1
    assert {row.source for row in found.objects.rows.values()} == {"automatic"}
    assert not found.objects.held
    found.undo()
    wait(found, qtbot)
    assert not labels(found).any()
    assert not found.objects.rows
    found.redo()
    wait(found, qtbot)
    np.testing.assert_array_equal(labels(found), kept)
    assert len(found.objects.rows) == 2


def test_after_taking_back_other_thresholds_keep_other_objects(
    found: Session, qtbot: QtBot
) -> None:
    found.automatic.keep()
    wait(found, qtbot)
    assert len(found.objects.rows) == 1
    found.undo()
    wait(found, qtbot)
    found.automatic.use_rules(replace(found.automatic.rules, min_score=0.5))
    found.automatic.keep()
    wait(found, qtbot)
    assert len(found.objects.rows) == 2


def test_the_labels_layer_may_be_removed_before_keeping(
    found: Session, viewer: ViewerModel, qtbot: QtBot
) -> None:
    viewer.layers.remove(found.objects.layer)
    found.automatic.keep()
    wait(found, qtbot)
    assert labels(found).any()


def test_what_is_shown_is_what_would_be_kept(found: Session, qtbot: QtBot) -> None:
    automatic = found.automatic
    automatic.use_rules(replace(automatic.rules, min_score=0.5))

    def shows(objects: int) -> None:
        def is_drawn() -> bool:
            view = automatic.drawing.view
            return view is not None and (view.objects, view.there) == (objects, 2 - objects)

        qtbot.waitUntil(is_drawn)

    shows(2)
    y, x = CORNERS[1]
    mine = np.ones((SIDE, 2 * SIDE // 3), np.uint32)
    found.objects.kept.repaint((), (y, x, y + SIDE, x + 2 * SIDE // 3), mine)
    shows(1)
    found.undo()
    shows(2)
    found.redo()
    shows(1)
    automatic.keep()
    wait(found, qtbot)
    rows = found.objects.rows.values()
    assert sorted(row.source for row in rows) == ["automatic", "painted"]
