"""Keep what was found: it is painted in one step, and its records stay or go."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from napari_sam.errors import StoreError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records

if TYPE_CHECKING:
    from napari_sam.ui.automatic import Automatic

SCREEN = runpy.run_path(str(Path(__file__).with_name("found_on_screen.py")))
drawn = SCREEN["drawn"]

LOOSE = MergeRules(min_score=0.5)

DISCS = 8 * 11


def test_keeping_paints_the_records_with_the_rules_and_holds_everything_else(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    automatic.use_rules(LOOSE)
    drawer.draw()
    objects = fake_session.objects
    automatic.keep()
    assert automatic.state == "painting"
    assert objects.held
    runner.step()
    assert automatic.status == "Keeping: 50 %"
    automatic.keep()
    automatic.find()
    runner.finish()
    assert automatic.state == "idle"
    assert not objects.held
    ((folder, rules, planes),) = objects.annotator.painted
    assert (rules, planes) == (LOOSE, [()])
    assert sum(len(batch.found) for batch in Records.open(folder).batches(())) >= DISCS
    assert [change.done for change in objects.shown] == [1, 2]
    assert fake_session.status == "4 objects kept."
    assert not drawn(fake_session).any()
    automatic.use_rules(MergeRules())
    drawer.draw()
    assert drawn(fake_session).any(), "to choose again, after taking it back"


def test_a_long_step_of_the_annotator_runs_alone(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    assert automatic.carry_out(lambda: fake_session.objects.annotator.add_run(1), "Taking back")
    assert not automatic.carry_out(lambda: iter([]), "Doing again")
    assert "being painted" in automatic.status
    runner.finish()
    assert fake_session.objects.annotator.painted == [(1,)]


def test_what_cannot_be_kept_is_said_and_stays(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    automatic.keep()
    assert "nothing was found" in fake_session.refused[-1]
    automatic.find()
    runner.finish()
    fake_session.objects.annotator.error = StoreError("the disk is full: make room")
    automatic.keep()
    runner.finish()
    assert fake_session.refused[-1] == "the disk is full: make room"
    assert automatic.state == "idle"
    assert not fake_session.objects.held
    fake_session.objects.annotator.error = None
    automatic.keep()
    runner.finish()
    assert fake_session.status == "4 objects kept."


def test_closing_while_objects_are_painted_lets_go_of_them(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    automatic.find()
    runner.finish()
    automatic.keep()
    assert fake_session.objects.held
    automatic.close()
    assert not fake_session.objects.held


def test_records_of_kept_objects_stay_as_they_are_when_the_search_goes_on(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    automatic.cancel()
    runner.finish()
    automatic.keep()
    runner.finish()
    kept = fake_session.objects.annotator.painted[0][0]
    before = {path: path.read_bytes() for path in kept.rglob("*.npz")}
    assert 3 <= len(before) < 9
    automatic.find()
    runner.finish()
    assert automatic.is_finished
    assert len(finder.asked) == len(set(finder.asked)), "nothing was found twice"
    assert {path: path.read_bytes() for path in kept.rglob("*.npz")} == before
    automatic.keep()
    runner.finish()
    again = fake_session.objects.annotator.painted[1][0]
    assert len(list(again.rglob("*.npz"))) == automatic.progress.total


def test_records_go_into_the_journal_and_follow_to_another(
    automatic: Automatic, fake_session: Any, runner: Any, tmp_path: Path
) -> None:
    annotator = fake_session.objects.annotator
    annotator.journal = SimpleNamespace(folder=tmp_path / "first")
    automatic.find()
    runner.finish()
    annotator.journal = SimpleNamespace(folder=tmp_path / "second")
    automatic.keep()
    runner.finish()
    (first,) = (tmp_path / "first" / "runs").iterdir()
    ((second, _, _),) = annotator.painted
    assert second.parent == tmp_path / "second" / "runs"
    names = {path.name for path in first.rglob("*.npz")}
    assert names
    assert {path.name for path in second.rglob("*.npz")} == names
    automatic.close()
    assert first.exists()


def test_what_was_found_and_not_kept_is_removed_and_what_was_kept_stays(
    automatic: Automatic, fake_session: Any, runner: Any, tmp_path: Path
) -> None:
    fake_session.objects.annotator.journal = SimpleNamespace(folder=tmp_path)

    def runs() -> list[str]:
        return sorted(path.name for path in (tmp_path / "runs").iterdir())

    automatic.find()
    runner.finish()
    automatic.keep()
    runner.finish()
    automatic.diameter.set(30)
    automatic.find()
    runner.finish()
    assert runs() == ["1", "2"]
    automatic.diameter.set(40)
    automatic.find()
    runner.finish()
    assert runs() == ["1", "3"], "the search before this one was given up"
    automatic.close()
    assert runs() == ["1"]
