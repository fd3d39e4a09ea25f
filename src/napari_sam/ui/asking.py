"""What the worker's thread does for the panel and brings back; it touches no layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam.ui.eye import eye_sampling, prompt_sampling
from napari_sam.ui.preview import draw_picture
from napari_sam.ui.thumbnails import draw_thumbnails
from napari_sam.ui.workers import Rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.tiles import TileGrid
    from napari_sam.segmentation.candidates import Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.ui.backend import Backend, ImageInput
    from napari_sam.ui.preview import Picture
    from napari_sam.ui.workers import Outcome, Report

    Box = tuple[float, float, float, float]
    Focus = Callable[[], tuple[float, float] | None]

__all__ = [
    "FIRST_LOOK",
    "Answer",
    "TilesInView",
    "View",
    "Worker",
    "answer_hover",
    "answer_prompt",
    "look_ahead",
]

FIRST_LOOK = "Looking at this part of the image for the first time …"

TILES_ALONG = 8
"""Tiles along a side of what is encoded ahead of time; of a larger view the middle."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker's thread brings back for one prompt.

    Parameters
    ----------
    segmenter : Segmenter
        Who answered.
    candidates : Candidates
    thumbnails : list of ndarray of uint8, shape (side, side, 3)
        A picture of each candidate.
    """

    segmenter: Segmenter
    candidates: Candidates
    thumbnails: list[npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class View:
    """What the user sees of an image.

    Parameters
    ----------
    plane : tuple of int
    box : (y0, x0, y1, x1)
        Level-0 pixels of the plane.
    span : float
        Level-0 pixels along a tile, see `Eye.span`.
    """

    plane: tuple[int, ...]
    box: Box
    span: float


@dataclass(frozen=True, slots=True)
class TilesInView:
    """The tiles in view and which of them answer at once.

    Parameters
    ----------
    plane : tuple of int
    cores : tuple of (y0, x0, y1, x1)
        Level-0 pixels.
    ready : tuple of bool
        For each; a tile without anything to see counts as ready.
    """

    plane: tuple[int, ...]
    cores: tuple[Box, ...]
    ready: tuple[bool, ...]


class Worker(Protocol):
    """Runs a job somewhere and brings its outcome back, see `workers.LatestWorker`."""

    def submit(
        self,
        job: Callable[[Report], Any],
        done: Callable[[Outcome[Any]], None],
        report: Report,
        rank: Rank = Rank.CLICK,
    ) -> None:
        """Run a job, instead of one of its rank that still waits."""

    def run_idle(
        self,
        steps: Callable[[], Iterator[Any]],
        each: Callable[[Any], None],
        done: Callable[[Outcome[None]], None],
        delay: float = 0.0,
    ) -> None:
        """Advance a generator whenever no job waits, instead of the one before."""

    def stop_idle(self) -> None:
        """Advance no generator any more."""

    def close(self) -> None:
        """Take no more jobs."""


def answer_prompt(
    backend: Backend,
    model: str | Path,
    image: ImageInput,
    prompt: Prompt,
    report: Report,
    *,
    span: float | None = None,
) -> Answer:
    """Answer a prompt.

    Parameters
    ----------
    span : float, optional
        Level-0 pixels that the model is to see at once, see `Eye.span`.

    Raises
    ------
    NapariSamError
        When the model cannot be had, or the image or the prompt cannot be used with it.
    """
    segmenter = backend.segmenter(model, image, report)
    sampling = prompt_sampling(segmenter, prompt, span)
    if not segmenter.is_ready(prompt, sampling):
        report(FIRST_LOOK)
    candidates = segmenter.predict_many([prompt], sampling=sampling)[0]
    return Answer(segmenter, candidates, draw_thumbnails(segmenter.image, candidates))


def answer_hover(
    backend: Backend,
    model: str | Path,
    image: ImageInput,
    prompt: Prompt,
    report: Report,
    *,
    span: float,
) -> Picture | None:
    """Draw the best mask of a prompt if no tile has to be encoded for it; None otherwise.

    Raises
    ------
    NapariSamError
        When the model cannot be had, or the image or the prompt cannot be used with it.
    """
    segmenter = backend.segmenter(model, image, report)
    found = segmenter.predict_ready(prompt, prompt_sampling(segmenter, prompt, span))
    if found is None and prompt.box is not None:
        # Its object may look better at another sampling, but this one may be ready.
        size = segmenter.model.config.image_size
        found = segmenter.predict_ready(prompt, eye_sampling(span, size, segmenter.image))
    return None if found is None or found[0].bounds is None else draw_picture(found[0])


def look_ahead(
    backend: Backend,
    model: str | Path,
    image: ImageInput,
    view: View,
    focus: Focus,
    *,
    encode: bool,
    is_loaded: bool,
) -> Iterator[TilesInView]:
    """Encode the tiles in view, the nearest to the focus first.

    Parameters
    ----------
    focus : callable
        Gives a level-0 point (y, x), or None, whenever a tile is chosen.
    encode : bool
        Whether to encode anything, or only to say what is there.
    is_loaded : bool
        Whether the model is in use. Otherwise nothing is done unless it is on this computer: only
        a prompt downloads a model.

    Yields
    ------
    TilesInView
        At once and after each batch.

    Raises
    ------
    NapariSamError
        When the model or the image cannot be used.
    """
    if not is_loaded and not _is_on_this_computer(model):
        return
    segmenter = backend.segmenter(model, image, _say_nothing)
    sampling = eye_sampling(view.span, segmenter.model.config.image_size, segmenter.image)
    grid = segmenter.store.grid(sampling)
    region = _region(grid, view.box, focus())
    tiles = grid.tiles_in(region)

    def states() -> TilesInView:
        ready = (
            segmenter.store.state(view.plane, grid.window(tile)) != "missing" for tile in tiles
        )
        return TilesInView(view.plane, tuple(grid.core(tile) for tile in tiles), tuple(ready))

    yield states()
    if encode:
        for progress in segmenter.embed(region, view.plane, sampling, focus):
            if progress.tiles:
                yield states()
        yield states()  # what was encoded last is written by now


def _region(grid: TileGrid, box: Box, focus: tuple[float, float] | None) -> Box:
    """Part of the view to encode: all of it, or about `TILES_ALONG` tiles around the focus."""
    most = (TILES_ALONG - 1) * grid.step * grid.sampling
    middle = _middle(box) if focus is None else focus
    (y0, y1), (x0, x1) = (
        _around(middle[axis], (box[axis], box[axis + 2]), most) for axis in (0, 1)
    )
    return y0, x0, y1, x1


def _around(middle: float, span: tuple[float, float], most: float) -> tuple[float, float]:
    low, high = span
    if high - low <= most:
        return span
    low = min(max(middle - most / 2, low), high - most)
    return low, low + most


def _middle(box: Box) -> tuple[float, float]:
    y0, x0, y1, x1 = box
    return (y0 + y1) / 2, (x0 + x1) / 2


def _is_on_this_computer(model: str | Path) -> bool:
    from napari_sam.model.checkpoints import find_checkpoint
    from napari_sam.model.registry import REGISTRY

    # A file, and a name that nobody knows, are found wanting when they are loaded.
    return model not in REGISTRY or find_checkpoint(str(model)) is not None


def _say_nothing(text: str) -> None:
    del text
