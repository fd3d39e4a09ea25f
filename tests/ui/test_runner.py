"""The thread of long runs: what is yielded arrives on the GUI's thread, whole and in order."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from napari_sam.ui import runner as runner_module
from napari_sam.ui.runner import Runner
from napari_sam.ui.workers import Abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from napari_sam.ui.workers import Outcome


class Heard:
    """Keeps what a runner delivers."""

    def __init__(self) -> None:
        self.parcels: list[list[int]] = []
        self.times: list[float] = []
        self.outcomes: list[Outcome[bool]] = []
        self.threads: set[threading.Thread] = set()

    def each(self, values: list[int]) -> None:
        self.threads.add(threading.current_thread())
        self.parcels.append(values)
        self.times.append(time.monotonic())

    def done(self, outcome: Outcome[bool]) -> None:
        self.threads.add(threading.current_thread())
        self.outcomes.append(outcome)

    @property
    def values(self) -> list[int]:
        return [value for parcel in self.parcels for value in parcel]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close(timeout=10)


def test_everything_arrives_in_order_on_the_guis_thread_in_few_parcels(
    runner: Runner, heard: Heard, qtbot: QtBot
) -> None:
    threads = set()

    def steps() -> Iterator[int]:
        for number in range(200):
            threads.add(threading.current_thread())
            time.sleep(0.002)
            yield number

    begin = time.monotonic()
    runner.start(steps, heard.each, heard.done)
    assert runner.is_busy
    qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=10_000)
    assert heard.values == list(range(200))
    assert heard.outcomes[0].unwrap() is True
    assert heard.threads == {threading.current_thread()}
    assert threading.current_thread() not in threads
    assert len(heard.parcels) <= (time.monotonic() - begin) / runner_module.PERIOD + 2
    assert not runner.is_busy


def test_the_last_value_before_a_long_step_does_not_wait_for_it(
    runner: Runner, heard: Heard, qtbot: QtBot
) -> None:
    release = threading.Event()

    def steps() -> Iterator[int]:
        yield 1
        yield 2
        release.wait(10)

    runner.start(steps, heard.each, heard.done)
    qtbot.waitUntil(lambda: heard.values == [1, 2], timeout=5_000)
    assert not heard.outcomes
    release.set()
    qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=5_000)


def test_a_paused_run_waits_and_goes_on(runner: Runner, heard: Heard, qtbot: QtBot) -> None:
    def steps() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1
            time.sleep(0.005)

    runner.start(steps, heard.each, heard.done)
    qtbot.waitUntil(lambda: len(heard.values) > 3, timeout=5_000)
    for stop, go in (
        (runner.pause, runner.resume),
        (lambda: runner.hold(held=True), lambda: runner.hold(held=False)),
    ):
        stop()
        qtbot.wait(100)
        n = len(heard.values)
        qtbot.wait(150)
        assert len(heard.values) == n
        go()
        qtbot.waitUntil(lambda n=n: len(heard.values) > n + 3, timeout=5_000)
    assert heard.values == list(range(len(heard.values)))


def test_a_cancelled_run_is_closed_on_its_thread_also_while_paused(
    runner: Runner, heard: Heard, qtbot: QtBot
) -> None:
    closed = []

    def steps() -> Iterator[int]:
        try:
            while True:
                yield 1
                time.sleep(0.005)
        finally:
            closed.append(threading.current_thread())

    for paused in (False, True):
        heard.outcomes.clear()
        runner.start(steps, heard.each, heard.done)
        if paused:
            runner.pause()
        qtbot.wait(60)
        assert not heard.outcomes
        runner.cancel()
        qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=5_000)
        assert heard.outcomes[0].unwrap() is False
    assert len(closed) == 2
    assert threading.current_thread() not in closed


def test_within_a_long_step_a_run_tells_breathes_and_ends(
    runner: Runner, heard: Heard, qtbot: QtBot
) -> None:
    ended = []

    def steps() -> Iterator[int]:
        try:
            for number in range(100_000):
                runner.tell(number)
                runner.breathe()
                time.sleep(0.005)
        except Abandoned:
            ended.append(True)
            raise
        yield -1

    runner.start(steps, heard.each, heard.done)
    qtbot.waitUntil(lambda: len(heard.values) > 5, timeout=5_000)
    runner.pause()
    qtbot.wait(100)
    n = len(heard.values)
    qtbot.wait(100)
    assert len(heard.values) == n
    runner.cancel()
    qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=5_000)
    assert ended == [True]
    assert heard.outcomes[0].unwrap() is False
    assert -1 not in heard.values


def test_an_error_is_handed_over_and_the_next_run_works(
    runner: Runner, heard: Heard, qtbot: QtBot
) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    runner.start(broken, heard.each, heard.done)
    qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=5_000)
    with pytest.raises(OSError, match="gone"):
        heard.outcomes[0].unwrap()
    runner.start(lambda: iter([7]), heard.each, heard.done)
    qtbot.waitUntil(lambda: len(heard.outcomes) == 2, timeout=5_000)
    assert heard.values == [1, 7]


def test_a_second_run_is_refused(runner: Runner, heard: Heard) -> None:
    release = threading.Event()

    def steps() -> Iterator[int]:
        yield 1
        release.wait(10)

    runner.start(steps, heard.each, heard.done)
    with pytest.raises(RuntimeError, match="busy"):
        runner.start(steps, heard.each, heard.done)
    release.set()


def test_after_closing_nothing_arrives_and_the_thread_ends(heard: Heard, qtbot: QtBot) -> None:
    runner = Runner()

    def steps() -> Iterator[int]:
        while True:
            yield 1
            time.sleep(0.005)

    runner.start(steps, heard.each, heard.done)
    qtbot.waitUntil(lambda: bool(heard.values), timeout=5_000)
    runner.close(timeout=5)
    thread = runner._thread
    n = len(heard.values)
    qtbot.wait(100)
    assert thread is not None
    assert not thread.is_alive()
    assert len(heard.values) == n
    assert not heard.outcomes
    runner.start(steps, heard.each, heard.done)
    assert not runner.is_busy


def test_a_forgotten_runner_ends_its_thread(heard: Heard, qtbot: QtBot) -> None:
    runner = Runner()
    runner.start(lambda: iter([1]), heard.each, heard.done)
    qtbot.waitUntil(lambda: bool(heard.outcomes), timeout=5_000)
    thread = runner._thread
    assert thread is not None
    assert thread.is_alive()
    del runner
    thread.join(5)
    assert not thread.is_alive()
