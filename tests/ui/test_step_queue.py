"""Steps on a thread: in order, none left out, handed on by the thread that asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from napari_sam.ui.step_queue import StepQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot


@pytest.fixture
def queue(qapp: Any) -> Iterator[StepQueue]:
    del qapp
    queue = StepQueue()
    yield queue
    queue.close()


def test_steps_are_done_in_order_on_a_thread_and_handed_on_by_the_guis(
    queue: StepQueue, qtbot: QtBot
) -> None:
    go_on, done = threading.Event(), []
    threads: list[str] = []

    def step(number: int) -> int:
        assert go_on.wait(10)
        threads.append(threading.current_thread().name)
        return number

    def handed_on(outcome: Any) -> None:
        done.append((outcome.value, threading.current_thread()))

    for number in range(5):
        queue.add(lambda number=number: step(number), handed_on)
    assert not queue.is_empty
    qtbot.wait(50)
    assert not done, "the thread that asks does not wait"
    go_on.set()
    qtbot.waitUntil(lambda: queue.is_empty, timeout=10_000)
    assert done == [(number, threading.main_thread()) for number in range(5)]
    assert set(threads) == {"napari-sam-steps_0"}


def test_waiting_for_all_hands_them_on_without_the_guis_events(queue: StepQueue) -> None:
    done: list[Any] = []
    for number in range(3):
        queue.add(lambda number=number: number, done.append)
    queue.finish()
    assert [outcome.value for outcome in done] == [0, 1, 2]
    assert queue.is_empty


def test_an_error_is_handed_on_and_the_next_step_is_done(queue: StepQueue) -> None:
    done: list[Any] = []

    def fail() -> None:
        raise ValueError("no room")

    queue.add(fail, done.append)
    queue.add(lambda: 7, done.append)
    queue.finish()
    assert str(done[0].error) == "no room"
    assert done[1].value == 7


def test_a_step_may_ask_for_another_when_it_is_handed_on(queue: StepQueue) -> None:
    done: list[Any] = []
    queue.add(lambda: 1, lambda _: queue.add(lambda: 2, done.append))
    queue.finish()
    assert [outcome.value for outcome in done] == [2]


def test_after_closing_nothing_is_under_way(queue: StepQueue) -> None:
    done: list[Any] = []
    queue.add(lambda: 1, done.append)
    queue.close()
    assert [outcome.value for outcome in done] == [1]
    assert not any("napari-sam-steps" in thread.name for thread in threading.enumerate())
