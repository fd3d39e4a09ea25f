"""Whatever is done in a session can be undone to the beginning and done again, to the pixel."""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam.errors import InputError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

KNOWN = runpy.run_path(str(Path(__file__).with_name("known_session.py")))
HEIGHT, WIDTH = KNOWN["SHAPE"]
PLANES = [(0,), (1,)]
STEPS = ("accept", "accept", "refine", "delete", "merge", "mark", "painted", "run", "undo", "redo")

moves = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), min_size=1, max_size=14)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_blocks, "BLOCK", 32)
        yield


@given(moves, st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_labels_in_memory_are_undone_and_redone_exactly(
    moves: list[tuple[str, int]], had_objects: bool
) -> None:
    before = np.zeros((2, HEIGHT, WIDTH), np.uint16)
    if had_objects:
        before[0, 10:30, 20:50] = 3
        before[1, 40:60, 20:50] = 1
    with tempfile.TemporaryDirectory() as folder:
        check(KNOWN["begin"](Path(folder) / "s", before), moves)


@given(moves)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_labels_on_disk_are_undone_and_redone_exactly(moves: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        labels = KNOWN["pyramid"](Path(folder) / "s", (2, HEIGHT, WIDTH))
        check(KNOWN["begin"](Path(folder) / "s", labels), moves)


State = tuple["npt.NDArray[Any]", dict[int, Any]]


def check(annotator: Annotator, moves: list[tuple[str, int]]) -> None:
    """Make moves and hold every state on the way back and forth against what it was."""
    states = [state(annotator)]
    at, highest = 0, 0
    for move, number in moves:
        try:
            done = step(annotator, move, number)
        except InputError:
            done = False
        if done and move in ("undo", "redo"):
            at += 1 if move == "redo" else -1
        elif done:
            new = [row for row in annotator.rows if row not in states[at][1]]
            if move in ("accept", "run"):
                assert min(new) > highest  # no id is given twice
            highest = max(highest, *new, 0)
            at += 1
            states[at:] = [state(annotator)]
        assert_same(state(annotator), states[at])
    folder = annotator.journal.folder
    annotator.close()
    again = Annotator.reopen(folder)
    assert_same(state(again), states[at])
    np.testing.assert_array_equal(replay(folder), states[at][0])
    assert (again.can_undo is None) == (at == 0)
    assert (again.can_redo is None) == (at == len(states) - 1)
    back_and_forth(again, states, at)
    np.testing.assert_array_equal(replay(folder), states[-1][0])
    again.close()


def back_and_forth(annotator: Annotator, states: list[State], at: int) -> None:
    for expected in reversed(states[:at]):
        assert annotator.undo() is not None
        assert_same(state(annotator), expected)
    assert annotator.undo() is None
    for expected in states[1:]:
        assert annotator.redo() is not None
        assert_same(state(annotator), expected)
    assert annotator.redo() is None


def step(annotator: Annotator, move: str, number: int) -> bool:
    """Make a move; whether it changed something."""
    rng = np.random.default_rng(number)
    plane = PLANES[number % 2]
    ids = sorted(annotator.rows)
    some = rng.choice(ids, min(len(ids), 1 + number % 3), replace=False).tolist() if ids else []
    match move:
        case "accept":
            KNOWN["show"](annotator, KNOWN["blob"](number, plane))
            annotator.accept()
        case "refine":
            if not some:
                return False
            prompt = annotator.refine(some[0])
            KNOWN["show"](annotator, KNOWN["blob"](number, prompt.plane))
            try:
                annotator.accept()
            finally:
                annotator.clear()
        case "delete" | "merge":
            getattr(annotator, move)(some)
        case "mark":
            before = dict(annotator.rows)
            annotator.mark(some, "accepted" if number % 4 else "new")
            return before != dict(annotator.rows)
        case "painted":
            y, x = int(rng.integers(HEIGHT - 20)), int(rng.integers(WIDTH - 20))
            choices = [0, max(ids, default=0) + 5, *some]
            pixels = rng.choice(choices, (15, 20))
            return annotator.painted(plane, (y, x, y + 15, x + 20), pixels) is not None
        case "run":
            seeds = rng.integers(0, 1000, 5).tolist()
            changes = list(annotator.add_run(KNOWN["records"](seeds, PLANES)))
            assert len(changes) > 1
        case _:
            return getattr(annotator, move)() is not None
    return True


def state(annotator: Annotator) -> State:
    labels = annotator.labels
    finest = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    return np.array(finest), dict(annotator.rows)


def assert_same(found: State, expected: State) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]
    for number, row in found[1].items():  # rows say what is in the labels
        hits = np.argwhere(found[0] == number)
        assert row.area == len(hits)
        assert {tuple(hit) for hit in hits[:, :-2].tolist()} == {row.plane}
        tight = (*hits[:, -2:].min(0), *(hits[:, -2:].max(0) + 1))
        if row.source == "automatic":
            assert all(row.box[i] <= tight[i] for i in (0, 1))
            assert all(row.box[i] >= tight[i] for i in (2, 3))
        else:
            assert tight == row.box
