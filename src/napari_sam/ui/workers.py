"""One background thread that always works on the newest job: a click waits for no older click."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from qtpy.QtCore import QObject, Signal

__all__ = ["Abandoned", "LatestWorker", "Outcome", "Report"]

Report = Callable[[str], None]
"""Says in a few words what is going on; raises `Abandoned` when nobody waits any more."""

T = TypeVar("T")


EXIT_WAIT = 5.0
"""Seconds that the end of Python waits for a running job: torch must not be cut off halfway."""

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class Abandoned(Exception):
    """The worker was closed while a job ran; the job may end here."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a job returned or raised.

    Parameters
    ----------
    value : object or None
    error : Exception or None
    """

    value: T | None = None
    error: Exception | None = None

    def unwrap(self) -> T:
        """Return the value, or raise the error here."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@dataclass(frozen=True, slots=True)
class _Task:
    job: Callable[[Report], Any]
    done: Callable[[Outcome[Any]], None]
    report: Report


class _Slot:
    """Room for one waiting task; a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._task: _Task | None = None
        self.closed = False

    def put(self, task: _Task) -> None:
        with self._changed:
            self._task = task
            self._changed.notify()

    def take(self) -> _Task | None:
        """Wait for a task and take it out; None when the slot was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._task is not None)
            task, self._task = self._task, None
            return None if self.closed else task

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._task = None
            self._changed.notify()


class LatestWorker(QObject):
    """Runs jobs one after another on a thread of its own; of those waiting only the newest.

    Results and reports arrive on the thread that made the worker, the GUI's.
    """

    _called = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._slot = _Slot()
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
    ) -> None:
        """Run a job in the background, instead of one that still waits.

        Parameters
        ----------
        job : callable
            Called on the worker's thread with a function to report progress.
        done : callable
            Called on the GUI's thread with the outcome; not when a newer job took this one's
            place before it began.
        report : callable
            Called on the GUI's thread with every text the job reports.
        """
        if self._slot.closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=_work,
                args=(self._slot, weakref.WeakMethod(self._post)),
                name="napari-sam-worker",
                daemon=True,
            )
            _threads.add(self._thread)
            self._thread.start()
        self._slot.put(_Task(job, done, report))

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

    def _post(self, call: Callable[[], None]) -> None:
        self._called.emit(call)

    def _call(self, call: Callable[[], None]) -> None:
        if not self._slot.closed:
            call()


@atexit.register
def _wait_at_exit() -> None:
    for thread in _threads:
        thread.join(EXIT_WAIT)


def _work(slot: _Slot, post: weakref.WeakMethod[Callable[[Callable[[], None]], None]]) -> None:
    while (task := slot.take()) is not None:
        try:
            outcome = Outcome(value=task.job(_reporter(slot, post, task.report)))
        except Abandoned:
            return
        except Exception as error:  # noqa: BLE001  handed to the GUI's thread, which shows or raises it
            outcome = Outcome(error=error)
        _deliver(slot, post, task.done, outcome)
        del task, outcome  # hold no image or model while waiting


def _reporter(
    slot: _Slot, post: weakref.WeakMethod[Callable[[Callable[[], None]], None]], report: Report
) -> Report:
    def say(text: str) -> None:
        if slot.closed:
            raise Abandoned
        _deliver(slot, post, report, text)

    return say


def _deliver(
    slot: _Slot,
    post: weakref.WeakMethod[Callable[[Callable[[], None]], None]],
    receiver: Callable[[Any], None],
    value: object,
) -> None:
    posting = post()
    if posting is None or slot.closed:
        return
    try:
        posting(lambda: receiver(value))
    except RuntimeError:
        # Qt took the worker apart between the check and the call: nobody is left to tell.
        slot.close()
