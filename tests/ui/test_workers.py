from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from napari_sam.ui.workers import LatestWorker, Outcome

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
