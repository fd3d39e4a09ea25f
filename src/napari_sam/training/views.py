"""What the model is shown: crops of the annotated images, no source too often, encoded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_sam.errors import InputError
from napari_sam.model.config import TinyViTConfig
from napari_sam.training.augment import vary_intensity
from napari_sam.training.crops import cut, plan_crop
from napari_sam.training.precision import precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam.model.sam import Sam
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.crops import Crop
    from napari_sam.training.recipe import Recipe

__all__ = ["View", "Views", "image_chances"]

BALANCE = 0.25
"""A source is drawn in proportion to its number of images to this power: 16 times the images
count twice."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A crop as the decoder sees it.

    Parameters
    ----------
    embedding : Tensor
        float32 on the model's device, (1, C, G, G) with G the crop's side in cells.
    labels : Tensor
        Ids, int32, (L, L) with L = 4 * G * `LABELS_PER_LOGIT`.
    corner : (int, int)
        Row and column of the crop's first cell in the tile.
    anchor : int
        Id of the object that it was planned around.
    """

    embedding: Tensor
    labels: Tensor
    corner: tuple[int, int]
    anchor: int


class Views:
    """An endless supply of views.

    Parameters
    ----------
    sam : Sam
        Its image encoder makes the embeddings.
    images : sequence of AnnotatedImage
        What they show.
    recipe : Recipe
        Crop sizes, number of kept views, precision and seed.

    Raises
    ------
    InputError
        When the encoder cannot see crops of that size.
    """

    def __init__(self, sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe) -> None:
        self._sam, self._images, self._recipe = sam, images, recipe
        self._objects = [image.objects() for image in images]
        self._chances = image_chances(images)
        self._sides, self._side_chances = _crop_sides(sam, recipe)
        self._kept: dict[int, View] = {}

    def draw_side(self, rng: np.random.Generator) -> int:
        """Draw the side of a crop, in cells."""
        return int(rng.choice(self._sides, p=self._side_chances))

    def fresh(self, cells: int, rng: np.random.Generator) -> View:
        """Make a view that nobody has seen, with gradients where the encoder is trained.

        Parameters
        ----------
        cells : int
            Side of the crop.
        rng : numpy Generator
            All chance comes from it.
        """
        crop = self._crop(cells, rng)
        pixels = self._sam.normalise(crop.pixels[None]) * crop.inside.to(self._sam.device)
        with precision(self._sam.device, self._recipe.bfloat16):
            embedding = self._sam.encode(pixels).float()
        return View(embedding, crop.labels.int(), crop.corner, crop.anchor)

    def kept(self, index: int) -> View:
        """Return a view of the run, encoded the first time that it is wanted.

        It stays in memory: at SAM's size 1 MB for the smallest of the usual crops, 5 MB for a
        whole tile.

        Parameters
        ----------
        index : int
            Below the recipe's `views`; the view follows from it and the seed.
        """
        if index not in self._kept:
            rng = np.random.default_rng([self._recipe.seed, 2, index])
            with torch.no_grad():
                self._kept[index] = self.fresh(self.draw_side(rng), rng)
        return self._kept[index]

    def _crop(self, cells: int, rng: np.random.Generator) -> Crop:
        """Cut a crop from an image and vary it."""
        index = int(rng.choice(len(self._images), p=self._chances))
        config = self._sam.config
        image = self._images[index]
        free = config.grid_size - cells
        recipe = self._recipe
        plan = plan_crop(
            image.labels.shape,
            self._objects[index],
            cells * config.cell,
            free,
            config.cell,
            rng,
            recipe.variety,
            recipe.as_shown,
        )
        crop = cut(image, plan)
        return crop.with_pixels(vary_intensity(crop.pixels, rng, recipe.variety))


def image_chances(images: Sequence[AnnotatedImage]) -> list[float]:
    """Chance of each image, so that no source drowns."""
    count = Counter(image.source for image in images)
    weights = [count[image.source] ** (BALANCE - 1) for image in images]
    return [weight / sum(weights) for weight in weights]


def _crop_sides(sam: Sam, recipe: Recipe) -> tuple[tuple[int, ...], list[float]]:
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
