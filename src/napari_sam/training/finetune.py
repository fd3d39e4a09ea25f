"""The training loop: a generator of steps that can be stopped, killed and resumed."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam.errors import InputError
from napari_sam.training.conversation import ROUNDS_WITHOUT_POINT, converse
from napari_sam.training.optimizer import choose_trainable, make_optimizer, set_rates
from napari_sam.training.precision import precision
from napari_sam.training.state import TrainingState
from napari_sam.training.targets import choose_targets
from napari_sam.training.views import View, Views

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from torch import Tensor

    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe

__all__ = ["TrainingProgress", "finetune"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    """What a step was like.

    Parameters
    ----------
    step, steps : int
        How many are done, of how many.
    mask_loss, score_loss : float
        Means over the step's rounds: 20 focal + dice, and squared error of the predicted IoU.
    click_iou, box_iou, corrected_iou : float
        Mean IoU of the best answer to a click, to a box, and after the last correction.
    seconds : float
        That the step took.
    """

    step: int
    steps: int
    mask_loss: float
    score_loss: float
    click_iou: float
    box_iou: float
    corrected_iou: float
    seconds: float


def finetune(
    sam: Sam,
    images: Sequence[AnnotatedImage],
    recipe: Recipe,
    *,
    state: Path | None = None,
    save_every: int = 50,
) -> Generator[TrainingProgress]:
    """Train a model on annotated images (SAM paper, section 3 and appendix A).

    The model's own weights change from step to step; once the generator is exhausted they are the
    moving average. A step depends on seed and step number alone, so a run that was stopped and
    resumed ends with the same bits as one that was not, on the same kind of device with the same
    number of threads.

    Parameters
    ----------
    sam : Sam
        On the device to train on.
    images : sequence of AnnotatedImage
        All of them; sources are balanced.
    recipe : Recipe
        The numbers of the run.
    state : Path, optional
        A file to keep the run in. Where it exists the run goes on from there.
    save_every : int
        Steps between two savings of it. It is saved at the end as well, and when the generator is
        closed; a run that is killed loses the steps since.

    Yields
    ------
    TrainingProgress
        After each step.

    Raises
    ------
    InputError
        When there are no images, the model does not take all kinds of prompts, its encoder cannot
        see crops of that size, the state belongs to another run, or a gradient is no number.
    """
    if not images:
        raise InputError("there are no images to train on; give at least one with labels")
    run = _Run(sam, images, recipe)
    done = saved = run.state.resume(state) if state else 0
    try:
        while done < recipe.steps:
            progress = run.step(done)
            done += 1
            if state and (done == recipe.steps or done % save_every == 0):
                run.state.save(state, done)
                saved = done
            yield progress
    except GeneratorExit:
        if state and saved < done:
            run.state.save(state, done)
        raise
    finally:
        sam.requires_grad_(True)
    run.state.use_average()


class _Run:
    """What the steps of a run share."""

    def __init__(self, sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe) -> None:
        if missing := {"point", "box", "mask"} - sam.config.prompts:
            raise InputError(
                f"{sam.name} takes no {' and no '.join(sorted(missing))} prompts, but training "
                "asks by points, boxes and masks; choose another model"
            )
        self.sam, self.recipe = sam, recipe
        self.views = Views(sam, images, recipe)
        choose_trainable(sam, recipe)
        self.optimizer = make_optimizer(sam, recipe)
        self.state = TrainingState(sam, self.optimizer, recipe, images)
        sam.sha256 = None  # from here on its weights are no longer those
        sam.single_for_click = True

    def step(self, step: int) -> TrainingProgress:
        """Take one step of the optimiser."""
        start = time.perf_counter()
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, 1, step])
        generator = torch.Generator(self.sam.device).manual_seed(int(rng.integers(2**62)))
        cells = self.views.draw_side(rng)
        set_rates(self.optimizer, step, recipe)
        told: dict[str, list[float]] = defaultdict(list)
        self.optimizer.zero_grad(set_to_none=True)
        for _ in range(recipe.images_per_step):
            if recipe.train == "decoder":
                view = self.views.kept(int(rng.integers(recipe.views)))
                self._ask(view, view.embedding, rng, generator, told)
            else:
                # The encoder's gradients are computed once, after all rounds have added to seen's.
                view = self.views.fresh(cells, rng)
                seen = view.embedding.detach().requires_grad_()
                self._ask(view, seen, rng, generator, told)
                view.embedding.backward(seen.grad)  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        if not torch.isfinite(norm):  # the weights are still those of the last step
            raise InputError(
                f"step {step + 1} gave a gradient of {float(norm)}; lower the learning rate "
                f"({recipe.learning_rate:g}) and go on from the last saved state"
            )
        self.optimizer.step()
        self.state.average(step)
        mean = {name: float(np.mean(values)) for name, values in told.items()}
        return TrainingProgress(
            step=step + 1,
            steps=recipe.steps,
            seconds=time.perf_counter() - start,
            **mean,
        )

    def _ask(
        self,
        view: View,
        embedding: Tensor,
        rng: np.random.Generator,
        generator: torch.Generator,
        told: dict[str, list[float]],
    ) -> None:
        """Let the simulated user work on one view, and add up gradients."""
        recipe = self.recipe
        targets = choose_targets(view.labels, view.anchor, recipe.prompts_per_image, rng)
        targets = targets.to(embedding.device)
        half = len(targets) // 2
        rounds = 1 + recipe.corrections + ROUNDS_WITHOUT_POINT
        followed = max(1, round(recipe.followed * half))
        answers = recipe.images_per_step * (len(targets) + 2 * followed * (rounds - 1))
        for by_box, part in ((False, targets[:half]), (True, targets[half:])):
            conversation = converse(
                self.sam,
                embedding,
                part,
                view.corner,
                by_box=by_box,
                corrections=recipe.corrections,
                followed=followed,
                generator=generator,
            )
            iou = 0.0
            for index in range(rounds):
                with precision(self.sam.device, self.recipe.bfloat16):
                    losses = next(conversation)
                loss = losses.mask + recipe.score_weight * losses.score
                (loss * (len(losses.iou) / answers)).backward()  # type: ignore[no-untyped-call]
                iou = float(losses.iou.amax(1).mean())
                if index == 0:
                    told["box_iou" if by_box else "click_iou"].append(iou)
                told["mask_loss"].append(float(losses.mask.detach()))
                told["score_loss"].append(float(losses.score.detach()))
            told["corrected_iou"].append(iou)
