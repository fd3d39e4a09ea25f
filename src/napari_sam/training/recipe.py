"""How a model is trained: every number that makes one run differ from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_sam.errors import InputError

__all__ = ["Part", "Recipe"]

Part = Literal["decoder", "last_stages", "all"]
"""What is trained besides the decoders: nothing, the encoder's end, or all of the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Numbers of a training run.

    Parameters
    ----------
    steps : int
        Optimiser steps.
    train : {"decoder", "last_stages", "all"}
        "decoder" leaves the image encoder as it is: each view is encoded once and kept.
    images_per_step : int
        Crops whose gradients are added up for one step.
    prompts_per_image : int
        Objects that are asked for in each crop, half by a point and half by a box.
    corrections : int
        Corrective clicks on each object (8 in the SAM paper; fewer teach more objects in the time).
    followed : float
        Share of the objects whose first answer is corrected; the others are asked for once, which
        shows the model more objects in the time.
    score_weight : float
        Of the predicted IoU's squared error beside the mask's loss.
    learning_rate : float
        Of prompt encoder and mask decoder at its peak (AdamW; warm-up, then a cosine to 0).
    encoder_rate : float
        Of the image encoder.
    warm_up : int
        Steps until the peak.
    weight_decay : float
        Of AdamW; not for norms, biases and embeddings.
    clip : float
        Largest norm of the gradient.
    average : float
        Decay of the moving average of the weights, which is what a run results in.
    crop_cells : tuple of int
        Sides of the crops in cells; one is drawn for each step. Empty: those that suit the encoder.
    crop_chances : tuple of float
        How often each of them is drawn. Empty: smaller ones more often, as they cost less.
    variety : float
        How much crops differ from the images as they are: share of the usual range of scales and
        of the usual chances of turns, intensities, colours, blur and noise, more than 0 to 1.
    as_shown : float
        Share of the crops in which objects are as large as a user who looks at the whole image, or
        a quarter of it, sees them, instead of scaled to what suits the model, 0 to 1.
    views : int
        With `train="decoder"`, how many crops are encoded, kept in memory (1 to 5 MB each at
        SAM's size) and used over and over.
    bfloat16 : bool
        Compute in mixed precision, where the device has units for it.
    seed : int
        All chance comes from it.

    Raises
    ------
    InputError
        When a number cannot be used.
    """

    steps: int = 100
    train: Part = "decoder"
    images_per_step: int = 1
    prompts_per_image: int = 8
    corrections: int = 3
    followed: float = 1.0
    score_weight: float = 1.0
    learning_rate: float = 1e-4
    encoder_rate: float = 5e-5
    warm_up: int = 20
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.99
    crop_cells: tuple[int, ...] = ()
    crop_chances: tuple[float, ...] = ()
    variety: float = 1.0
    as_shown: float = 0.0
    views: int = 64
    bfloat16: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "images_per_step", "views"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.prompts_per_image < 2:
            raise InputError(
                f"prompts_per_image is {self.prompts_per_image}; expected 2 or more, half of them "
                "are points and half are boxes"
            )
        for name in ("corrections", "warm_up", "encoder_rate", "weight_decay", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("learning_rate", "clip", "score_weight"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name)}; expected more than 0")
        for name in ("variety", "followed"):
            if not 0 < (share := getattr(self, name)) <= 1:
                raise InputError(f"{name} is {share}; expected more than 0 and at most 1")
        if not 0 <= self.as_shown <= 1:
            raise InputError(f"as_shown is {self.as_shown}; expected 0 to 1")
        if not 0 <= self.average < 1:
            raise InputError(f"average is {self.average}; expected at least 0 and less than 1")
        if self.train not in ("decoder", "last_stages", "all"):
            raise InputError(f"train is {self.train!r}; choose 'decoder', 'last_stages' or 'all'")
        if self.crop_chances and len(self.crop_chances) != len(self.crop_cells):
            raise InputError(
                f"there are {len(self.crop_chances)} crop_chances for {len(self.crop_cells)} "
                "crop_cells; give one for each"
            )
        if self.crop_chances and not (min(self.crop_chances) >= 0 < max(self.crop_chances)):
            raise InputError(
                f"crop_chances are {self.crop_chances}; expected 0 or more, and more than 0 for "
                "at least one"
            )
