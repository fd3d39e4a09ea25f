"""A finder that knows the objects, threads that are moved by hand, and a session around both."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel
from psygnal import Signal

from napari_sam.images.source import open_image
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import find_masks, tile_feed
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.automatic.tile_masks import TileFinding
from napari_sam.segmentation.predict import Segmenter
from napari_sam.segmentation.session.change import Change
from napari_sam.ui.automatic import Automatic
from napari_sam.ui.preferences import Computing
from napari_sam.ui.workers import Abandoned, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Image

SHAPE = (240, 330)

GAP, RADIUS = 30, 8


def discs(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Labels of discs in rows; those in even columns of discs are less certain."""
    labels = np.zeros(shape, np.int64)
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = (y % GAP - GAP / 2) ** 2 + (x % GAP - GAP / 2) ** 2 < RADIUS**2
    labels[near] = (1 + (y // GAP) * 100 + x // GAP)[near]
    return labels


def is_certain(number: int) -> bool:
    return number % 2 == 0


class Finder:
    """Stands in for `find_in_tile`: the exact masks of what the points of a tile hit."""

    def __init__(self) -> None:
        self.labels = discs()
        self.asked: list[tuple[float, int, int]] = []
        self.error: Exception | None = None

    def __call__(
        self,
        decoder: Any,
        tile: Any,
        window: Any,
        points: np.ndarray,
        settings: Any,
        plane_shape: tuple[int, int],
        *,
        tile_index: Any,
        batch: int,
        smallest: float,
        on_points: Callable[[int, int], None],
    ) -> TileFinding:
        if self.error is not None:
            raise self.error
        on_points(0, len(points))
        parts = []
        hit = self.labels[tuple(np.round(points).astype(int).T)]
        for number in np.unique(hit[hit > 0]).tolist():
            y, x = np.nonzero(self.labels == number)
            box = y.min(), x.min(), y.max() + 1, x.max() + 1
            mask = self.labels[box[0] : box[2], box[1] : box[3]] == number
            rles = np.empty(1, np.object_)
            rles[0] = encode(mask)
            parts.append(
                replace(
                    FoundMasks.empty(),
                    boxes=np.array([box]),
                    rles=rles,
                    scores=np.array([0.95 if is_certain(number) else 0.55], np.float32),
                    stability=np.array([0.95], np.float32),
                    areas=np.array([mask.sum()]),
                    points=np.array([(y.mean(), x.mean())]),
                    prompts=np.array([number]),
                    tokens=np.array([1], np.uint8),
                    samplings=np.array([window.sampling[0]]),
                    tiles=np.array([tile_index]),
                )
            )
        on_points(len(points), len(points))
        self.asked.append((window.sampling[0], *tile_index))
        return TileFinding(FoundMasks.together(parts), len(points), 0, 0)


class HandRunner:
    """Advances a run when the test says so."""

    def __init__(self) -> None:
        self.run: tuple[Any, Any, Any] | None = None
        self.steps: Iterator[Any] | None = None
        self.told: list[Any] = []
        self.paused = self.held = self.cancelled = self.closed = False

    @property
    def is_busy(self) -> bool:
        return self.run is not None

    def start(self, steps: Any, each: Any, done: Any) -> None:
        assert self.run is None
        self.run = steps, each, done
        self.paused = self.held = self.cancelled = False

    def step(self) -> bool:
        """Do one step; False when there is nothing to do."""
        if self.run is None or self.closed:
            return False
        steps, each, done = self.run
        outcome: Outcome[bool] | None = None
        values: list[Any] = []
        try:
            if self.cancelled:
                raise Abandoned
            if self.steps is None:
                self.steps = steps()
            values = [next(self.steps)]
        except StopIteration:
            outcome = Outcome(value=True)
        except Abandoned:
            outcome = Outcome(value=False)
            if self.steps is not None:
                self.steps.close()
        except Exception as error:  # noqa: BLE001  as the real runner does
            outcome = Outcome(error=error)
        for parcel in ([value] for value in self.told + values):
            each(parcel)
        self.told = []
        if outcome is not None:
            self.run = self.steps = None
            done(outcome)
        return True

    def finish(self) -> None:
        while self.step():
            pass

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def hold(self, *, held: bool) -> None:
        self.held = held

    def cancel(self) -> None:
        self.cancelled = True

    def tell(self, value: Any) -> None:
        self.told.append(value)
        if self.cancelled:
            raise Abandoned

    def breathe(self) -> None:
        if self.cancelled:
            raise Abandoned

    def close(self, timeout: float = 0.0) -> None:
        self.closed = True


class HandDrawer:
    """Draws when the test says so; of several drawings the last."""

    def __init__(self) -> None:
        self.waiting: tuple[Any, Any, Any] | None = None
        self.asked = 0
        self.closed = False

    def run_idle(self, steps: Any, each: Any, done: Any, delay: float = 0.0) -> None:
        self.waiting = steps, each, done
        self.asked += 1

    def stop_idle(self) -> None:
        self.waiting = None

    def draw(self) -> int:
        """Do what was asked last; returns the number of drawings."""
        n = 0
        while self.waiting is not None:
            (steps, each, done), self.waiting = self.waiting, None
            outcome: Outcome[None] = Outcome()
            try:
                for value in steps():
                    each(value)
            except Exception as error:  # noqa: BLE001  as the real worker does
                outcome = Outcome(error=error)
            done(outcome)
            n += 1
        return n

    def close(self) -> None:
        self.closed = True


MODEL = build_sam("tiny_tiny_vit", seed=0)


class TinyBackend:
    """A tiny model with random weights, joined to each image once."""

    def __init__(self) -> None:
        self.model = MODEL
        self.computing = Computing()
        self.segmenters: dict[Any, Segmenter] = {}

    def segmenter(self, model: Any, image: Any, report: Callable[[str], None]) -> Segmenter:
        report("Loading the model …")
        if image.key not in self.segmenters:
            source = open_image(image.data, limits=(0, 255), axes=image.axes)
            self.segmenters[image.key] = Segmenter(self.model, source)
        return self.segmenters[image.key]


class FakeAnnotator:
    """Stands in for `Annotator`: remembers what it was to paint."""

    def __init__(self) -> None:
        self.journal = None
        self.rows: dict[int, Any] = {}
        self.painted: list[Any] = []
        self.error: Exception | None = None

    def next_id(self) -> int:
        return 1

    def add_run(self, *what: Any) -> Iterator[Change]:
        self.painted.append(what)
        for done in (1, 2):
            if self.error is not None:
                raise self.error
            ids = (1, 2, 3, 4) if done == 2 else ()
            yield Change(kind="automatic", ids=ids, plane=(), box=None, done=done, total=2)


class FakeObjects:
    """Stands in for `Objects`."""

    changed = Signal(object)

    def __init__(self) -> None:
        self.annotator = FakeAnnotator()
        self.kept = SimpleNamespace(annotator=self.annotator, show=lambda change: None)
        self.rows: dict[int, Any] = {}
        self.held = ""
        self.shown: list[Change] = []
        self.error: Exception | None = None

    def ready(self) -> FakeAnnotator:
        if self.error is not None:
            raise self.error
        return self.annotator

    def hold(self, reason: str) -> None:
        self.held = reason

    def release(self) -> None:
        self.held = ""

    def finish(self) -> None:
        pass

    def show(self, kept: Any, change: Change) -> None:
        assert kept is self.kept
        self.shown.append(change)


class FakeWatch:
    """Stands in for `ImageWatch`."""

    turned = Signal(object)

    def input(self, image: Image) -> Any:
        axes = "ZYX"[-image.ndim :]
        return SimpleNamespace(key=(image.unique_id, id(image.data)), data=image.data, axes=axes)


class FakeSession:
    """Stands in for `Session`: what an automatic run needs of it."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel, backend: TinyBackend) -> None:
        self.viewer = viewer
        self.backend = backend
        self.image_watch = FakeWatch()
        self.objects = FakeObjects()
        self.image: Image | None = None
        self.model = "tiny"
        self.busy = False
        self.status = ""
        self.refused: list[str] = []
        self.automatic: Automatic

    def use_image(self, image: Image | None) -> None:
        before, self.image = self.image, image
        if before is not image:
            self.image_watch.turned.emit(before)

    def later(self, call: Any) -> None:
        call()

    def say(self, status: str) -> None:
        self.status = status
        self.changed.emit()

    def refuse(self, error: Exception) -> None:
        self.refused.append(str(error))
        self.say(str(error))


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch) -> Finder:
    finder = Finder()
    monkeypatch.setattr(find_masks, "find_in_tile", finder)
    monkeypatch.setattr(tile_feed, "encode", encode_nothing)
    return finder


def encode_nothing(model: Any, images: list[np.ndarray]) -> list[np.ndarray]:
    """Give embeddings of zeros: the finder does not look at them."""
    side = model.config.grid_size
    return [np.zeros((model.config.channels, side, side), np.float16) for _ in images]


@pytest.fixture
def model_viewer() -> ViewerModel:
    """Return a viewer without a window, 800 by 600 screen pixels."""
    return ViewerModel()


@pytest.fixture
def fake_session(model_viewer: ViewerModel) -> FakeSession:
    """Return a session on an image of discs that fills the view, scaled and moved."""
    session = FakeSession(model_viewer, TinyBackend())
    pixels = np.where(discs() > 0, 200, np.random.default_rng(0).integers(0, 50, SHAPE))
    session.image = model_viewer.add_image(
        pixels.astype(np.uint8), name="cells", scale=(0.5, 0.5), translate=(10, 20)
    )
    look_at(session, (-10, -10, 250, 340))
    return session


@pytest.fixture
def runner() -> HandRunner:
    return HandRunner()


@pytest.fixture
def drawer() -> HandDrawer:
    return HandDrawer()


@pytest.fixture
def automatic(
    fake_session: FakeSession, runner: HandRunner, drawer: HandDrawer
) -> Iterator[Automatic]:
    made = Automatic(fake_session, runner, lambda: drawer)
    made.diameter.set(16.0)
    fake_session.automatic = made
    yield made
    made.close()


@pytest.fixture
def view_of() -> Callable[..., None]:
    """Return a function that moves the camera to a box ``(y0, x0, y1, x1)`` of the image."""
    return look_at


def look_at(session: FakeSession, box: tuple[float, ...]) -> None:
    image, camera = session.image, session.viewer.scene.camera
    corners = np.array(
        [image.data_to_world((*[0] * (image.ndim - 2), *corner)) for corner in (box[:2], box[2:])]
    )[:, -2:]
    room = np.array(session.viewer.canvas.size)
    camera.zoom = float((room / (corners[1] - corners[0])).min())
    camera.center = (0.0, *corners.mean(axis=0).tolist())
