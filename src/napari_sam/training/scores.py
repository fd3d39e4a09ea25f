"""The last polish: the head that predicts IoU, fitted to how good the finished masks really are.

A mask's loss says nothing about its score, and while masks still change their scores lag behind.
So with everything else at rest the simulated user asks once more, the token of each answer is kept
beside the true IoU of its masks, and the head (three linear layers) goes over them many times. What
is minimised is the absolute error, not the squared one of the paper: a user reads a score as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from napari_sam.errors import InputError
from napari_sam.training.conversation import converse
from napari_sam.training.precision import precision
from napari_sam.training.targets import choose_targets
from napari_sam.training.views import Views

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from torch import Tensor
    from torch.utils.hooks import RemovableHandle

    from napari_sam.model.mask_decoder import MLP
    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe

__all__ = ["ScoreProgress", "fit_scores"]

BATCH = 128
DROPOUT = 0.1
"""Tokens are few and long: without it the head learns them by heart within some hundred steps."""

CORRECTED = 4
"""One object in so many is also asked for after a correction, and by a box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreProgress:
    """How far the fit is.

    Parameters
    ----------
    views : int
        Views whose answers are collected.
    step : int
        Steps of the head's optimiser.
    error : float
        Of the predicted IoU: root mean square over the view's answers while they are collected,
        mean absolute error over the step's answers while the head is fitted.
    """

    views: int
    step: int
    error: float


def fit_scores(
    sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe
) -> Generator[ScoreProgress]:
    """Fit the predicted IoU to the model's own masks; nothing else changes.

    Parameters
    ----------
    sam : Sam
        Trained. Its weights change when all answers are collected.
    images : sequence of AnnotatedImage
        All of them; sources are balanced.
    recipe : Recipe
        `views` and how they are drawn, `prompts_per_image`, `steps`, `learning_rate`,
        `weight_decay`, `bfloat16` and `seed` count here.

    Yields
    ------
    ScoreProgress
        After each view, then after each step.

    Raises
    ------
    InputError
        When there are no images, or the model's encoder cannot see crops of that size.
    """
    if not images:
        raise InputError("there are no images to fit scores on; give at least one with labels")
    answers = _Answers()
    views = Views(sam, images, recipe)
    with answers.listening(sam):
        for index in range(recipe.views):
            answers.ask(sam, views, recipe, index)
            yield ScoreProgress(views=index + 1, step=0, error=answers.error)
    yield from _fit(sam.mask_decoder.iou_prediction_head, answers, recipe)
    sam.sha256 = None  # its weights are no longer those


class _Answers:
    """Tokens of answers, and what their masks are worth."""

    def __init__(self) -> None:
        self._tokens: list[Tensor] = []
        self._ious: list[Tensor] = []
        self.error = 0.0

    def listening(self, sam: Sam) -> RemovableHandle:
        """Keep what goes into the head, as long as the context lasts."""
        return sam.mask_decoder.iou_prediction_head.register_forward_hook(
            lambda _, inputs, __: self._tokens.append(inputs[0].float())
        )

    @torch.no_grad()
    def ask(self, sam: Sam, views: Views, recipe: Recipe, index: int) -> None:
        """Ask for the objects of a view by clicks, for some also by a correction and a box."""
        rng = np.random.default_rng([recipe.seed, 3, index])
        generator = torch.Generator(sam.device).manual_seed(int(rng.integers(2**62)))
        view = views.fresh(views.draw_side(rng), rng)
        targets = choose_targets(view.labels, view.anchor, recipe.prompts_per_image, rng)
        targets = targets.to(sam.device)
        some = targets[::CORRECTED]
        errors = []
        for part, by_box, rounds in ((targets, False, 1), (some, False, 2), (some, True, 1)):
            conversation = converse(
                sam,
                view.embedding,
                part,
                view.corner,
                by_box=by_box,
                corrections=rounds,
                followed=len(part),
                generator=generator,
            )
            for _ in range(rounds):
                with precision(sam.device, recipe.bfloat16):
                    losses = next(conversation)
                self._keep(losses.iou, 1 + sam.config.decoder.multimasks)
                errors.append(float(losses.score) ** 0.5)
        self.error = float(np.mean(errors))

    def _keep(self, iou: Tensor, outputs: int) -> None:
        """Note the IoU of an answer's masks in the places of their scores; the others are NaN."""
        known = torch.full((len(iou), outputs), torch.nan, device=iou.device)
        known[:, : iou.shape[1]] = iou
        self._ious.append(known)

    def together(self) -> tuple[Tensor, Tensor]:
        """All tokens (N, C) and IoUs (N, outputs)."""
        return torch.cat(self._tokens), torch.cat(self._ious)


def _fit(head: MLP, answers: _Answers, recipe: Recipe) -> Generator[ScoreProgress]:
    """Go over the answers, in batches drawn at random."""
    tokens, ious = answers.together()
    generator = torch.Generator(tokens.device).manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    for step in range(recipe.steps):
        rows = torch.randint(len(tokens), (BATCH,), generator=generator, device=tokens.device)
        x = _drop(tokens[rows], generator)
        *hidden, last = head.layers
        for layer in hidden:
            x = _drop(F.relu(layer(x)), generator)
        error = (last(x) - ious[rows])[ious[rows].isfinite()]
        loss = error.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        told = float(error.detach().abs().mean())
        yield ScoreProgress(views=recipe.views, step=step + 1, error=told)


def _drop(x: Tensor, generator: torch.Generator) -> Tensor:
    """Dropout whose chance comes from a generator."""
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= DROPOUT
    return x * keep / (1 - DROPOUT)
