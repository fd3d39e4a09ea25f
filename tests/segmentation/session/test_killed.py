"""A process that is killed loses nothing that was accepted."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.replay import replay

PROGRAM = Path(__file__).with_name("known_session.py")
KNOWN = runpy.run_path(str(PROGRAM))
KILLS = 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_what_was_accepted_is_there_after_a_kill_at_any_moment(kind: str, tmp_path: Path) -> None:
    delays = np.random.default_rng().uniform(0, 0.2, KILLS)
    lines = [f"{kind} {tmp_path / str(i)} {delay}\n" for i, delay in enumerate(delays)]
    command = [sys.executable, str(PROGRAM)]
    said = subprocess.run(
        command, input="".join(lines), capture_output=True, text=True, check=True, timeout=120
    )
    counts = [int(line) for line in said.stdout.split()]
    assert len(counts) == KILLS
    assert min(counts) >= 1
    assert max(counts) > 1
    for i, accepted in enumerate(counts):
        annotator = Annotator.reopen(tmp_path / str(i))
        assert accepted <= len(annotator.rows) <= accepted + 1
        expected = _session_of(len(annotator.rows))
        _assert_same(annotator, expected)
        np.testing.assert_array_equal(replay(tmp_path / str(i)), expected.labels)
        while annotator.undo() is not None:
            pass
        assert not np.any(_finest(annotator))
        while annotator.redo() is not None:
            pass
        _assert_same(annotator, expected)
        annotator.close()


def _session_of(objects: int) -> Annotator:
    """Accept as many objects without being killed."""
    annotator = Annotator(None, np.zeros(KNOWN["SHAPE"], np.uint32))
    seed = 0
    while len(annotator.rows) < objects:
        KNOWN["accept_next"](annotator, seed)
        seed += 1
    return annotator


def _assert_same(annotator: Annotator, expected: Annotator) -> None:
    np.testing.assert_array_equal(_finest(annotator), expected.labels)
    assert annotator.rows == expected.rows
    labels = annotator.labels
    if isinstance(labels, LabelPyramid):
        levels = [np.asarray(level) for level in labels.levels]
        labels.rebuild()
        for before, after in zip(levels, labels.levels, strict=True):
            np.testing.assert_array_equal(before, after)


def _finest(annotator: Annotator) -> object:
    labels = annotator.labels
    return np.asarray(labels.levels[0]) if isinstance(labels, LabelPyramid) else labels
