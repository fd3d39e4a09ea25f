from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from napari_sam.ui.workers import LatestWorker, Outcome, Rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_sam.ui.workers import Report


@pytest.fixture
def worker(qapp: Any) -> Iterator[LatestWorker]:
    worker = LatestWorker()
    yield worker
    worker.close(timeout=10)


class Results:
    """What came back, and on which threads."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome[Any]] = []
        self.texts: list[str] = []
        self.threads: set[threading.Thread] = set()

    def done(self, outcome: Outcome[Any]) -> None:
        self.outcomes.append(outcome)
        self.threads.add(threading.current_thread())

    def report(self, text: str) -> None:
        self.texts.append(text)
        self.threads.add(threading.current_thread())


def test_jobs_run_in_the_background_and_results_arrive_on_the_guis_thread(
    worker: LatestWorker, qtbot: QtBot
) -> None:
    results = Results()

    def job(report: Report) -> threading.Thread:
        report("half way")
        return threading.current_thread()

    worker.submit(job, results.done, results.report)
    qtbot.waitUntil(lambda: len(results.outcomes) == 1)
    assert results.outcomes[0].unwrap() is not threading.current_thread()
    assert results.threads == {threading.current_thread()}
    assert results.texts == ["half way"]


def test_of_the_jobs_that_wait_only_the_newest_is_run(worker: LatestWorker, qtbot: QtBot) -> None:
    results, go = Results(), threading.Event()
    started = threading.Event()

    def first(report: Report) -> int:
        started.set()
        assert go.wait(10)
        return 0

    worker.submit(first, results.done, results.report)
    assert started.wait(10)
    for number in range(1, 6):
        worker.submit(lambda _, number=number: number, results.done, results.report)
    go.set()
    qtbot.waitUntil(lambda: len(results.outcomes) == 2)
    qtbot.wait(50)
    assert [outcome.unwrap() for outcome in results.outcomes] == [0, 5]


def test_an_error_comes_back_as_a_value_and_the_worker_goes_on(
    worker: LatestWorker, qtbot: QtBot
) -> None:
    results = Results()

    def fail(report: Report) -> None:
        raise KeyError("oops")

    worker.submit(fail, results.done, results.report)
    qtbot.waitUntil(lambda: len(results.outcomes) == 1)
    with pytest.raises(KeyError, match="oops"):
        results.outcomes[0].unwrap()
    worker.submit(lambda _: 1, results.done, results.report)
    qtbot.waitUntil(lambda: len(results.outcomes) == 2)


def test_a_closed_worker_ends_a_running_job_at_its_next_report(
    worker: LatestWorker, qtbot: QtBot
) -> None:
    results, go, started = Results(), threading.Event(), threading.Event()
    reached: list[str] = []

    def job(report: Report) -> None:
        started.set()
        assert go.wait(10)
        report("is anybody there?")
        reached.append("the end")

    worker.submit(job, results.done, results.report)
    assert started.wait(10)
    worker.close()
    go.set()
    thread = worker._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    worker.submit(job, results.done, results.report)
    qtbot.wait(50)
    assert reached == results.outcomes == results.texts == []


def test_a_forgotten_worker_stops_its_thread(qapp: Any, qtbot: QtBot) -> None:
    worker, results = LatestWorker(), Results()
    worker.submit(lambda _: 1, results.done, results.report)
    qtbot.waitUntil(lambda: len(results.outcomes) == 1)
    thread, gone = worker._thread, weakref.ref(worker)
    del worker
    gc.collect()
    assert gone() is None
    thread.join(10)
    assert not thread.is_alive()


class Gate:
    """A job that lasts until it is let go."""

    def __init__(self, worker: LatestWorker, results: Results) -> None:
        self._go, started = threading.Event(), threading.Event()

        def job(report: Report) -> str:
            started.set()
            assert self._go.wait(10)
            return "gate"

        worker.submit(job, results.done, results.report)
        assert started.wait(10)

    def open(self) -> None:
        self._go.set()


class Steps:
    """Idle work that says on which threads it ran, and what became of it."""

    def __init__(self, count: int, go: threading.Event | None = None) -> None:
        self.count = count
        self.go = go
        self.seen: list[int] = []
        self.ends: list[Outcome[None]] = []
        self.threads: set[threading.Thread] = set()
        self.closed = threading.Event()

    def run(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.threads.add(threading.current_thread())
                if self.go is not None and number:
                    assert self.go.wait(10)
                yield number
        finally:
            self.threads.add(threading.current_thread())
            self.closed.set()


def test_a_hover_never_takes_the_place_of_a_waiting_click(
    worker: LatestWorker, qtbot: QtBot
) -> None:
    results = Results()
    gate = Gate(worker, results)
    for number in range(3):
        worker.submit(
            lambda _, n=number: f"hover {n}", results.done, results.report, rank=Rank.HOVER
        )
    worker.submit(lambda _: "click", results.done, results.report)
    worker.submit(lambda _: "hover 3", results.done, results.report, rank=Rank.HOVER)
    gate.open()
    qtbot.waitUntil(lambda: len(results.outcomes) == 3)
    assert [outcome.unwrap() for outcome in results.outcomes] == ["gate", "click", "hover 3"]


def test_idle_work_runs_to_its_end_on_the_same_thread(worker: LatestWorker, qtbot: QtBot) -> None:
    steps, results = Steps(3), Results()
    worker.submit(lambda _: threading.current_thread(), results.done, results.report)
    worker.run_idle(steps.run, steps.seen.append, steps.ends.append)
    qtbot.waitUntil(lambda: len(steps.ends) == 1)
    assert steps.seen == [0, 1, 2]
    assert steps.ends[0].unwrap() is None
    assert steps.threads == {results.outcomes[0].unwrap()}


def test_a_job_goes_between_two_steps_of_idle_work(worker: LatestWorker, qtbot: QtBot) -> None:
    go = threading.Event()
    steps, results = Steps(3, go), Results()
    order: list[object] = []
    worker.run_idle(steps.run, order.append, lambda _: order.append("end"))
    qtbot.waitUntil(lambda: order == [0])  # the second step waits
    worker.submit(lambda _: "click", lambda outcome: order.append(outcome.unwrap()), results.report)
    go.set()
    qtbot.waitUntil(lambda: "end" in order)
    assert order == [0, 1, "click", 2, "end"]


def test_newer_idle_work_takes_the_place_of_the_older_which_is_closed(
    worker: LatestWorker, qtbot: QtBot
) -> None:
    go = threading.Event()
    old, new = Steps(100, go), Steps(2)
    worker.run_idle(old.run, old.seen.append, old.ends.append)
    qtbot.waitUntil(lambda: old.seen == [0])
    worker.run_idle(new.run, new.seen.append, new.ends.append)
    go.set()
    qtbot.waitUntil(lambda: len(new.ends) == 1)
    assert old.closed.is_set()
    assert (old.seen, old.ends) == ([0], []), "the step under way is told to nobody"
    assert old.threads == new.threads


def test_idle_work_that_waits_to_begin_can_be_replaced(worker: LatestWorker, qtbot: QtBot) -> None:
    late, soon = Steps(1), Steps(1)
    worker.run_idle(late.run, late.seen.append, late.ends.append, delay=60)
    worker.run_idle(soon.run, soon.seen.append, soon.ends.append, delay=0.02)
    qtbot.waitUntil(lambda: len(soon.ends) == 1)
    assert late.threads == set()


def test_an_error_ends_idle_work_and_the_worker_goes_on(worker: LatestWorker, qtbot: QtBot) -> None:
    ends: list[Outcome[None]] = []

    def fail() -> Iterator[int]:
        yield 1
        raise KeyError("oops")

    worker.run_idle(fail, lambda _: None, ends.append)
    qtbot.waitUntil(lambda: len(ends) == 1)
    with pytest.raises(KeyError, match="oops"):
        ends[0].unwrap()
    steps = Steps(1)
    worker.run_idle(steps.run, steps.seen.append, steps.ends.append)
    qtbot.waitUntil(lambda: steps.seen == [0])


@pytest.mark.parametrize("how", ["stop_idle", "close"])
def test_idle_work_is_closed_when_it_is_stopped(
    worker: LatestWorker, qtbot: QtBot, how: str
) -> None:
    go = threading.Event()
    steps = Steps(100, go)
    worker.run_idle(steps.run, steps.seen.append, steps.ends.append)
    qtbot.waitUntil(lambda: steps.seen == [0])
    getattr(worker, how)()
    go.set()
    assert steps.closed.wait(10)
    qtbot.wait(30)
    assert (steps.seen, steps.ends) == ([0], [])
