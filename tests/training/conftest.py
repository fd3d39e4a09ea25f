"""Made images of discs, and a recipe that takes moments."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pytest

from napari_sam.training.annotated import AnnotatedImage
from napari_sam.training.recipe import Recipe


class MakeImage(Protocol):
    """Make an annotated image of bright discs on noise."""

    def __call__(self, seed: int = 0, source: str = "discs") -> AnnotatedImage: ...


@pytest.fixture
def make_image() -> MakeImage:
    def make_image(seed: int = 0, source: str = "discs") -> AnnotatedImage:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:90, :110]
        pixels = rng.integers(20, 60, (90, 110), dtype=np.uint8)
        labels = np.zeros((90, 110), np.int32)
        for number in range(1, 9):
            row, column, radius = rng.uniform(5, 85), rng.uniform(5, 105), rng.uniform(5, 14)
            disc = (y - row) ** 2 + (x - column) ** 2 < radius**2
            labels[disc], pixels[disc] = number, 150 + 10 * number
        return AnnotatedImage(
            f"{source}/{seed}.png", source, np.repeat(pixels[..., None], 3, axis=2), labels
        )

    return make_image


@pytest.fixture
def images(make_image: MakeImage) -> list[AnnotatedImage]:
    return [make_image(0, "a"), make_image(1, "b"), make_image(2, "b")]


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        steps=5,
        images_per_step=1,
        prompts_per_image=4,
        corrections=1,
        warm_up=2,
        views=2,
        seed=3,
    )
