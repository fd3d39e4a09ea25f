"""One question to a model: what the worker's thread does, and what it brings back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam.ui.thumbnails import draw_thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.ui.backend import Backend, ImageInput
    from napari_sam.ui.workers import Outcome, Report

__all__ = ["FIRST_LOOK", "Answer", "Worker", "answer_prompt"]

FIRST_LOOK = "Looking at this part of the image for the first time …"


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


class Worker(Protocol):
    """Runs a job somewhere and brings its outcome back, see `workers.LatestWorker`."""

    def submit(
        self,
        job: Callable[[Report], Any],
        done: Callable[[Outcome[Any]], None],
        report: Report,
    ) -> None:
        """Run a job, instead of one that still waits."""

    def close(self) -> None:
        """Take no more jobs."""


def answer_prompt(
    backend: Backend, model: str | Path, image: ImageInput, prompt: Prompt, report: Report
) -> Answer:
    """Answer a prompt; runs on the worker's thread and touches no layer.

    Raises
    ------
    NapariSamError
        When the model cannot be had, or the image or the prompt cannot be used with it.
    """
    segmenter = backend.segmenter(model, image, report)
    if not segmenter.is_ready(prompt):
        report(FIRST_LOOK)
    candidates = segmenter.predict_many([prompt])[0]
    return Answer(segmenter, candidates, draw_thumbnails(segmenter.image, candidates))
