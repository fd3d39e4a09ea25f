"""Steps of objects on disk, one after another on a thread: writing them takes too long for the GUI.

A small object takes 20 ms of the processor, one of 2,000 pixels 140, and twice that while a model
works beside it.
"""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from qtpy.QtCore import QObject, Signal

from napari_sam.ui.worker_slot import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StepQueue"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    future: Future[Any]
    done: Callable[[Outcome[Any]], None]


class StepQueue(QObject):
    """Does what it is given in that order, and leaves nothing out: the end of Python waits for it.

    What a step did is handed on by the thread that made the queue, the GUI's.
    """

    _ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._steps: deque[_Step] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._ended.connect(self._deliver)  # queued: it is emitted on another thread

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._steps

    def add(self, call: Callable[[], T], done: Callable[[Outcome[T]], None]) -> None:
        """Do something after all that was added before.

        Parameters
        ----------
        call : callable
            Called on the thread.
        done : callable
            Called with what it returned or raised, on the GUI's thread.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-sam-steps")
        future = self._thread.submit(call)
        self._steps.append(_Step(future, done))
        future.add_done_callback(self._ring)

    def finish(self) -> None:
        """Wait for all that was added, and hand it on now."""
        while self._steps:
            wait([self._steps[0].future])
            self._deliver()

    def close(self) -> None:
        """Finish, and end the thread."""
        self.finish()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def _ring(self, _: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # Qt took the queue apart: `finish` hands it on
            self._ended.emit()

    def _deliver(self) -> None:
        while self._steps and self._steps[0].future.done():
            step = self._steps.popleft()
            try:
                outcome = Outcome(value=step.future.result())
            except Exception as error:  # noqa: BLE001  handed on, to be shown or raised there
                outcome = Outcome(error=error)
            step.done(outcome)
