"""A run: how far it is; stopped, killed and gone on with; found now and labelled later."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_sam import Segmenter, open_image
from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic.merge_rules import MergeRules

KNOWN = runpy.run_path(str(Path(__file__).with_name("test_segment.py")))

SETTINGS, SHAPE = KNOWN["SETTINGS"], KNOWN["SHAPE"]

truth, finder, session = KNOWN["truth"], KNOWN["finder"], KNOWN["session"]
"""Fixtures."""


def test_progress_says_how_far_a_run_is(session: Segmenter, truth: np.ndarray) -> None:
    steps = list(session.segment_progress(settings=SETTINGS))
    first, last = steps[0], steps[-1]
    assert (first.done, first.total, first.stage) == (0, len(session.store.grid(1)), "find")
    assert first.left is None
    assert (last.stage, last.done, last.objects) == ("done", last.total, len(last.result))
    finding = [step for step in steps[1:] if step.stage == "find"]
    assert [step.done for step in finding] == list(range(1, last.total + 1))
    assert last.total > first.total, "test invalid: nothing is cut"
    assert last.new == last.total
    assert last.skipped == 3 * last.total
    assert all(step.rate > 0 and step.left is not None for step in finding)
    assert abs(finding[-1].objects - last.objects) <= 2, "one is larger than tiles show"
    assert sum(len(step.latest) for step in finding) > last.objects
    painted = np.zeros(SHAPE, bool)
    for step in steps:
        if step.stage == "label":
            y0, x0, y1, x1 = step.box
            painted[y0:y1, x0:x1] = True
    assert painted[last.result.labels > 0].all()
    assert all(step.result is None for step in steps[:-1])


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(
    session: Segmenter, finder: Any, tmp_path: Path
) -> None:
    whole = session.segment(settings=SETTINGS)
    n = len(finder.asked)
    finder.asked.clear()
    for stop in (3, n - 1):
        steps = session.segment_progress(settings=SETTINGS, records=tmp_path / "records")
        for step in steps:
            if step.done == stop:
                break
        steps.close()  # type: ignore[attr-defined]
    last = list(session.segment_progress(settings=SETTINGS, records=tmp_path / "records"))[-1]
    assert len(finder.asked) == n
    assert (last.done, last.total, last.new) == (n, n, 1)
    np.testing.assert_array_equal(np.asarray(last.result.labels), np.asarray(whole.labels))
    pd.testing.assert_frame_equal(last.result.objects, whole.objects)


def test_records_of_another_run_are_refused(session: Segmenter, tmp_path: Path) -> None:
    session.segment(settings=SETTINGS, region=(0, 0, 50, 50), records=tmp_path / "records")
    with pytest.raises(StoreError, match="region"):
        session.segment(settings=SETTINGS, records=tmp_path / "records")
    with pytest.raises(StoreError, match="spacing"):
        session.segment(region=(0, 0, 50, 50), records=tmp_path / "records")


def test_a_run_that_was_killed_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""
import os, runpy, signal, sys
test = runpy.run_path({str(Path(__file__))!r})
for step in test["long_session"]().segment_progress("labels.zarr", settings=test["SETTINGS"]):
    if sys.argv[1] in (str(step.done), step.stage):
        os.kill(os.getpid(), signal.SIGKILL)
"""
    for stop in ("3", "label"):
        done = subprocess.run([sys.executable, "-c", code, stop], cwd=tmp_path, check=False)
        assert done.returncode == -signal.SIGKILL
    monkeypatch.setattr(find_masks, "find_in_tile", None)  # long_session sets it
    resumed = long_session().segment(tmp_path / "labels.zarr", settings=SETTINGS)
    once = long_session().segment(tmp_path / "once.zarr", settings=SETTINGS)
    assert len(once.labels.levels) > 1
    for one, other in zip(once.labels.levels, resumed.labels.levels, strict=True):
        np.testing.assert_array_equal(one[:], other[:])
        assert one[:].any()
    pd.testing.assert_frame_equal(once.objects, resumed.objects)


def long_session() -> Segmenter:
    """Session on a slide with labels of two levels, the same in every process."""
    conftest = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))
    truth = KNOWN["slide"]((150, 1100))
    find_masks.find_in_tile = KNOWN["Finder"](truth)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = conftest["BrightnessModel"]()
    return Segmenter(model, open_image(KNOWN["pixels_of"](truth), limits=(0, 255)))


def test_masks_can_be_found_now_and_labelled_later(
    session: Segmenter, finder: Any, tmp_path: Path
) -> None:
    folder, points = tmp_path / "records", list[tuple[int, int]]()
    steps = list(
        session.find_progress(
            folder, settings=SETTINGS, on_points=lambda done, total: points.append((done, total))
        )
    )
    n = len(finder.asked)
    assert len(points) == n > 9
    assert all(done == total > 0 for done, total in points)
    whole = session.segment(settings=SETTINGS)
    assert {step.stage for step in steps[:-1]} == {"find"}
    last = steps[-1]
    assert (last.stage, last.done, last.total, last.result) == ("done", n, n, None)
    finder.asked.clear()
    result = session.segment(settings=SETTINGS, records=folder)
    assert not finder.asked
    np.testing.assert_array_equal(np.asarray(result.labels), np.asarray(whole.labels))


def test_finding_stops_where_a_caller_raises_and_goes_on_later(
    session: Segmenter, finder: Any, tmp_path: Path
) -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if len(finder.asked) == 3:
            raise Enough

    steps = session.find_progress(tmp_path, settings=SETTINGS, on_points=stop)
    with pytest.raises(Enough):
        list(steps)
    stopped = finder.asked[-1]
    assert len(finder.asked) == 3
    finder.asked.clear()
    again = list(session.find_progress(tmp_path, settings=SETTINGS))
    assert finder.asked[0] == stopped, "the tile that was stopped is done again"
    assert again[-1].total - again[-1].new == 2


def test_labels_that_were_begun_are_finished_by_the_same_run_only(
    session: Segmenter, tmp_path: Path
) -> None:
    in_memory = session.segment(settings=SETTINGS)
    out = tmp_path / "labels.zarr"
    steps = session.segment_progress(out, settings=SETTINGS)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert (tmp_path / "labels.zarr.unfinished").exists()
    with pytest.raises(InputError, match="other settings"):
        session.segment(out, settings=SETTINGS, rules=MergeRules(min_score=0.5))
    result = session.segment(out, settings=SETTINGS)
    np.testing.assert_array_equal(result.labels.levels[0][:], np.asarray(in_memory.labels))
    assert not (tmp_path / "labels.zarr.unfinished").exists()
