"""The ViT encoder: its parts against plain loops, the whole against the released code."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from napari_sam.model.config import VARIANTS, ViTConfig
from napari_sam.model.layers import LayerNorm2d, from_windows, to_windows
from napari_sam.model.vit import ViTEncoder

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

TINY = VARIANTS["tiny"].encoder


def reference_encoder(segment_anything: types.ModuleType, config: ViTConfig) -> nn.Module:
    """Build the released encoder with the sizes of ours."""
    return segment_anything.modeling.ImageEncoderViT(
        img_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.width,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        out_chans=config.out_channels,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=config.window,
        global_attn_indexes=config.global_blocks,
    ).eval()


def test_windows_are_padded_with_zeros_and_put_back_in_place() -> None:
    x = torch.arange(2 * 5 * 7 * 3.0).reshape(2, 5, 7, 3) + 1
    windows = to_windows(x, 3)
    assert windows.shape == (2 * 2 * 3, 3, 3, 3)
    torch.testing.assert_close(windows[1], x[0, :3, 3:6])
    assert (windows[2, :, 1:] == 0).all()
    assert (windows != 0).sum() == x.numel()
    torch.testing.assert_close(from_windows(windows, 5, 7), x)


def test_layer_norm_2d_normalises_each_pixel_over_its_channels() -> None:
    x = 5 + 3 * torch.randn(2, 16, 4, 6, generator=torch.Generator().manual_seed(0))
    y = LayerNorm2d(16)(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y.mean(1), torch.zeros(2, 4, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(1, unbiased=False), torch.ones(2, 4, 6))


@torch.inference_mode()
def test_images_of_a_batch_do_not_influence_each_other(randomise: Callable[..., None]) -> None:
    encoder = ViTEncoder(TINY).eval()
    randomise(encoder)
    images = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    together = encoder(images)
    assert together.shape == (3, 32, 8, 8)
    for image, embedding in zip(images, together, strict=True):
        torch.testing.assert_close(encoder(image[None])[0], embedding, atol=1e-4, rtol=0)


@pytest.mark.parametrize("window", [3, 4, 14], ids=["padded", "dividing", "larger than the grid"])
@torch.inference_mode()
def test_a_tiny_encoder_equals_the_released_code(
    segment_anything: types.ModuleType, randomise: Callable[..., None], window: int
) -> None:
    config = ViTConfig(
        image_size=128,
        width=32,
        depth=3,
        heads=2,
        global_blocks=(1,),
        window=window,
        out_channels=16,
    )
    ours = ViTEncoder(config).eval()
    theirs = reference_encoder(segment_anything, config)
    randomise(ours)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    expected = theirs(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(images), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_full_vit_b_equals_the_released_code(segment_anything: types.ModuleType) -> None:
    config = VARIANTS["vit_b"].encoder
    with torch.device("meta"):
        ours = ViTEncoder(config).eval()
        theirs = reference_encoder(segment_anything, config)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in ours.state_dict().items():
        norm = name.endswith("weight") and tensor.ndim == 1
        scale = tensor[0].numel() ** -0.5 if tensor.ndim in (2, 4) else 0.2
        scale = 0.3 if "pos" in name else scale
        state[name] = float(norm) + scale * torch.randn(tensor.shape, generator=generator)
    for encoder in (ours, theirs):
        encoder.load_state_dict(state, strict=True, assign=True)
    images = torch.randn(1, 3, 1024, 1024, generator=generator)
    expected = theirs(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(images), expected, atol=1e-4, rtol=0)
