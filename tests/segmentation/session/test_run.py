"""The objects of an automatic run as one step of a session."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam import Segmenter
from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session import automatic_step, journal
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.replay import replay

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

KNOWN = runpy.run_path(str(Path(__file__).with_name("known_session.py")))
SEEDS = list(range(100, 112))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_blocks, "BLOCK", 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture(params=["memory", "disk"])
def annotator(request: pytest.FixtureRequest, folder: Path) -> Annotator:
    labels = KNOWN["pyramid"](folder) if request.param == "disk" else None
    annotator = KNOWN["begin"](folder, labels)
    assert KNOWN["accept_next"](annotator, 1)
    return annotator


def pixels(annotator: Annotator) -> Any:
    labels = annotator.labels
    return np.array(labels.levels[0] if isinstance(labels, LabelPyramid) else labels)


def found(folder: Path | None = None, seeds: list[int] = SEEDS) -> Records:
    return KNOWN["records"](seeds, [()], folder)


def test_a_run_is_added_block_by_block_and_sums_up_in_the_end(annotator: Annotator) -> None:
    before = pixels(annotator)
    changes = list(annotator.add_run(found()))
    after = pixels(annotator)
    *blocks, last = changes
    assert [change.done for change in changes] == list(range(1, len(changes) + 1))
    assert {change.total for change in changes} == {len(changes)}
    assert len(blocks) > 4
    assert last.kind == "automatic"
    assert last.ids == tuple(np.unique(after[after > 1]))
    assert set(annotator.rows) == {1, *last.ids}
    np.testing.assert_array_equal(after[before > 0], before[before > 0])
    row = annotator.rows[last.ids[0]]
    assert (row.source, row.model, row.state) == ("automatic", "finder", "new")
    assert row.area == (after == row.id).sum()
    assert row.prompt is not None
    assert row.prompt["labels"] == [1]
    assert annotator.can_undo.startswith("the automatic run (")


def test_a_run_is_one_entry_that_has_no_pixels(annotator: Annotator, folder: Path) -> None:
    list(annotator.add_run(found(), MergeRules(min_score=0.92)))
    entry = json.loads((folder / "journal.jsonl").read_bytes().splitlines()[-1])
    assert entry["kind"] == "automatic"
    assert entry["run"]["records"] == "runs/1"
    assert entry["run"]["rules"]["min_score"] == 0.92
    assert entry["run"]["rules"]["max_area"] is None
    assert "pixels" not in entry
    assert len(Records.open(folder / "runs" / "1").get((), 1.0, _tile()).found) == len(SEEDS)


def _tile() -> Any:
    from napari_sam.images.tiles import TileIndex

    return TileIndex(0, 0)


def test_a_run_is_undone_and_redone_with_the_same_ids(annotator: Annotator, folder: Path) -> None:
    before = pixels(annotator)
    list(annotator.add_run(found(folder / "runs" / "7")))
    after, rows = pixels(annotator), dict(annotator.rows)
    KNOWN["accept_next"](annotator, 5)
    assert not annotator.undo_is_long
    annotator.undo()
    assert annotator.undo_is_long
    assert not annotator.redo_is_long
    changes = list(annotator.undo_steps())
    assert changes[-1].of == "automatic"
    assert changes[-1].ids == tuple(sorted(set(rows) - {1}))
    np.testing.assert_array_equal(pixels(annotator), before)
    assert set(annotator.rows) == {1}
    assert annotator.redo_is_long
    annotator.redo()
    np.testing.assert_array_equal(pixels(annotator), after)
    assert annotator.rows == rows
    annotator.redo()
    assert max(annotator.rows) > max(rows)
    annotator.undo()
    annotator.undo()
    list(annotator.add_run(found(), MergeRules(min_score=0.95)))
    assert min(set(annotator.rows) - {1}) > max(rows)


def test_the_result_of_a_segmenter_is_added_with_its_own_rules(
    folder: Path, disc_model: Sam
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (80, 100)).astype(np.uint8)
    segmenter = Segmenter(disc_model, image)
    rules = MergeRules(min_score=0.5, min_stability=0, nms_iou=0.2)
    result = segmenter.segment(settings=AutomaticSettings(points_per_side=4), rules=rules)
    assert len(result) > 1
    annotator = KNOWN["begin"](folder)
    list(annotator.add_run(result))
    np.testing.assert_array_equal(annotator.labels, result.labels)
    np.testing.assert_array_equal(replay(folder), result.labels)


def test_other_steps_wait_while_a_run_goes_on(annotator: Annotator) -> None:
    steps = annotator.add_run(found())
    next(steps)
    assert annotator.is_busy
    KNOWN["show"](annotator, KNOWN["blob"](5))
    for step in (annotator.accept, annotator.undo, lambda: annotator.delete([1])):
        with pytest.raises(InputError, match="wait until that is done"):
            step()
    assert annotator.candidates is not None
    list(steps)
    assert not annotator.is_busy
    annotator.accept()


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cancelled_run_leaves_nothing(annotator: Annotator, folder: Path, after: int) -> None:
    before, journal = pixels(annotator), (folder / "journal.jsonl").read_bytes()
    steps = annotator.add_run(found())
    for _ in range(after + 1):
        next(steps)
    assert after == 0 or not np.array_equal(pixels(annotator), before)
    steps.close()
    np.testing.assert_array_equal(pixels(annotator), before)
    assert set(annotator.rows) == {1}
    assert (folder / "journal.jsonl").read_bytes() == journal
    assert annotator.can_undo == "object 1"
    assert annotator.can_redo is None


def test_an_undo_that_is_closed_is_finished(annotator: Annotator) -> None:
    before = pixels(annotator)
    list(annotator.add_run(found()))
    steps = annotator.undo_steps()
    next(steps)
    assert not np.array_equal(pixels(annotator), before)
    steps.close()
    np.testing.assert_array_equal(pixels(annotator), before)
    assert annotator.can_undo == "object 1"


def test_a_cancelled_redo_leaves_the_run_undone(annotator: Annotator) -> None:
    before = pixels(annotator)
    list(annotator.add_run(found()))
    after = pixels(annotator)
    annotator.undo()
    steps = annotator.redo_steps()
    next(steps)
    next(steps)
    steps.close()
    np.testing.assert_array_equal(pixels(annotator), before)
    assert annotator.redo() is not None
    np.testing.assert_array_equal(pixels(annotator), after)


@pytest.mark.parametrize("moment", ["run", "undo", "redo"])
def test_what_a_kill_has_stopped_is_finished_at_the_next_opening(
    annotator: Annotator, folder: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pixels(annotator)
    if moment != "run":
        list(annotator.add_run(found()))
    if moment == "redo":
        annotator.undo()
    steps = {
        "run": lambda: annotator.add_run(found()),
        "undo": annotator.undo_steps,
        "redo": annotator.redo_steps,
    }[moment]()
    next(steps)
    next(steps)
    # What a killed process does not do: take back, or finish.
    monkeypatch.setattr(annotator._kept, "_make_good_now_or_later", lambda _: None)
    steps.close()
    annotator.journal.close()
    whole = KNOWN["begin"](folder.with_name("whole"))
    KNOWN["accept_next"](whole, 1)
    list(whole.add_run(found()))
    again = Annotator.reopen(folder)
    expected = before if moment == "undo" else whole.labels
    np.testing.assert_array_equal(pixels(again), expected)
    if moment != "undo":
        assert again.rows == whole.rows
        again.undo()
        np.testing.assert_array_equal(pixels(again), before)


def test_a_run_that_cannot_be_written_is_taken_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator = KNOWN["begin"](folder, KNOWN["pyramid"](folder))
    KNOWN["accept_next"](annotator, 1)
    before = pixels(annotator)
    write, left = label_blocks.replace, 5

    def fail(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoreError("the disk is full")
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(label_blocks, "replace", fail)
        with pytest.raises(StoreError, match="disk is full"):
            list(annotator.add_run(found()))
        assert not np.array_equal(pixels(annotator), before)  # nor can it be taken back yet
        with pytest.raises(StoreError, match="disk is full"):
            annotator.delete([1])
    list(annotator.add_run(found()))
    annotator.undo()
    np.testing.assert_array_equal(pixels(annotator), before)


def test_records_that_changed_are_not_painted_as_if_they_had_not(
    annotator: Annotator, folder: Path
) -> None:
    before = pixels(annotator)
    list(annotator.add_run(found(folder / "runs" / "1")))
    annotator.undo()
    shutil.rmtree(folder / "runs" / "1")
    with pytest.raises(StoreError, match="there are no found masks"):
        annotator.redo()
    assert annotator.can_redo is not None
    found(folder / "runs" / "1", SEEDS[:6])
    with pytest.raises(StoreError, match="not those that this run had"):
        annotator.redo()
    np.testing.assert_array_equal(pixels(annotator), before)
    shutil.rmtree(folder / "runs" / "1")
    found(folder / "runs" / "1")
    assert annotator.redo() is not None


def test_a_run_without_objects_is_refused_before_anything_is_done(
    annotator: Annotator, folder: Path
) -> None:
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(InputError, match="lower the thresholds"):
        next(annotator.add_run(found(), MergeRules(min_score=1, min_stability=1, min_area=1e6)))
    with pytest.raises(InputError, match="do not fit labels"):
        next(annotator.add_run(found(), planes=[(3,)]))
    every = found(seeds=[1])
    with pytest.raises(InputError, match="belong to other objects"):
        list(annotator.add_run(every))
    assert (folder / "journal.jsonl").read_bytes() == before
    assert not annotator.is_busy


def test_ids_that_do_not_fit_the_labels_are_refused(folder: Path) -> None:
    labels = np.zeros(KNOWN["SHAPE"], np.uint8)
    labels[0, 0] = 250
    annotator = KNOWN["begin"](folder, labels)
    with pytest.raises(InputError, match="larger type"):
        list(annotator.add_run(found()))


def test_records_are_in_a_folder_of_their_own(folder: Path) -> None:
    assert journal.new_records_folder(folder) == folder / "runs" / "1"
    (folder / "runs" / "4").mkdir(parents=True)
    (folder / "runs" / "4-1.npz").touch()
    assert journal.new_records_folder(folder) == folder / "runs" / "5"


def test_undoing_a_run_reads_only_where_its_objects_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator = KNOWN["begin"](folder)
    list(annotator.add_run(found(seeds=[100])))
    box = annotator.rows[1].box
    read = []
    find = automatic_step.find_change
    monkeypatch.setattr(automatic_step, "find_change", lambda *a: read.append(a[2]) or find(*a))
    annotator.undo()
    assert read
    assert all(
        part[0] < box[2] and part[1] < box[3] and part[2] > box[0] and part[3] > box[1]
        for part in read
    )
    assert not annotator.labels.any()


@pytest.mark.parametrize("containment", [0.5, 0.9])
def test_what_is_there_already_for_the_most_part_is_left_out(
    folder: Path, containment: float
) -> None:
    annotator = KNOWN["begin"](folder)
    drawn = KNOWN["records"](SEEDS, [()]).get((), 1.0, _tile()).found
    for seed in (*SEEDS[:3], *range(1, 20)):
        KNOWN["accept_next"](annotator, seed)
    before = pixels(annotator)
    list(annotator.add_run(found(), MergeRules(containment=containment)))
    run = {number: row for number, row in annotator.rows.items() if row.source == "automatic"}
    whole = {tuple(box): area for box, area in zip(drawn.boxes.tolist(), drawn.areas, strict=True)}
    shares = [row.area / whole[row.box] for row in run.values()]
    assert shares
    assert min(shares) > 1 - containment
    assert min(shares) < 1, "test invalid: nothing overlaps"
    np.testing.assert_array_equal(pixels(annotator)[before > 0], before[before > 0])
    after = pixels(annotator)
    annotator.undo()
    annotator.redo()
    np.testing.assert_array_equal(pixels(annotator), after)
    np.testing.assert_array_equal(replay(folder), after)


def test_slivers_are_objects_only_where_the_rules_want_nested_ones(folder: Path) -> None:
    annotator = KNOWN["begin"](folder)
    centre, radius = KNOWN["blob"](SEEDS[0]).centre, KNOWN["blob"](SEEDS[0]).radius
    KNOWN["show"](annotator, KNOWN["Blob"](centre, 0.85 * radius))
    annotator.accept()
    with pytest.raises(InputError, match="belong to other objects"):
        list(annotator.add_run(found(seeds=SEEDS[:1])))
    assert set(annotator.rows) == {1}
    list(annotator.add_run(found(seeds=SEEDS[:1]), MergeRules(containment=1.0)))
    assert len(annotator.rows) == 2
