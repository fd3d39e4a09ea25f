"""A run with a real, tiny model whose weights are random: all of it, but for its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.segmentation.automatic import find_masks, tile_feed
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import find_in_tile
from napari_sam.segmentation.encoding import encode
from napari_sam.ui.automatic import Automatic

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot


@pytest.fixture
def real_model(monkeypatch: pytest.MonkeyPatch, finder: Any) -> None:
    """Put back what the other tests replace; keep masks however bad they are."""
    monkeypatch.setattr(find_masks, "find_in_tile", find_in_tile)
    monkeypatch.setattr(tile_feed, "encode", encode)
    loose = AutomaticSettings(
        points_per_side=4, keep_score=0, keep_stability=0, min_score=0, min_stability=0
    )
    monkeypatch.setattr(
        "napari_sam.segmentation.automatic.segment.AutomaticSettings", lambda: loose
    )


def records_of(folder: Path) -> list[Any]:
    found = [batch.found for batch in Records.open(folder).batches(())]
    return [
        (part.boxes.tolist(), part.scores.tolist(), part.rles.tolist())
        for part in found
        if len(part)
    ]


@pytest.mark.usefixtures("real_model")
def test_a_run_beside_clicks_finds_what_it_finds_alone(
    fake_session: Any, runner: Any, drawer: Any, qtbot: QtBot
) -> None:
    fake_session.viewer.layers.remove(fake_session.image)
    pixels = np.random.default_rng(3).integers(0, 255, (150, 150)).astype(np.uint8)
    fake_session.use_image(fake_session.viewer.add_image(pixels, name="noise"))
    alone = Automatic(fake_session, runner, lambda: drawer)
    alone.use_region("plane")
    alone.find()
    runner.finish()
    expected = records_of(alone._run.folder)
    assert expected, "test invalid: nothing is found"

    fake_session.backend.segmenters.clear()
    beside = Automatic(fake_session)
    beside.use_region("plane")
    beside.find()
    pixels_in = fake_session.image_watch.input(fake_session.image)
    clicks = fake_session.backend.segmenter("tiny", pixels_in, lambda text: None)
    answers = []
    while beside.state != "idle":
        answers.append(clicks.predict([(40, 50)]).scores.tolist())
        qtbot.wait(1)
    assert beside.status
    assert not fake_session.refused
    assert len(answers) > 2
    assert all(answer == answers[0] for answer in answers)
    assert records_of(beside._run.folder) == expected
    alone.close()
    beside.close()
