"""What is trained, with which weight decay, and how fast when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_sam.model.sam import build_sam
from napari_sam.training.optimizer import choose_trainable, make_optimizer, set_rates

if TYPE_CHECKING:
    from napari_sam.training.recipe import Recipe


def test_each_part_has_its_rate_and_only_matrices_decay(recipe: Recipe) -> None:
    sam = build_sam("tiny_tiny_vit", seed=0)
    recipe = replace(recipe, train="all", learning_rate=0.2, encoder_rate=0.1, weight_decay=0.3)
    choose_trainable(sam, recipe)
    groups = make_optimizer(sam, recipe).param_groups
    of = {id(p): group for group in groups for p in group["params"]}
    assert len(of) == len(list(sam.parameters()))
    named = dict(sam.named_parameters())
    for name, peak, decay in (
        ("image_encoder.layers.1.blocks.0.attn.qkv.weight", 0.1, 0.3),
        ("image_encoder.layers.1.blocks.0.attn.qkv.bias", 0.1, 0.0),
        ("mask_decoder.transformer.layers.0.mlp.lin1.weight", 0.2, 0.3),
        ("mask_decoder.transformer.layers.0.norm1.weight", 0.2, 0.0),
        ("mask_decoder.mask_tokens.weight", 0.2, 0.0),
        ("prompt_encoder.point_embeddings.0.weight", 0.2, 0.0),
    ):
        group = of[id(named[name])]
        assert (group["peak"], group["weight_decay"]) == (peak, decay), name


def test_the_rate_rises_in_a_line_and_falls_in_a_cosine(recipe: Recipe) -> None:
    recipe = replace(recipe, steps=14, warm_up=4, learning_rate=0.1)
    sam = build_sam("tiny_tiny_vit", seed=0)
    choose_trainable(sam, recipe)
    optimizer = make_optimizer(sam, recipe)
    rates = []
    for step in range(14):
        set_rates(optimizer, step, recipe)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert rates[9] == pytest.approx(0.05)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.005


@pytest.mark.parametrize("variant", ["tiny_tiny_vit", "tiny"])
def test_freezing_leaves_what_the_recipe_trains(variant: str, recipe: Recipe) -> None:
    sam = build_sam(variant, seed=0).train()
    counts = {}
    for part in ("decoder", "last_stages", "all"):
        choose_trainable(sam, replace(recipe, train=part))
        counts[part] = sum(p.requires_grad for p in sam.image_encoder.parameters())
        assert all(p.requires_grad for p in sam.mask_decoder.parameters())
        assert not sam.training
    assert counts["decoder"] == 0
    assert 0 < counts["last_stages"] < counts["all"] == len(list(sam.image_encoder.parameters()))
