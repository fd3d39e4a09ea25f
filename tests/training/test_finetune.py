"""The training loop: it learns, it can be stopped anywhere, and it touches what it should."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from napari_sam.errors import InputError
from napari_sam.model.config import VARIANTS
from napari_sam.model.sam import Sam, build_sam
from napari_sam.training.finetune import finetune

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import MakeImage

    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Part, Recipe

PARTS: tuple[Part, ...] = ("decoder", "last_stages", "all")


def model(variant: str = "tiny_tiny_vit") -> Sam:
    return build_sam(variant, seed=0)


def weights(sam: Sam) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in sam.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


def trained(images: list[AnnotatedImage], recipe: Recipe) -> dict[str, Tensor]:
    """Weights after an uninterrupted run."""
    sam = model()
    assert len(list(finetune(sam, images, recipe))) == recipe.steps
    return weights(sam)


def test_it_learns_what_it_is_shown(make_image: MakeImage, recipe: Recipe) -> None:
    recipe = replace(recipe, steps=40, corrections=0, learning_rate=5e-3, views=1, warm_up=5)
    steps = list(finetune(model(), [make_image(0)], recipe))
    assert [p.step for p in steps] == list(range(1, 41))
    first, last = steps[:5], steps[-5:]
    assert sum(p.mask_loss for p in last) < 0.6 * sum(p.mask_loss for p in first)
    assert sum(p.corrected_iou for p in last) > sum(p.corrected_iou for p in first) + 1
    assert all(0 <= p.click_iou <= 1 and 0 <= p.box_iou <= 1 and p.seconds > 0 for p in steps)
    assert all(p.score_loss > 0 for p in steps)


@pytest.mark.parametrize("part", PARTS)
def test_a_run_that_was_stopped_ends_like_one_that_was_not(
    part: Part, images: list[AnnotatedImage], recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(recipe, train=part)
    state = tmp_path / "run.pt"
    run = finetune(model(), images, recipe, state=state)
    stopped = list(itertools.islice(run, 3))
    assert not state.exists()
    run.close()
    sam = model()
    resumed = list(finetune(sam, images, recipe, state=state))
    assert [p.step for p in stopped + resumed] == [1, 2, 3, 4, 5]
    assert equal(weights(sam), trained(images, recipe))


@pytest.mark.parametrize("part", PARTS)
def test_a_run_that_was_killed_ends_like_one_that_was_not(
    part: Part, images: list[AnnotatedImage], recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(recipe, train=part)
    state = tmp_path / "run.pt"
    run = finetune(model(), images, recipe, state=state, save_every=2)
    list(itertools.islice(run, 3))
    left = state.read_bytes()  # what a kill would leave: closing saves once more
    run.close()
    assert state.read_bytes() != left
    state.write_bytes(left)
    sam = model()
    resumed = list(finetune(sam, images, recipe, state=state, save_every=2))
    assert [p.step for p in resumed] == [3, 4, 5]
    assert equal(weights(sam), trained(images, recipe))


def test_a_finished_run_only_gives_its_weights_again(
    images: list[AnnotatedImage], recipe: Recipe, tmp_path: Path
) -> None:
    state = tmp_path / "run.pt"
    first, again = model(), model()
    assert len(list(finetune(first, images, recipe, state=state))) == 5
    assert list(finetune(again, images, recipe, state=state)) == []
    assert equal(weights(first), weights(again))
    assert not equal(weights(first), weights(model()))


def test_the_seed_decides(images: list[AnnotatedImage], recipe: Recipe) -> None:
    one = trained(images, recipe)
    torch.manual_seed(99)  # chance elsewhere has no part in it
    assert equal(one, trained(images, recipe))
    assert not equal(one, trained(images, replace(recipe, seed=4)))


@pytest.mark.parametrize("variant", ["tiny_tiny_vit", "tiny"])
def test_a_frozen_encoder_stays_as_it_was(
    variant: str, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = model(variant)
    before = weights(sam)
    list(finetune(sam, images, replace(recipe, train="decoder")))
    touched = changed(before, weights(sam))
    assert touched
    assert not any(name.startswith("image_encoder.") for name in touched)
    assert any(name.startswith("mask_decoder.") for name in touched)
    assert any(name.startswith("prompt_encoder.") for name in touched)


@pytest.mark.parametrize("variant", ["tiny_tiny_vit", "tiny"])
def test_only_the_last_stages_change_where_only_they_are_trained(
    variant: str, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = model(variant)
    before = weights(sam)
    list(finetune(sam, images, replace(recipe, train="last_stages")))
    last = {id(p) for part in sam.image_encoder.last_stages() for p in part.parameters()}
    end = {name for name, p in sam.named_parameters() if id(p) in last}
    touched = changed(before, weights(sam))
    assert touched & end
    assert not {name for name in touched if name.startswith("image_encoder.")} - end
    list(finetune(sam, images, replace(recipe, train="all")))
    now = changed(before, weights(sam))
    assert {name for name in now if name.startswith("image_encoder.")} - end
    assert not any("running_" in name for name in now)


def test_a_run_ends_with_the_moving_average(images: list[AnnotatedImage], recipe: Recipe) -> None:
    recipe = replace(recipe, average=0.6, learning_rate=1e-2)
    sam = model()
    name = "mask_decoder.transformer.layers.0.mlp.lin1.weight"
    mean = sam.state_dict()[name].clone()
    for step, _ in enumerate(finetune(sam, images, recipe)):
        now = sam.state_dict()[name].clone()
        decay = min(0.6, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * now
    torch.testing.assert_close(sam.state_dict()[name], mean)
    assert not torch.allclose(mean, now)


def test_a_kept_view_is_encoded_once_and_a_fresh_one_every_time(
    images: list[AnnotatedImage], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, calls = Sam.encode, []
    monkeypatch.setattr(Sam, "encode", lambda sam, x: calls.append(1) or encode(sam, x))
    recipe = replace(recipe, steps=4, images_per_step=2)
    list(finetune(model(), images, recipe))
    assert len(calls) == 2
    calls.clear()
    list(finetune(model(), images, replace(recipe, train="last_stages")))
    assert len(calls) == 8


def test_the_model_is_another_one_from_the_first_step_on(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = model()
    before = sam.sha256
    run = finetune(sam, images, recipe)
    next(run)
    assert sam.sha256 != before
    assert not any(p.requires_grad for p in sam.image_encoder.parameters())
    run.close()
    assert all(p.requires_grad for p in sam.parameters())
    assert not sam.training


def test_there_must_be_images(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="no images to train on"):
        next(finetune(model(), [], recipe))


def test_a_model_that_takes_boxes_only_is_refused(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = Sam(replace(VARIANTS["tiny_tiny_vit"], prompts=frozenset({"box"})))
    sam.name = "boxes"
    with pytest.raises(InputError, match=r"^boxes takes no mask and no point prompts, but"):
        next(finetune(sam, images, recipe))


def test_a_run_that_blows_up_says_so_and_keeps_the_weights_of_the_step_before(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = model()
    run = finetune(sam, images, recipe)
    next(run)
    good = weights(sam)
    sam.mask_decoder.transformer.norm_final_attn.weight.data.fill_(float("nan"))
    with pytest.raises(InputError, match="step 2 gave a gradient of nan; lower the learning rate"):
        next(run)
    kept = changed(good, weights(sam))
    assert kept == {"mask_decoder.transformer.norm_final_attn.weight"}
