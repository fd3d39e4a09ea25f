"""The models there are, where their weights lie, and fetching those that are not here."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam.errors import NapariSamError
from napari_sam.ui.backend import ModelChoice
from napari_sam.ui.wording import sentence
from napari_sam.ui.workers import LatestWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.model.precision import Precision
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.backend import Backend, ModelState
    from napari_sam.ui.preferences import Computing
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome, Report

__all__ = ["Models"]

STATES: dict[ModelState, tuple[str, str]] = {
    "shipped": ("built in", "Comes with the plugin."),
    "here": ("here", "On this computer."),
    "download": ("download", "Downloaded once, when you use it."),
    "package": ("package", "Comes with a Python package that is not installed."),
    "file": ("your file", "A file of yours."),
}
"""For a list, and as a sentence."""

SEARCHING = (
    "The page Everything is looking for objects: stop it there, or wait for its end, before models "
    "compute in another way."
)


class _CancelledError(Exception):
    """The user wants no more of a download; what has arrived is kept."""


class Models:
    """The models that can be picked, and how they compute.

    Parameters
    ----------
    session : Session
    helper : Worker, optional
        What downloads and reads files in the background; one of its own when not given.

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    choices : list of ModelChoice
        The default one first, the user's files last.
    fetching : str or Path or None
        The model that is being downloaded or read.
    progress : tuple of int or None
        Bytes that have arrived, and all of them.
    message : str
        What is going on, or why something did not work.
    """

    changed = Signal()

    def __init__(self, session: Session, helper: Worker | None = None) -> None:
        self._session = session
        self._helper: Worker = helper or LatestWorker()
        self._states: dict[str | Path, ModelState] = {}
        self._cancelled = threading.Event()
        self.choices: list[ModelChoice] = list(session.backend.choices())
        self.fetching: str | Path | None = None
        self.progress: tuple[int, int] | None = None
        self.message = ""

    def close(self) -> None:
        """Stop what goes on in the background; a download can be gone on with later."""
        self.changed.disconnect()
        self._cancelled.set()
        self._helper.close()

    # What there is

    def state(self, model: str | Path) -> ModelState | None:
        """Where a model's weights are; None as long as nobody has looked."""
        return self._states.get(model)

    def state_text(self, model: str | Path) -> str:
        """Whether a model is in use, or where its weights are, in a word or two."""
        if model == self._session.model:
            return "in use"
        state = self.state(model)
        return "…" if state is None else STATES[state][0]

    def where(self, model: str | Path) -> str:
        """Where a model's weights are, in a sentence; empty as long as nobody has looked."""
        state = self.state(model)
        return "" if state is None else STATES[state][1]

    def look(self) -> None:
        """Find out where the weights of all models are, in the background."""
        if self.fetching is None:
            models = [choice.model for choice in self.choices]
            self._helper.submit(
                partial(_look, self._session.backend, models), self._looked, self._say
            )

    # What can be done

    def use(self, model: str | Path) -> None:
        """Ask another model from now on; one that is not here is downloaded first."""
        if self.state(model) in ("download", "package"):
            self.fetch(model)
        else:
            self._session.use_model(model)
            self.changed.emit()

    def fetch(self, model: str | Path) -> None:
        """Download a model in the background and use it; goes on where it was cancelled."""
        if self.fetching is not None:
            self._say("One download at a time: cancel the other one first.")
            return
        self._begin(model, f"Connecting to download {model} …")
        self._helper.submit(
            partial(_fetch, self._session.backend, str(model), self._cancelled),
            partial(self._arrived, self._cancelled),
            partial(self._reported, self._cancelled),
        )

    def open_file(self, path: Path) -> None:
        """Read a checkpoint file in the background; use it if it holds a model."""
        if self.fetching is not None:
            self._say("One download at a time: cancel the other one first.")
            return
        self._begin(path, f"Reading {path.name} …")
        self._helper.submit(
            partial(_check, self._session.backend, path),
            partial(self._checked, self._cancelled, path),
            self._say,
        )

    def cancel(self) -> None:
        """Stop a download; what has arrived is kept for the next time."""
        if self.fetching is not None:
            self._cancelled.set()
            what, self.fetching, self.progress = self.fetching, None, None
            again = "" if isinstance(what, Path) else " Downloading again goes on from there."
            self._say(f"Cancelled.{again}")

    def compute_on(self, device: str) -> None:
        """Compute on another device from now on; not while a search goes on."""
        self._compute(replace(self._session.backend.computing, device=device))

    def compute_in(self, precision: Precision) -> None:
        """Compute more or less exactly from now on; not while a search goes on."""
        self._compute(replace(self._session.backend.computing, precision=precision))

    def _compute(self, computing: Computing) -> None:
        if self._session.automatic.is_finding:
            self._say(SEARCHING)
            return
        self.message = ""
        self._session.backend.set_computing(computing)
        self._session.ask()
        self.changed.emit()

    def _begin(self, model: str | Path, message: str) -> None:
        self._cancelled = threading.Event()  # a cancelled download may still hold its own
        self.fetching, self.progress = model, None
        self._say(message)

    def _reported(self, ticket: threading.Event, text: str) -> None:
        if not ticket.is_set():
            done, total = (int(number) for number in text.split("/"))
            self.progress = done, total
            self._say(f"Downloading {self.fetching}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def _arrived(self, ticket: threading.Event, outcome: Outcome[None]) -> None:
        model = self.fetching
        if self._end(ticket, outcome) and model is not None:
            self._states[model] = "here"
            self._say(f"{model} is on this computer now.")
            self.use(model)

    def _checked(self, ticket: threading.Event, path: Path, outcome: Outcome[None]) -> None:
        if self._end(ticket, outcome):
            if path not in [choice.model for choice in self.choices]:
                self.choices.append(ModelChoice.of_file(path))
            self._states[path] = "file"
            self._say("")
            self.use(path)

    def _end(self, ticket: threading.Event, outcome: Outcome[None]) -> bool:
        """Take note that a job ended; whether anybody still waits for it and it worked."""
        if ticket.is_set():
            return False
        self.fetching = self.progress = None
        try:
            outcome.unwrap()
        except NapariSamError as error:
            self._say(sentence(error))
            return False
        return True

    def _looked(self, outcome: Outcome[dict[str | Path, ModelState]]) -> None:
        self._states |= outcome.unwrap()
        self.changed.emit()

    def _say(self, message: str) -> None:
        self.message = message
        self.changed.emit()


def _look(
    backend: Backend, models: list[str | Path], report: Report
) -> dict[str | Path, ModelState]:
    del report
    return {model: backend.state(model) for model in models}


def _fetch(backend: Backend, model: str, cancelled: threading.Event, report: Report) -> None:
    try:
        backend.fetch(model, _progress(cancelled, report))
    except _CancelledError:
        return


def _progress(cancelled: threading.Event, report: Report) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        if cancelled.is_set():
            raise _CancelledError
        report(f"{done}/{total}")

    return tell


def _check(backend: Backend, path: Path, report: Report) -> None:
    del report
    backend.check(path)
