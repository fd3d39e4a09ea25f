"""The predicted IoU is fitted to the masks, and nothing but its head changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.sam import Sam, build_sam
from napari_sam.training.scores import ScoreProgress, fit_scores

if TYPE_CHECKING:
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe


def fitted(images: list[AnnotatedImage], recipe: Recipe) -> tuple[Sam, list[ScoreProgress]]:
    sam = build_sam("tiny_tiny_vit", seed=0)
    return sam, list(fit_scores(sam, images, recipe))


def test_scores_come_closer_to_what_masks_are_worth(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    recipe = replace(recipe, views=4, prompts_per_image=8, steps=150, learning_rate=3e-3)
    _, told = fitted(images, recipe)
    collected, steps = told[:4], told[4:]
    assert [p.views for p in collected] == [1, 2, 3, 4]
    assert all(p.step == 0 and p.error > 0 for p in collected)
    assert [p.step for p in steps] == list(range(1, 151))
    first, last = (np.mean([p.error for p in part]) for part in (steps[:5], steps[-20:]))
    assert last < 0.7 * first


def test_only_the_head_changes_and_the_model_is_another_one(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    before = build_sam("tiny_tiny_vit", seed=0)
    known = before.sha256
    after, _ = fitted(images, replace(recipe, views=2, steps=3))
    old, new = before.state_dict(), after.state_dict()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("mask_decoder.iou_prediction_head.") for name in changed)
    assert after.sha256 != known


def test_the_seed_decides_the_scores(images: list[AnnotatedImage], recipe: Recipe) -> None:
    recipe = replace(recipe, views=2, steps=3)
    one, same, other = (
        fitted(images, each)[0].state_dict()
        for each in (recipe, recipe, replace(recipe, seed=recipe.seed + 1))
    )
    name = "mask_decoder.iou_prediction_head.layers.0.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_scores_are_fitted_to_at_least_one_image(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no images to fit scores on"):
        next(fit_scores(build_sam("tiny_tiny_vit", seed=0), [], recipe))
