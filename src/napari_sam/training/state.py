"""A training run on disk: enough to go on as if nothing had happened."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from napari_sam.durable import whole_file
from napari_sam.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe

__all__ = ["TrainingState"]

FORMAT = 1


class TrainingState:
    """Weights, their moving average and the optimiser of a run.

    Parameters
    ----------
    sam : Sam
        The model before the first step; what of it is trained has gradients switched on.
    optimizer : torch.optim.Optimizer
        That trains it.
    recipe : Recipe
        Its numbers, the decay of the moving average among them.
    images : sequence of AnnotatedImage
        What is trained on. With model and recipe they tell one run from another.
    """

    def __init__(
        self,
        sam: Sam,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        images: Sequence[AnnotatedImage],
    ) -> None:
        self._optimizer, self._decay = optimizer, recipe.average
        self._trained = {n: p for n, p in sam.named_parameters() if p.requires_grad}
        self._average = {name: p.detach().clone() for name, p in self._trained.items()}
        self._identity = _identity(sam, recipe, images)

    @torch.no_grad()
    def average(self, step: int) -> None:
        """Move the average towards the weights; early steps count more, as there are few."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, mean in self._average.items():
            mean.lerp_(self._trained[name], 1 - decay)

    @torch.no_grad()
    def use_average(self) -> None:
        """Give the model the averaged weights."""
        for name, mean in self._average.items():
            self._trained[name].copy_(mean)

    def save(self, path: Path, step: int) -> None:
        """Write the run after so many steps, complete or not at all.

        Raises
        ------
        InputError
            When the file cannot be written.
        """
        content = {
            "format": FORMAT,
            "step": step,
            "run": self._identity,
            "weights": {name: p.detach() for name, p in self._trained.items()},
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
        }
        try:
            with whole_file(path) as unfinished:
                torch.save(content, unfinished)
        except (OSError, RuntimeError) as error:  # torch turns a full disk into either
            raise InputError(
                f"the state of the run could not be written to {path} ({error}); make room, or "
                "give another file"
            ) from error

    def resume(self, path: Path) -> int:
        """Go on from a file, if there is one, and return how many steps were done.

        Raises
        ------
        InputError
            When the file belongs to another run, or is no such file.
        """
        if not path.exists():
            return 0
        content = _read(path)
        for what, expected in self._identity.items():
            found = content["run"].get(what)
            if found != expected:
                raise InputError(
                    f"{path} belongs to another run ({what}: {found} there, {expected} here); "
                    "give another file, or remove it to start afresh"
                )
        with torch.no_grad():
            for name, value in content["weights"].items():
                self._trained[name].copy_(value)
        for name, value in content["average"].items():
            self._average[name].copy_(value)
        self._optimizer.load_state_dict(content["optimizer"])
        return int(content["step"])


def _read(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] == FORMAT:
            return dict(content)
    except Exception as error:  # torch raises whatever a malformed file makes it stumble over
        raise InputError(
            f"{path} is no training state, or a damaged one ({type(error).__name__}); "
            "remove it to start afresh"
        ) from error
    raise InputError(f"{path} was written by another version; remove it to start afresh")


def _identity(sam: Sam, recipe: Recipe, images: Sequence[AnnotatedImage]) -> dict[str, Any]:
    """List what must be the same for a run to go on."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(image.source.encode())
        digest.update(image.pixels.tobytes())
        digest.update(image.labels.tobytes())
    numbers = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(recipe).items()}
    return {**numbers, "starting model": sam.sha256, "set of images": digest.hexdigest()[:16]}
