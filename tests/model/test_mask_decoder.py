"""The mask decoder against the released code, and how its prompts share an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_sam.model.config import VARIANTS, DecoderConfig
from napari_sam.model.mask_decoder import MaskDecoder

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

TINY = VARIANTS["tiny"].decoder


def made(channels: int, grid: int, prompts: int, tokens: int) -> tuple[torch.Tensor, ...]:
    """Make embedding, positions, sparse and dense prompts."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(1, channels, grid, grid, generator=generator),
        torch.randn(1, channels, grid, grid, generator=generator),
        torch.randn(prompts, tokens, channels, generator=generator),
        torch.randn(prompts, channels, grid, grid, generator=generator),
    )


@pytest.mark.parametrize("multimask", [True, False], ids=["multimask", "single mask"])
@pytest.mark.parametrize("tokens", [0, 1, 5])
@pytest.mark.parametrize(
    ("channels", "grid", "config"),
    [(32, 8, TINY), (256, 16, DecoderConfig())],
    ids=["tiny", "full width"],
)
@torch.inference_mode()
def test_masks_and_scores_equal_the_released_code(
    segment_anything: types.ModuleType,
    randomise: Callable[..., None],
    channels: int,
    grid: int,
    config: DecoderConfig,
    tokens: int,
    multimask: bool,
) -> None:
    ours = MaskDecoder(channels, config).eval()
    modeling = segment_anything.modeling
    theirs = modeling.MaskDecoder(
        transformer_dim=channels,
        transformer=modeling.TwoWayTransformer(
            depth=config.depth,
            embedding_dim=channels,
            num_heads=config.heads,
            mlp_dim=config.mlp_width,
            attention_downsample_rate=config.attention_downsample,
        ),
        num_multimask_outputs=config.multimasks,
        iou_head_depth=config.iou_head_depth,
        iou_head_hidden_dim=config.iou_head_width,
    ).eval()
    randomise(ours)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    inputs = made(channels, grid, prompts=3, tokens=tokens)
    masks, iou = ours(*inputs, multimask)
    expected_masks, expected_iou = theirs(*inputs, multimask)
    assert expected_masks.std() > 0.1
    count = 3 if multimask else 1
    assert masks.shape == (3, count, 4 * grid, 4 * grid)
    # Random logits reach about 10 at the full width, where 1e-5 is 1 in 2**20 of the largest.
    torch.testing.assert_close(masks, expected_masks, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(iou, expected_iou, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_an_embedding_for_each_prompt_equals_one_shared_by_all(
    randomise: Callable[..., None],
) -> None:
    decoder = MaskDecoder(32, TINY).eval()
    randomise(decoder)
    embedding, positions, sparse, dense = made(32, 8, prompts=3, tokens=2)
    shared = decoder(embedding, positions, sparse, dense, True)
    own = decoder(embedding.repeat(3, 1, 1, 1), positions, sparse, dense, True)
    for ours, expected in zip(own, shared, strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_prompts_do_not_influence_each_other(randomise: Callable[..., None]) -> None:
    decoder = MaskDecoder(32, TINY).eval()
    randomise(decoder)
    embedding, positions, sparse, dense = made(32, 8, prompts=3, tokens=2)
    masks, iou = decoder(embedding, positions, sparse, dense, False)
    assert not torch.allclose(masks[0], masks[1])
    for index in range(3):
        part = slice(index, index + 1)
        mask, score = decoder(embedding, positions, sparse[part], dense[part], False)
        torch.testing.assert_close(mask, masks[part], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(score, iou[part], atol=1e-5, rtol=1e-5)
