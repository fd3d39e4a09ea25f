"""The models there are: where they lie, downloading and cancelling, files of the user's own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_sam.errors import CheckpointError, DownloadError
from napari_sam.ui.models import Models
from napari_sam.ui.workers import LatestWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytestqt.qtbot import QtBot

    from napari_sam.ui.session import Session


class Shelf:
    """Has the model "discs"; "other discs" have to be downloaded, in ten pieces."""

    def __init__(self) -> None:
        self.pieces = 0
        self.go_on: Callable[[], None] = lambda: None
        self.error: Exception | None = None

    def state(self, model: str | Path) -> str:
        return "download" if model == "other discs" else "here"

    def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
        if self.error is not None:
            raise self.error
        while self.pieces < 10:
            self.pieces += 1
            progress(self.pieces * 10**6, 10**7)
            self.go_on()

    def check(self, path: Path) -> None:
        if path.suffix != ".pt":
            raise CheckpointError(f"{path} is neither a safetensors file nor written by torch.save")


@pytest.fixture
def shelf(backend: Any, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf()
    for name in ("state", "fetch", "check"):
        monkeypatch.setattr(backend, name, getattr(made, name))
    return made


@pytest.fixture
def models(session: Session, shelf: Shelf) -> Iterator[Models]:
    made = Models(session, session.worker)
    yield made
    made.close()


def test_states_are_unknown_until_somebody_looks(models: Models) -> None:
    assert models.state("other discs") is None
    assert models.state_text("other discs") == "…"
    models.look()
    assert models.state("other discs") == "download"
    assert models.state_text("discs") == "in use"


def test_a_model_that_is_here_is_used(session: Session, models: Models, shelf: Shelf) -> None:
    shelf.state = lambda model: "here"
    models.use("other discs")
    assert session.model == "other discs"
    assert shelf.pieces == 0


def test_a_model_that_is_not_here_is_downloaded_and_then_used(
    session: Session, models: Models, shelf: Shelf
) -> None:
    seen: list[Any] = []
    models.changed.connect(lambda: seen.append((models.progress, models.message)))
    models.look()
    models.use("other discs")
    assert ((3_000_000, 10_000_000), "Downloading other discs: 3 of 10 MB") in seen
    assert session.model == "other discs"
    assert models.fetching is None
    assert models.progress is None
    assert models.state("other discs") == "here"


def test_a_download_that_fails_says_why_and_leaves_the_model(
    session: Session, models: Models, shelf: Shelf
) -> None:
    shelf.error = DownloadError("no connection; check the network")
    models.fetch("other discs")
    assert models.message == "No connection; check the network."
    assert models.fetching is None
    assert session.model == "discs"


def test_a_cancelled_download_stops_and_goes_on_the_next_time(
    session: Session, models: Models, shelf: Shelf
) -> None:
    def cancel_after_four() -> None:
        if shelf.pieces == 4:
            models.cancel()

    shelf.go_on = cancel_after_four
    models.fetch("other discs")
    assert shelf.pieces == 5
    assert models.fetching is None
    assert models.message == "Cancelled. Downloading again goes on from there."
    assert session.model == "discs"
    models.fetch("other discs")
    assert shelf.pieces == 10
    assert session.model == "other discs"


def test_cancelling_on_another_thread_is_answered_at_once(
    session: Session, shelf: Shelf, qtbot: QtBot
) -> None:
    reached, released = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        released.wait(20)

    shelf.go_on = hold
    worker = LatestWorker()
    models = Models(session, worker)
    models.fetch("other discs")
    qtbot.waitUntil(reached.is_set, timeout=20_000)
    models.cancel()
    assert models.fetching is None
    shelf.go_on = lambda: None
    models.fetch("other discs")
    released.set()
    qtbot.waitUntil(lambda: session.model == "other discs", timeout=20_000)
    assert models.fetching is None
    models.close()
    worker.close(timeout=10)


def test_one_download_at_a_time(session: Session, shelf: Shelf, slow_worker: Any) -> None:
    models = Models(session, slow_worker)
    models.fetch("other discs")
    models.fetch("discs")
    models.open_file(Path("mine.pt"))
    assert len(slow_worker.tasks) == 1
    assert "cancel the other one first" in models.message
    assert models.fetching == "other discs"
    models.close()


def test_closing_stops_a_download(session: Session, shelf: Shelf, slow_worker: Any) -> None:
    models = Models(session, slow_worker)
    models.fetch("other discs")
    models.close()
    slow_worker.run_next()
    assert shelf.pieces == 1
    assert session.model == "discs"


def test_a_file_of_the_users_is_listed_and_used(
    session: Session, models: Models, tmp_path: Path
) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"weights")
    models.open_file(path)
    models.open_file(path)
    assert [choice.label for choice in models.choices] == ["discs", "other discs", "mine.pt"]
    assert models.state(path) == "file"
    assert session.model == path


def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(
    session: Session, models: Models
) -> None:
    models.open_file(Path("notes.txt"))
    assert models.message.endswith("nor written by torch.save.")
    assert session.model == "discs"
    assert len(models.choices) == 2


def test_another_device_and_precision_are_asked_again(
    session: Session, models: Models, backend: Any
) -> None:
    session.prompts.points.add([30, 40])
    asked = len(backend.prompts)
    models.compute_on("cpu")
    models.compute_in("float32")
    assert backend.computing.device == "cpu"
    assert backend.computing.precision == "float32"
    assert len(backend.prompts) == asked + 2


def test_while_objects_are_looked_for_models_compute_as_before_and_it_says_why(
    session: Session, models: Models, backend: Any
) -> None:
    before = backend.computing
    for state in ("finding", "paused", "stopping"):
        session.automatic.state = state
        models.compute_on("cuda")
        models.compute_in("float32")
        assert backend.computing == before
        assert "wait for its end" in models.message
        models.message = ""
    session.automatic.state = "idle"
    models.compute_on("cpu")
    assert backend.computing.device == "cpu"
    assert not models.message
