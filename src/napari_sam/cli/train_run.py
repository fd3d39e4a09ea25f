"""What `napari-sam train` does: iterate over a training run, and say how it goes."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam.cli.interrupt import uninterrupted
from napari_sam.cli.progress import Progress
from napari_sam.training.finetune import finetune

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.finetune import TrainingProgress
    from napari_sam.training.recipe import Recipe

__all__ = ["Facts", "Trained", "describe", "train_model"]

SAVE_EVERY = 10
"""Steps that a crash may cost."""

REPORTS = 10
"""How often in a run a line says how well the model answers by now."""

MEASURES = ("mask_loss", "score_loss", "click_iou", "box_iou", "corrected_iou")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How much there is to learn from; the sources by name, separated by commas."""

    images: int
    objects: int
    sources: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a run has done.

    Attributes
    ----------
    first_step : int
        Where this process went on; 1 for a run that was not interrupted.
    seconds : float
        Of this process.
    measures : dict of str to float
        Means of `MEASURES` over the last tenth of the run; empty when nothing was left to do.
    """

    first_step: int
    seconds: float
    measures: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {"first_step": self.first_step, "seconds": self.seconds, "last": self.measures}


def describe(images: Sequence[AnnotatedImage]) -> Facts:
    """Count images, the objects that can be learnt from, and sources."""
    return Facts(
        images=len(images),
        objects=sum(len(image.objects().ids) for image in images),
        sources=", ".join(sorted({image.source for image in images})),
    )


def train_model(sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe, state: Path) -> Trained:
    """Train a model, showing progress.

    Parameters
    ----------
    sam, images, recipe
        As in `finetune`.
    state : Path
        Where the run is kept; it goes on from there when the file exists.

    Raises
    ------
    InputError
        If the state belongs to another run or cannot be written.
    KeyboardInterrupt
        After Ctrl-C, once the state is written.
    """
    start = time.monotonic()
    between = -(-recipe.steps // REPORTS)
    recent: list[TrainingProgress] = []
    first, done = recipe.steps + 1, 0
    bar: Progress | None = None
    with ExitStack() as stack:
        run = stack.enter_context(
            closing(finetune(sam, images, recipe, state=state, save_every=SAVE_EVERY))
        )
        try:
            while True:
                with uninterrupted():
                    step = next(run, None)
                    if step is None:
                        break
                    done = step.step
                    if bar is None:
                        first = done
                        bar = stack.enter_context(Progress("steps", recipe.steps, done - 1))
                    bar.show(done)
                    recent = [*recent, step][-between:]
                    if done % between == 0 or done == recipe.steps:
                        _report(recent)
        except KeyboardInterrupt:
            stack.close()  # writes the state
            raise KeyboardInterrupt(
                f"stopped after {done:,} of {recipe.steps:,} steps; the same command goes on "
                "from there"
            ) from None
    return Trained(first_step=first, seconds=time.monotonic() - start, measures=_means(recent))


def _means(steps: Sequence[TrainingProgress]) -> dict[str, float]:
    if not steps:
        return {}
    return {name: sum(getattr(step, name) for step in steps) / len(steps) for name in MEASURES}


def _report(steps: Sequence[TrainingProgress]) -> None:
    """Say how the last steps went, above the bar in a terminal."""
    from tqdm import tqdm

    mean = _means(steps)
    tqdm.write(
        f"steps {steps[0].step:,} to {steps[-1].step:,}: mask loss {mean['mask_loss']:.3f}, "
        f"score loss {mean['score_loss']:.3f}, IoU of a click {mean['click_iou']:.2f}, "
        f"of a box {mean['box_iou']:.2f}, corrected {mean['corrected_iou']:.2f}",
        file=sys.stderr,
    )
