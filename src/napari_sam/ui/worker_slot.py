"""What waits for the worker's thread, and in which order it comes out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar, cast

__all__ = ["IdleWork", "Outcome", "Rank", "Report", "Slot", "Task"]

Report = Callable[[str], None]
"""Says in a few words what is going on; raises `Abandoned` when nobody waits any more."""

T = TypeVar("T")

LOGGER = logging.getLogger(__name__)


class Rank(IntEnum):
    """What goes first; of each rank only the newest job waits."""

    CLICK = 0
    HOVER = 1
    LOOK_UP = 2


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
class Task:
    """A job, who waits for its outcome, and who listens to its reports."""

    job: Callable[[Report], Any]
    done: Callable[[Outcome[Any]], None]
    report: Report


class IdleWork:
    """A generator that is advanced when nothing else is to do."""

    def __init__(
        self,
        steps: Callable[[], Iterator[Any]],
        each: Callable[[Any], None],
        done: Callable[[Outcome[None]], None],
        start: float,
    ) -> None:
        self._steps = steps
        self._iterator: Iterator[Any] | None = None
        self._each = each
        self._done = done
        self.start = start
        self.dropped = False

    def advance(self) -> Any:
        """Do one step, on the worker's thread."""
        if self._iterator is None:
            self._iterator = self._steps()
        return next(self._iterator)

    def close(self) -> None:
        """Let the generator clean up, on the worker's thread."""
        close = getattr(self._iterator, "close", None)
        self._iterator = None
        if close is not None:
            try:
                close()
            except Exception:
                LOGGER.exception("work that was dropped could not be closed")

    def each(self, value: Any) -> None:
        """Hand on what was yielded, on the GUI's thread."""
        if not self.dropped:
            self._each(value)

    def done(self, outcome: Outcome[None]) -> None:
        """Hand on that it ended, on the GUI's thread."""
        if not self.dropped:
            self._done(outcome)


class Slot:
    """Room for one waiting task of each rank and for one idle work; a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tasks: dict[Rank, Task] = {}
        self._idle: IdleWork | None = None
        self._dropped: list[IdleWork] = []
        self._rest_until = 0.0
        self.closed = False

    def put(self, task: Task, rank: Rank) -> None:
        """Let a task wait, instead of one of its rank."""
        with self._changed:
            self._tasks[rank] = task
            self._changed.notify()

    def put_idle(self, work: IdleWork | None) -> None:
        """Do other idle work from now on, or none."""
        with self._changed:
            if self._idle is not None:
                self._idle.dropped = True
                self._dropped.append(self._idle)
            self._idle = work
            self._changed.notify()

    def rest(self, seconds: float) -> None:
        """Begin no idle step for a while."""
        self._rest_until = time.monotonic() + seconds

    def take(self) -> Task | IdleWork | None:
        """Wait for something to do, the most urgent first; None when the slot was closed.

        Idle work stays in the slot until it was dropped: then it comes out once more, to be closed.
        """
        with self._changed:
            while not self.closed:
                if self._tasks:
                    return self._tasks.pop(min(self._tasks))
                if self._dropped:
                    return self._dropped.pop()
                pause = None
                if self._idle is not None:
                    pause = max(self._idle.start, self._rest_until) - time.monotonic()
                    if pause <= 0:
                        return self._idle
                self._changed.wait(pause)
            return None

    def finish(self, work: IdleWork) -> None:
        """Take idle work out that came to its end."""
        with self._changed:
            if self._idle is work:
                self._idle = None

    def close(self) -> None:
        """Hand nothing out any more."""
        with self._changed:
            self.closed = True
            self._tasks.clear()
            if self._idle is not None:
                self._dropped.append(self._idle)
                self._idle = None
            self._changed.notify()

    def clean_up(self) -> None:
        """Close what is left of idle work, on the worker's thread."""
        while self._dropped:
            self._dropped.pop().close()
