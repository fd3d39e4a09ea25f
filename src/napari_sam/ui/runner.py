"""A thread for what takes minutes: automatic runs, step by step, to be paused and cancelled."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam.ui.workers import EXIT_WAIT, Abandoned, Outcome

__all__ = ["PERIOD", "Runner"]

PERIOD = 0.05
"""Seconds between two deliveries to the GUI at least."""

T = TypeVar("T")

_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@dataclass(slots=True, eq=False)
class _Run:
    """One run, shared by the thread that works and the GUI's."""

    steps: Callable[[], Iterator[Any]]
    each: Callable[[list[Any]], None]
    done: Callable[[Outcome[bool]], None]
    paused: bool = False
    held: bool = False
    cancelled: bool = False
    values: list[Any] = field(default_factory=list)
    outcome: Outcome[bool] | None = None
    is_told: bool = False  # the GUI knows that there is something to take


class _Desk:
    """Where both threads meet."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.run: _Run | None = None
        self.closed = False

    def take(self) -> _Run | None:
        """Wait for a run that has not begun; None when there will be no more."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or (self.run is not None and self.run.outcome is None)
            )
            return None if self.closed else self.run

    def breathe(self, run: _Run) -> None:
        """Wait while the run is paused.

        Raises
        ------
        Abandoned
            When it is cancelled or nobody waits for it any more.
        """
        with self.changed:
            self.changed.wait_for(
                lambda: self.closed or run.cancelled or not (run.paused or run.held)
            )
        self.check(run)

    def check(self, run: _Run) -> None:
        """Raise `Abandoned` when the run is cancelled or nobody waits for it any more."""
        if self.closed or run.cancelled:
            raise Abandoned

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class Runner(QObject):
    """Runs one generator at a time on a thread of its own.

    What it yields arrives on the thread that made the runner, the GUI's, in parcels: at most
    twenty a second, and nothing is left out.
    """

    _posted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._desk = _Desk()
        self._thread: threading.Thread | None = None
        self._delivered = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._deliver)
        self._posted.connect(self._on_posted)  # queued: it is emitted on another thread
        weakref.finalize(self, self._desk.close)

    @property
    def is_busy(self) -> bool:
        """Whether a run has begun and its end was not delivered yet."""
        return self._desk.run is not None and not self._desk.closed

    def start(
        self,
        steps: Callable[[], Iterator[T]],
        each: Callable[[list[T]], None],
        done: Callable[[Outcome[bool]], None],
    ) -> None:
        """Run a generator in the background.

        Parameters
        ----------
        steps : callable
            Makes the generator; both are run on the runner's thread. Between two steps it can be
            paused and cancelled, and within one where it calls `breathe`.
        each : callable
            Called on the GUI's thread with a list of what was yielded, or told with `breathe`,
            since the last call.
        done : callable
            Called on the GUI's thread at the end, with True when the generator came to its end,
            False when it was cancelled, or the error.

        Raises
        ------
        RuntimeError
            While another one runs.
        """
        if self._desk.closed:
            return
        if self.is_busy:
            raise RuntimeError("the runner is busy with another run")
        if self._thread is None:
            self._thread = threading.Thread(
                target=_work,
                args=(self._desk, weakref.WeakMethod(self._posted_by_thread)),
                name="napari-sam-runner",
                daemon=True,
            )
            _threads.add(self._thread)
            self._thread.start()
        with self._desk.changed:
            self._desk.run = _Run(steps, each, done)
            self._desk.changed.notify_all()

    def pause(self) -> None:
        """Wait after the present step, until `resume`."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on."""
        self._set(paused=False)

    def hold(self, *, held: bool) -> None:
        """Wait as long as something more urgent needs the computer; apart from `pause`."""
        self._set(held=held)

    def cancel(self) -> None:
        """End after the present step."""
        self._set(cancelled=True)

    def tell(self, value: Any) -> None:
        """Hand something to `each` beside what is yielded; called by a run, within a step.

        Raises
        ------
        Abandoned
            When the run was cancelled: let it through.
        """
        run = self._desk.run
        if run is not None:
            _tell(self._desk, run, self._posted_by_thread, value)
            self._desk.check(run)

    def breathe(self) -> None:
        """Pause or end here where that was asked for; called by a run, within a long step.

        Raises
        ------
        Abandoned
            As of `tell`.
        """
        run = self._desk.run
        if run is not None:
            self._desk.breathe(run)

    def close(self, timeout: float = 0.0) -> None:
        """Cancel, and forget results that were not delivered.

        Parameters
        ----------
        timeout : float
            Seconds to wait for the present step.
        """
        self._desk.close()
        self._timer.stop()
        if self._thread is not None and timeout > 0:
            self._thread.join(timeout)

    def _set(self, **flags: bool) -> None:
        with self._desk.changed:
            if self._desk.run is not None:
                for name, value in flags.items():
                    setattr(self._desk.run, name, value)
                self._desk.changed.notify_all()

    def _posted_by_thread(self) -> None:
        self._posted.emit()

    def _on_posted(self) -> None:
        wait = self._delivered + PERIOD - time.monotonic()
        if wait <= 0:
            self._deliver()
        elif not self._timer.isActive():
            self._timer.start(int(1000 * wait) + 1)

    def _deliver(self) -> None:
        desk = self._desk
        with desk.changed:
            run = None if desk.closed else desk.run
            if run is None:
                return
            values, run.values = run.values, []
            outcome, run.is_told = run.outcome, False
            if outcome is not None:
                desk.run = None
        self._delivered = time.monotonic()
        try:
            if values:
                run.each(values)
        finally:
            if outcome is not None:
                run.done(outcome)


@atexit.register
def _wait_at_exit() -> None:
    for thread in _threads:
        thread.join(EXIT_WAIT)


def _work(desk: _Desk, post: weakref.WeakMethod[Callable[[], None]]) -> None:
    while (run := desk.take()) is not None:
        outcome = _advance(desk, run, post)
        with desk.changed:
            run.outcome = outcome
        _notify(desk, run, post())
        del run, outcome  # hold no image or model while waiting


def _advance(desk: _Desk, run: _Run, post: weakref.WeakMethod[Callable[[], None]]) -> Outcome[bool]:
    steps: Iterator[Any] | None = None
    try:
        steps = run.steps()
        for value in steps:
            _tell(desk, run, post(), value)
            desk.breathe(run)
    except Abandoned:
        return Outcome(value=False)
    except Exception as error:  # noqa: BLE001  handed to the GUI's thread
        return Outcome(error=error)
    finally:
        if isinstance(steps, Generator):
            steps.close()
    return Outcome(value=True)


def _tell(desk: _Desk, run: _Run, posting: Callable[[], None] | None, value: Any) -> None:
    with desk.changed:
        run.values.append(value)
    _notify(desk, run, posting)


def _notify(desk: _Desk, run: _Run, posting: Callable[[], None] | None) -> None:
    """Tell the GUI that there is something to take, unless it knows."""
    with desk.changed:
        if run.is_told or desk.closed or posting is None:
            return
        run.is_told = True
    try:
        posting()
    except RuntimeError:
        desk.close()  # Qt took the runner apart: nobody is left to tell
