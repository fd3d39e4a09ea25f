"""What of a model is trained, by which optimiser, and how fast at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam
    from napari_sam.training.recipe import Recipe

__all__ = ["choose_trainable", "make_optimizer", "set_rates"]


def choose_trainable(sam: Sam, recipe: Recipe) -> None:
    """Freeze what the recipe does not train; batch norms keep their statistics in any case."""
    sam.eval()
    sam.requires_grad_(True)
    sam.image_encoder.requires_grad_(recipe.train == "all")
    if recipe.train == "last_stages":
        for part in sam.image_encoder.last_stages():
            part.requires_grad_(True)


def make_optimizer(sam: Sam, recipe: Recipe) -> torch.optim.AdamW:
    """Make the optimiser of what is trainable: the encoder, and what decays, in groups apart."""
    groups: list[dict[str, Any]] = []
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


def set_rates(optimizer: torch.optim.Optimizer, step: int, recipe: Recipe) -> None:
    """Set each group's learning rate for a step: a linear warm-up, then a cosine to zero."""
    if step < recipe.warm_up:
        share = (step + 1) / recipe.warm_up
    else:
        done = (step - recipe.warm_up) / max(1, recipe.steps - recipe.warm_up)
        share = 0.5 * (1 + math.cos(math.pi * done))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
