"""One background thread that always works on the newest prompt, and on the view in between."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from qtpy.QtCore import QObject, Signal

from napari_sam.ui.worker_slot import IdleWork, Outcome, Rank, Report, Slot, Task

__all__ = ["Abandoned", "LatestWorker", "Outcome", "Rank", "Report"]

T = TypeVar("T")

EXIT_WAIT = 5.0
"""Seconds that the end of Python waits for a running job: torch must not be cut off halfway."""

REST, LONGEST_REST = 4.0, 0.2
"""Idle work waits after a job for so many times its duration, at most so many seconds: while the
mouse moves, the next hover comes then, and must not wait for a tile."""

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class Abandoned(Exception):
    """The worker was closed while a job ran; the job may end here."""


class LatestWorker(QObject):
    """Runs jobs one after another on a thread of its own; of those waiting only the newest.

    Results and reports arrive on the thread that made the worker, the GUI's.
    """

    _called = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._slot = Slot()
        self._thread: threading.Thread | None = None
        self._called.connect(self._call)  # queued: it is emitted on another thread
        # The thread knows only the slot and a weak reference: a forgotten worker stops too, and
        # at exit all are told to stop before they are waited for.
        weakref.finalize(self, self._slot.close)

    def submit(
        self,
        job: Callable[[Report], T],
        done: Callable[[Outcome[T]], None],
        report: Report,
        rank: Rank = Rank.CLICK,
    ) -> None:
        """Run a job in the background, instead of one of its rank that still waits.

        Parameters
        ----------
        job : callable
            Called on the worker's thread with a function to report progress.
        done : callable
            Called on the GUI's thread with the outcome; not when a newer job took this one's
            place before it began.
        report : callable
            Called on the GUI's thread with every text the job reports.
        rank : Rank
            A waiting click goes before a waiting hover.
        """
        if self._start():
            self._slot.put(Task(job, done, report), rank)

    def run_idle(
        self,
        steps: Callable[[], Iterator[T]],
        each: Callable[[T], None],
        done: Callable[[Outcome[None]], None],
        delay: float = 0.0,
    ) -> None:
        """Advance a generator whenever no job waits, instead of the one before, which is closed.

        A job waits for one step at most.

        Parameters
        ----------
        steps : callable
            Makes the generator; called on the worker's thread, where the generator runs too.
        each : callable
            Called on the GUI's thread with all that it yields.
        done : callable
            Called on the GUI's thread with no value at its end, or with the error that it raised.
            After another `run_idle` or `stop_idle` nothing more is called for this one.
        delay : float
            Seconds to wait before the first step; by then it may have been replaced.
        """
        if self._start():
            self._slot.put_idle(IdleWork(steps, each, done, time.monotonic() + delay))

    def stop_idle(self) -> None:
        """Advance no generator any more; the present one is closed."""
        self._slot.put_idle(None)

    def close(self, timeout: float = 0.0) -> None:
        """Take no more jobs and forget the results of a running one.

        Parameters
        ----------
        timeout : float
            Seconds to wait for a running job to end.
        """
        self._slot.close()
        if self._thread is not None and timeout > 0:
            self._thread.join(timeout)

    def _start(self) -> bool:
        """Whether there is a thread to work; False after `close`."""
        if self._slot.closed:
            return False
        if self._thread is None:
            self._thread = threading.Thread(
                target=_work,
                args=(self._slot, weakref.WeakMethod(self._post)),
                name="napari-sam-worker",
                daemon=True,
            )
            _threads.add(self._thread)
            self._thread.start()
        return True

    def _post(self, call: Callable[[], None]) -> None:
        self._called.emit(call)

    def _call(self, call: Callable[[], None]) -> None:
        if not self._slot.closed:
            call()


@atexit.register
def _wait_at_exit() -> None:
    for thread in _threads:
        thread.join(EXIT_WAIT)


_Post = weakref.WeakMethod[Callable[[Callable[[], None]], None]]


def _work(slot: Slot, post: _Post) -> None:
    try:
        while (work := slot.take()) is not None:
            if isinstance(work, IdleWork):
                _advance(slot, post, work)
            else:
                _run(slot, post, work)
            del work  # hold no image or model while waiting
    except Abandoned:
        pass
    slot.clean_up()


def _run(slot: Slot, post: _Post, task: Task) -> None:
    start = time.monotonic()
    try:
        outcome = Outcome(value=task.job(_reporter(slot, post, task.report)))
    except Abandoned:
        raise
    except Exception as error:  # noqa: BLE001  handed to the GUI's thread, which shows or raises it
        outcome = Outcome(error=error)
    slot.rest(min(REST * (time.monotonic() - start), LONGEST_REST))
    _deliver(slot, post, task.done, outcome)


def _advance(slot: Slot, post: _Post, work: IdleWork) -> None:
    if work.dropped:
        work.close()
        return
    try:
        value = work.advance()
    except StopIteration:
        slot.finish(work)
        _deliver(slot, post, work.done, Outcome())
    except Exception as error:  # noqa: BLE001
        slot.finish(work)
        _deliver(slot, post, work.done, Outcome(error=error))
    else:
        _deliver(slot, post, work.each, value)


def _reporter(slot: Slot, post: _Post, report: Report) -> Report:
    def say(text: str) -> None:
        if slot.closed:
            raise Abandoned
        _deliver(slot, post, report, text)

    return say


def _deliver(slot: Slot, post: _Post, receiver: Callable[[Any], None], value: object) -> None:
    posting = post()
    if posting is None or slot.closed:
        return
    try:
        posting(lambda: receiver(value))
    except RuntimeError:
        # Qt took the worker apart between the check and the call: nobody is left to tell.
        slot.close()
