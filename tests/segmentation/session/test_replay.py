from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session import replay as replay_module
from napari_sam.segmentation.session.replay import replay

KNOWN = runpy.run_path(str(Path(__file__).with_name("known_session.py")))


def fill(folder: Path, labels: object = None) -> np.ndarray:
    """Do a bit of everything and return the labels."""
    annotator = KNOWN["begin"](folder, labels)
    for seed in (1, 2, 3):
        assert KNOWN["accept_next"](annotator, seed)
    list(annotator.add_run(KNOWN["records"]([7, 8, 9], [()])))
    first, second = sorted(annotator.rows)[:2]
    annotator.delete([second])
    annotator.mark([first], "accepted")
    annotator.painted((), (0, 0, 4, 4), np.full((4, 4), 40))
    annotator.undo()
    annotator.undo()
    kept = annotator.labels
    return np.array(kept.levels[0] if isinstance(kept, LabelPyramid) else kept)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_journal_makes_the_same_labels_anywhere(tmp_path: Path, on_disk: bool) -> None:
    folder = tmp_path / "session"
    labels = fill(folder, KNOWN["pyramid"](folder) if on_disk else None)
    steps = []
    again = replay(folder, progress=lambda done, total: steps.append((done, total)))
    np.testing.assert_array_equal(again, labels)
    assert again.dtype == labels.dtype
    assert steps == [(n, 5) for n in range(1, 6)]
    pyramid = replay(folder, tmp_path / "copy.zarr")
    np.testing.assert_array_equal(np.asarray(pyramid.levels[0]), labels)
    assert pyramid.axes.upper() == "YX"
    with pytest.raises(InputError, match="exists already"):
        replay(folder, tmp_path / "copy.zarr")


def test_a_session_is_replayed_where_it_was_moved_to(tmp_path: Path) -> None:
    labels = fill(tmp_path / "session")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "session").rename(tmp_path / "elsewhere" / "moved")
    np.testing.assert_array_equal(replay(tmp_path / "elsewhere" / "moved"), labels)


def test_labels_from_before_come_first_on_disk_too(tmp_path: Path) -> None:
    before = np.zeros(KNOWN["SHAPE"], np.uint16)
    before[30:50, 30:60] = 8
    labels = fill(tmp_path / "session", before)
    pyramid = replay(tmp_path / "session", tmp_path / "copy.zarr")
    np.testing.assert_array_equal(np.asarray(pyramid.levels[0]), labels)


def test_labels_too_large_for_memory_go_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "session")
    monkeypatch.setattr(replay_module, "fits_memory", lambda _: False)
    with pytest.raises(InputError, match="80 x 100 pixels are too large for memory: give out="):
        replay(tmp_path / "session")
    replay(tmp_path / "session", tmp_path / "copy.zarr")


def test_labels_on_disk_that_were_not_empty_cannot_be_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    labels = KNOWN["pyramid"](folder)
    labels.reserve(5)
    fill(folder, labels)
    with pytest.raises(InputError, match="labels that were there before"):
        replay(folder)


def test_missing_records_are_named(tmp_path: Path) -> None:
    fill(tmp_path / "session")
    (tmp_path / "session" / "runs" / "1" / "records.json").unlink()
    with pytest.raises(StoreError, match=r"no found masks in .*runs"):
        replay(tmp_path / "session")
