"""The training loop: a generator of steps that can be stopped, killed and resumed."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.errors import InputError
from napari_sam.model.config import TinyViTConfig
from napari_sam.training.augment import vary_intensity
from napari_sam.training.conversation import converse
from napari_sam.training.crops import LABELS_PER_LOGIT, cut, plan_crop
from napari_sam.training.state import TrainingState

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.crops import Crop
    from napari_sam.training.recipe import Recipe

__all__ = ["TrainingProgress", "finetune"]

BALANCE = 0.25
"""A source is drawn in proportion to its number of images to this power: 16 times the images
count twice."""


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
        Mean IoU of the answers to a click, to a box, and after the last correction.
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
) -> Iterator[TrainingProgress]:
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
        Steps between two savings of it; it is saved at the end as well.

    Yields
    ------
    TrainingProgress
        After each step.

    Raises
    ------
    InputError
        When there are no images, the encoder cannot see crops of that size, or the state belongs
        to another run.
    """
    if not images:
        raise InputError("there are no images to train on; give at least one with labels")
    run = _Run(sam, images, recipe)
    done = run.progress.resume(state, recipe, images) if state else 0
    for step in range(done, recipe.steps):
        yield run.step(step)
        last = step + 1 == recipe.steps
        if state and (last or (step + 1) % save_every == 0):
            run.progress.save(state, step + 1, recipe, images)
    run.progress.use_average()
    sam.sha256 = None
    sam.eval().requires_grad_(True)


class _Run:
    """What the steps of a run share."""

    def __init__(self, sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe) -> None:
        self.sam, self.images, self.recipe = sam, images, recipe
        self.objects = [image.objects() for image in images]
        self.chances = _chances(images)
        self.crop_cells, self.crop_chances = _crops(sam, recipe)
        _choose_trainable(sam, recipe)
        self.optimizer = _optimizer(sam, recipe)
        self.progress = TrainingState(sam, self.optimizer, recipe.average)
        self.mixed = recipe.bfloat16 and _has_bfloat16(sam.device)
        self.kept: dict[int, tuple[Tensor, Crop]] = {}

    def step(self, step: int) -> TrainingProgress:
        """Take one step of the optimiser."""
        start = time.perf_counter()
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, 1, step])
        generator = torch.Generator(self.sam.device).manual_seed(int(rng.integers(2**62)))
        cells = int(rng.choice(self.crop_cells, p=self.crop_chances))
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(step, recipe)
        told: dict[str, list[float]] = defaultdict(list)
        self.optimizer.zero_grad(set_to_none=True)
        for _ in range(recipe.images_per_step):
            if recipe.train == "decoder":
                embedding, crop = self._kept_view(int(rng.integers(recipe.views)))
                self._ask(embedding, crop, rng, generator, told)
                continue
            crop = self._crop(cells, rng)
            embedding = self._encode(crop)
            seen = embedding.detach().requires_grad_()
            self._ask(seen, crop, rng, generator, told)
            embedding.backward(seen.grad)  # type: ignore[no-untyped-call]
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        self.optimizer.step()
        self.progress.average(step)
        mean = {name: float(np.mean(values)) for name, values in told.items()}
        return TrainingProgress(
            step=step + 1,
            steps=recipe.steps,
            seconds=time.perf_counter() - start,
            **mean,
        )

    def _ask(
        self,
        embedding: Tensor,
        crop: Crop,
        rng: np.random.Generator,
        generator: torch.Generator,
        told: dict[str, list[float]],
    ) -> None:
        """Let the simulated user work on one crop, and add up gradients."""
        recipe = self.recipe
        targets = _targets(crop, recipe.prompts_per_image, rng).to(embedding.device)
        half = len(targets) // 2
        rounds = 3 + recipe.corrections
        share = 1 / (2 * rounds * recipe.images_per_step)
        for by_box, part in ((False, targets[:half]), (True, targets[half:])):
            conversation = converse(
                self.sam,
                embedding,
                part,
                crop.corner,
                by_box=by_box,
                corrections=recipe.corrections,
                generator=generator,
            )
            iou = 0.0
            for index in range(rounds):
                with self._precision():
                    losses = next(conversation)
                ((losses.mask + losses.score) * share).backward()  # type: ignore[no-untyped-call]
                iou = float(losses.iou.amax(1).mean())
                if index == 0:
                    told["box_iou" if by_box else "click_iou"].append(iou)
                told["mask_loss"].append(float(losses.mask.detach()))
                told["score_loss"].append(float(losses.score.detach()))
            told["corrected_iou"].append(iou)

    def _crop(self, cells: int, rng: np.random.Generator) -> Crop:
        """Cut and vary a crop of an image, sources balanced."""
        index = int(rng.choice(len(self.images), p=self.chances))
        config = self.sam.config
        image = self.images[index]
        free = config.grid_size - cells
        plan = plan_crop(image.labels.shape, self.objects[index], cells * config.cell, free, rng)
        crop = cut(image, plan)
        return crop.with_pixels(vary_intensity(crop.pixels, rng))

    def _encode(self, crop: Crop) -> Tensor:
        x = self.sam.normalise(crop.pixels[None]) * crop.inside.to(self.sam.device)
        with self._precision():
            return self.sam.encode(x).float()

    def _kept_view(self, view: int) -> tuple[Tensor, Crop]:
        """Encode a view the first time it is wanted."""
        if view not in self.kept:
            rng = np.random.default_rng([self.recipe.seed, 2, view])
            crop = self._crop(int(rng.choice(self.crop_cells, p=self.crop_chances)), rng)
            with torch.no_grad():
                embedding = self._encode(crop)
            self.kept[view] = embedding, crop.with_pixels(torch.empty(0))
        return self.kept[view]

    def _precision(self) -> contextlib.AbstractContextManager[object]:
        device = self.sam.device.type
        return torch.autocast(device, dtype=torch.bfloat16, enabled=self.mixed)


def _targets(crop: Crop, count: int, rng: np.random.Generator) -> Tensor:
    """Choose objects of a crop, the one it was planned around first, as shares (P, M, M)."""
    ids, areas = torch.unique(crop.labels, return_counts=True)
    large = ids[(ids != 0) & (areas >= 4 * LABELS_PER_LOGIT**2)].tolist()
    others = [i for i in large if i != crop.anchor]
    chosen = [crop.anchor, *rng.permutation(others).tolist()]
    chosen = [chosen[i % len(chosen)] for i in range(count)]
    chosen = rng.permutation(chosen)  # so that any may be asked for by point or by box
    masks = torch.stack([crop.labels == int(i) for i in chosen]).float()
    return F.avg_pool2d(masks[None], LABELS_PER_LOGIT)[0]


def _chances(images: Sequence[AnnotatedImage]) -> list[float]:
    """Chance of each image, so that no source drowns."""
    count = Counter(image.source for image in images)
    weights = [count[image.source] ** (BALANCE - 1) for image in images]
    return [weight / sum(weights) for weight in weights]


def _crops(sam: Sam, recipe: Recipe) -> tuple[tuple[int, ...], list[float]]:
    """Sides of the crops in cells, and how often each is drawn."""
    grid = sam.config.grid_size
    any_size = isinstance(sam.config.encoder, TinyViTConfig)
    usual = (7 * grid // 16, 21 * grid // 32, grid) if any_size else (grid,)
    cells = recipe.crop_cells or usual
    if not all(0 < side <= grid for side in cells):
        raise InputError(f"crop_cells are {cells}; this model's tiles have 1 to {grid} cells")
    if not any_size and set(cells) != {grid}:
        raise InputError(f"crop_cells are {cells}; this encoder sees whole tiles only, ({grid},)")
    weights = recipe.crop_chances or [1 / side**2 for side in cells]
    return cells, [weight / sum(weights) for weight in weights]


def _choose_trainable(sam: Sam, recipe: Recipe) -> None:
    """Freeze what the recipe does not train; batch norms keep their statistics in any case."""
    sam.eval()
    sam.requires_grad_(True)
    sam.image_encoder.requires_grad_(recipe.train == "all")
    if recipe.train == "last_stages":
        for part in sam.image_encoder.last_stages():
            part.requires_grad_(True)


def _optimizer(sam: Sam, recipe: Recipe) -> torch.optim.AdamW:
    groups = []
    for in_encoder, rate in ((False, recipe.learning_rate), (True, recipe.encoder_rate)):
        for decays in (True, False):
            parameters = [
                parameter
                for name, parameter in sam.named_parameters()
                if parameter.requires_grad
                and name.startswith("image_encoder.") == in_encoder
                and (parameter.ndim > 1 and "embed" not in name and "token" not in name) == decays
            ]
            if parameters:
                decay = recipe.weight_decay if decays else 0.0
                groups.append({"params": parameters, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def _schedule(step: int, recipe: Recipe) -> float:
    """Share of the peak rate: a linear warm-up, then a cosine to zero."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    left = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
    return 0.5 * (1 + math.cos(math.pi * left))


def _has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False
