"""Which SAM a state dict belongs to, and the model made from it."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from napari_sam.errors import CheckpointError
from napari_sam.model.config import VARIANTS
from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.model.recognition import assemble, recognise
from napari_sam.model.sam import Sam, build_sam
from napari_sam.model.tiny_vit import CLASSIFIER_KEYS

State = dict[str, Tensor]


def empty_state(variant: str) -> State:
    """Keys and shapes of a variant without the memory."""
    with torch.device("meta"):
        return dict(Sam(VARIANTS[variant]).state_dict())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_recognised_by_keys_and_shapes(variant: str) -> None:
    assert recognise(empty_state(variant)) is VARIANTS[variant]


@pytest.mark.parametrize("variant", ["tiny_vit", "lite_medsam"])
def test_the_classifier_left_in_a_tiny_vit_is_ignored(variant: str) -> None:
    extra = dict.fromkeys(CLASSIFIER_KEYS, torch.empty(5))
    assert recognise({**empty_state(variant), **extra}) is VARIANTS[variant]


def test_only_the_classifier_of_a_tiny_vit_is_ignored() -> None:
    extra = dict.fromkeys(sorted(CLASSIFIER_KEYS), torch.empty(5))
    with pytest.raises(CheckpointError, match=r"has unknown keys \(image_encoder.head.bias"):
        recognise({**empty_state("vit_b"), **extra})


def test_what_a_file_says_of_itself_does_not_overrule_its_shapes() -> None:
    assert recognise(empty_state("tiny"), "tiny") is VARIANTS["tiny"]
    assert recognise(empty_state("tiny"), "a variant of the future") is VARIANTS["tiny"]
    with pytest.raises(CheckpointError, match="comes closest to vit_b but has other shapes"):
        recognise(empty_state("tiny"), "vit_b")


@pytest.mark.parametrize(
    ("keys", "family"),
    [
        (("conv1.weight", "layer1.0.conv1.weight", "fc.weight"), "a ResNet"),
        (("image_encoder.trunk.pos_embed", "sam_mask_decoder.iou_token.weight"), "SAM 2"),
        (("vision_encoder.layers.0.attn.qkv.weight",), "the transformers library's SAM"),
        (("mask_decoder.hf_token.weight", "mask_decoder.iou_token.weight"), "HQ-SAM"),
        (("backbone.0.weight", "head.weight"), "another family (its first key is 'backbone.0"),
    ],
)
def test_another_family_is_named(keys: tuple[str, ...], family: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(family)):
        recognise(dict.fromkeys(keys, torch.empty(3)))


def test_a_shape_that_does_not_fit_is_said_with_the_expected_one() -> None:
    state = empty_state("vit_b")
    state["image_encoder.pos_embed"] = torch.empty(1, 16, 16, 768, device="meta")
    with pytest.raises(CheckpointError) as refusal:
        recognise(state, source="small.pth")
    assert str(refusal.value) == (
        "small.pth comes closest to vit_b but has other shapes (image_encoder.pos_embed is "
        "(1, 16, 16, 768), expected (1, 64, 64, 768)); give weights of an unchanged architecture."
    )


def test_missing_and_unknown_keys_are_counted() -> None:
    state = empty_state("tiny")
    for key in [key for key in state if "iou_prediction_head" in key]:
        del state[key]
    state["mask_decoder.adapter.weight"] = torch.empty(1)
    with pytest.raises(CheckpointError, match=r"lacks keys \(.*and 4 more\) and has unknown keys"):
        recognise(state)


def test_an_assembled_model_answers_like_the_one_it_came_from() -> None:
    sam = build_sam("tiny", seed=5)
    again = assemble(sam.state_dict(), sam.config)
    images = torch.rand(1, 3, 100, 128) * 255
    prompts = PromptTensors(points=torch.tensor([[[50.0, 60.0]]]), labels=torch.tensor([[1]]))
    with torch.inference_mode():
        for model in (sam, again):
            assert not model.training
        expected = sam.decode(sam.encode(sam.preprocess(images)), prompts, multimask=True)
        found = again.decode(again.encode(again.preprocess(images)), prompts, multimask=True)
    assert all(a.equal(b) for a, b in zip(expected, found, strict=True))


def test_the_weights_are_in_memory_once() -> None:
    state = build_sam("tiny_tiny_vit", seed=5).state_dict()
    sam = assemble(state, VARIANTS["tiny_tiny_vit"])
    assert all(
        tensor.data_ptr() == state[key].data_ptr() for key, tensor in sam.state_dict().items()
    )


def test_half_precision_becomes_float32_and_can_be_trained() -> None:
    exact = build_sam("tiny_tiny_vit", seed=5).state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in exact.items()}
    sam = assemble(half, recognise(half))
    for key, value in sam.state_dict().items():
        assert value.dtype == exact[key].dtype
        torch.testing.assert_close(value, exact[key], rtol=1e-3, atol=1e-6)
    assert all(parameter.requires_grad for parameter in sam.parameters())
