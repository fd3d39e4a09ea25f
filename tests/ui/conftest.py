"""A model whose answers are known: discs around points, the inside of boxes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager

from napari_sam.errors import CheckpointError, DownloadError, InputError
from napari_sam.images.source import open_image
from napari_sam.images.tiles import TileGrid, Window
from napari_sam.segmentation.candidates import Candidates
from napari_sam.segmentation.embed import EmbedProgress
from napari_sam.ui.backend import ModelChoice
from napari_sam.ui.effort import Effort
from napari_sam.ui.preferences import Computing
from napari_sam.ui.session import Session
from napari_sam.ui.widget import SamWidget
from napari_sam.ui.workers import Abandoned, Outcome, Rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.ui.backend import ImageInput
    from napari_sam.ui.workers import Report

RADII = (6.0, 3.0, 12.0)
"""Radii of the three discs around a point in pixels, best score first."""

SCORES = (0.9, 0.8, 0.7)

TILE = 32
"""Model pixels along a side of a tile."""


class DiscSegmenter:
    """Answers like a `Segmenter`: a point with three discs around it, a box with its inside."""

    def __init__(self, image: ImageSource) -> None:
        self.image = image
        self.model = SimpleNamespace(
            name="discs", device="cpu", sha256="0" * 64, config=SimpleNamespace(image_size=TILE)
        )
        self.prompts: list[Prompt] = []
        self.samplings: list[float | None] = []
        self.hovers: list[Prompt] = []
        self.ready = False
        self.encoded: list[tuple[tuple[int, ...], Window]] = []
        self.store = SimpleNamespace(grid=self._grid, state=self._state)

    def is_ready(self, prompt: Prompt, sampling: float | None = None) -> bool:
        return self.ready

    def predict_many(
        self, prompts: list[Prompt], sampling: float | None = None
    ) -> list[Candidates]:
        self.prompts += prompts
        self.samplings.append(sampling)
        self.ready = True
        return [self._answer(prompt.inside(self.image.plane_shape)) for prompt in prompts]

    def predict_ready(self, prompt: Prompt, sampling: float = 1.0) -> Candidates | None:
        """Answer when everything is ready, or the tile around the prompt is encoded."""
        y0, x0, y1, x1 = prompt.extent()
        grid = self._grid(sampling)
        window = grid.window(grid.tile_at(((y0 + y1) / 2, (x0 + x1) / 2)))
        if not self.ready and (prompt.plane, window) not in self.encoded:
            return None
        self.hovers.append(prompt)
        return self._answer(prompt)

    def embed(
        self, region: Any, plane: tuple[int, ...], sampling: float, focus: Callable[[], Any]
    ) -> Iterator[EmbedProgress]:
        """Pretend to encode the tiles of a region, the nearest to the focus first."""
        grid = self._grid(sampling)
        tiles = grid.tiles_in(region)
        left = [tile for tile in tiles if self._state(plane, grid.window(tile)) == "missing"]
        yield EmbedProgress(len(tiles) - len(left), len(tiles), 0, 0, ())
        while left:
            near = np.array(focus())
            left.sort(
                key=lambda tile: np.hypot(*(np.reshape(grid.core(tile), (2, 2)).mean(0) - near))
            )
            tile = left.pop(0)
            self.encoded.append((plane, grid.window(tile)))
            done = len(tiles) - len(left)
            yield EmbedProgress(done, len(tiles), done, 0, (tile,))

    def _grid(self, sampling: float) -> TileGrid:
        return TileGrid.for_cells(self.image.plane_shape, sampling, TILE, cell=4)

    def _state(self, plane: tuple[int, ...], window: Window) -> str:
        return "ready" if (plane, window) in self.encoded else "missing"

    def _answer(self, prompt: Prompt) -> Candidates:
        if (prompt.points < 1).any():
            raise InputError("the edge of the image is not for clicking")
        side = max(self.image.plane_shape)
        y, x = np.mgrid[:side, :side]
        if prompt.box is not None:
            y0, x0, y1, x1 = prompt.box
            depth = np.min([y - y0, y1 - y, x - x0, x1 - x], axis=0)
            logits = depth[np.newaxis]
        else:
            # Of the points on the object, or without any of its mask.
            said = prompt.points[prompt.labels == 1]
            centre = said.mean(axis=0) if len(said) else _middle(prompt)
            distance = np.hypot(y - centre[0], x - centre[1])
            logits = np.stack([radius + 0.5 - distance for radius in RADII])
        return Candidates(
            logits=logits.astype(np.float32),
            scores=np.array(SCORES[: len(logits)], np.float32),
            window=Window((0.0, 0.0), (1.0, 1.0), side),
            plane=prompt.plane,
            plane_shape=self.image.plane_shape,
        )


def _middle(prompt: Prompt) -> np.ndarray:
    return np.asarray(np.reshape(prompt.extent(), (2, 2)).mean(axis=0))


class DiscBackend:
    """Hands out one `DiscSegmenter` for each image, model and limits."""

    def __init__(self) -> None:
        self.segmenters: dict[Any, DiscSegmenter] = {}
        self.computing = Computing()

    def set_computing(self, computing: Computing) -> None:
        self.computing = computing

    def state(self, model: str | Path) -> str:
        return "here"

    def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
        raise DownloadError("the discs are always here")

    def check(self, path: Path) -> None:
        raise CheckpointError("no file holds discs; give the path of a checkpoint")

    def effort(self, model: str | Path, image: ImageInput) -> Effort:
        segmenter = self.segmenters.get((model, image.key))
        return Effort() if segmenter is None else Effort(len(segmenter.prompts), 2.0)

    def choices(self) -> list[ModelChoice]:
        return [ModelChoice(name, name, "made for tests") for name in ("discs", "other discs")]

    def segmenter(self, model: str | Path, image: ImageInput, report: Report) -> DiscSegmenter:
        report("Opening the image …")
        if model == "broken":
            raise InputError("this model is broken: pick another")
        key = (model, image.key)
        if key not in self.segmenters:
            source = open_image(image.data, limits=image.limits, axes=image.axes)
            self.segmenters[key] = DiscSegmenter(source)
        return self.segmenters[key]

    @property
    def prompts(self) -> list[Prompt]:
        """Everything that was asked."""
        return [prompt for segmenter in self.segmenters.values() for prompt in segmenter.prompts]


class HandWorker:
    """Keeps jobs until the test runs them; at once when `at_once` is set."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once
        self.closed = False
        self.tasks: list[tuple[Any, Any, Any]] = []
        self.idle: tuple[Any, Any, Any] | None = None
        self._steps: Iterator[Any] | None = None

    def submit(
        self,
        job: Callable[[Report], Any],
        done: Callable[[Outcome[Any]], None],
        report: Report,
        rank: Rank = Rank.CLICK,
    ) -> None:
        self.tasks.append((job, done, report))
        if self.at_once:
            self.run_next()

    def run_next(self) -> None:
        """Run the oldest job that waits."""
        job, done, report = self.tasks.pop(0)
        try:
            outcome = Outcome(value=job(report))
        except Abandoned:
            return
        except Exception as error:  # noqa: BLE001  as the real worker does
            outcome = Outcome(error=error)
        done(outcome)

    def run_idle(
        self,
        steps: Callable[[], Iterator[Any]],
        each: Callable[[Any], None],
        done: Callable[[Outcome[None]], None],
        delay: float = 0.0,
    ) -> None:
        self.stop_idle()
        self.idle = steps, each, done

    def stop_idle(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self.idle = self._steps = None

    def step_idle(self) -> bool:
        """Do one step of what runs in between; False when there is nothing to do."""
        if self.idle is None:
            return False
        steps, each, done = self.idle
        if self._steps is None:
            self._steps = steps()
        try:
            value = next(self._steps)
        except StopIteration:
            self.idle = self._steps = None
            done(Outcome())
        except Exception as error:  # noqa: BLE001  as the real worker does
            self.idle = self._steps = None
            done(Outcome(error=error))
        else:
            each(value)
        return True

    def close(self) -> None:
        self.closed = True
        self.stop_idle()


@pytest.fixture(autouse=True)
def sessions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the journals of a test where no other test finds them."""
    folder = tmp_path / "sessions"
    monkeypatch.setenv("NAPARI_SAM_SESSIONS", str(folder))
    return folder


@pytest.fixture
def backend() -> DiscBackend:
    return DiscBackend()


@pytest.fixture
def worker() -> HandWorker:
    """Return a worker that answers at once."""
    return HandWorker(at_once=True)


@pytest.fixture
def slow_worker() -> HandWorker:
    """Return a worker that waits to be told."""
    return HandWorker(at_once=False)


@pytest.fixture
def picture() -> np.ndarray:
    """Return a plane that is not square, with something to see: shape (60, 80), uint8."""
    y, x = np.mgrid[:60, :80]
    return (x + 2 * y).astype(np.uint8)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def make_session(viewer: ViewerModel, backend: Any) -> Iterator[Callable[[Any], Session]]:
    made: list[Session] = []

    def make(worker: Any) -> Session:
        made.append(Session(viewer, backend, worker))
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Callable[[Any], Session]
) -> Session:
    """Return a session on an image with its point prompts, whose worker answers at once."""
    viewer.add_image(picture, name="cells")
    session = make_session(worker)
    session.draw_points()
    return session


@pytest.fixture
def warnings_shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that everything said with a notification is added to."""
    shown: list[str] = []
    dispatch = notification_manager.dispatch

    def note(notification: Any) -> None:
        shown.append(notification.message)
        dispatch(notification)

    monkeypatch.setattr(notification_manager, "dispatch", note)
    return shown


@pytest.fixture
def panel(
    make_napari_viewer_proxy: Any, backend: DiscBackend, picture: np.ndarray
) -> Iterator[SamWidget]:
    """Return a docked panel with discs for a model, on an image with its point prompts."""
    viewer = make_napari_viewer_proxy()
    viewer.add_image(picture, name="cells", scale=(0.5, 0.25), translate=(100, -40))
    panel = SamWidget(viewer, backend=backend)
    viewer.window.add_dock_widget(panel)
    panel.session.draw_points()
    yield panel
    panel.session.worker.close(timeout=10)


@pytest.fixture
def click_on(qtbot: QtBot) -> Callable[..., None]:
    """Return a function that adds a point, as a click does, and waits for the answer."""

    def click(panel: SamWidget, *position: float) -> None:
        panel.session.prompts.points.add(position)
        qtbot.waitUntil(lambda: not panel.session.busy, timeout=20_000)

    return click
