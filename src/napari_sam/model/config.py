"""The numbers that make one SAM differ from another: a frozen config per variant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["VARIANTS", "DecoderConfig", "PromptKind", "SamConfig", "TinyViTConfig", "ViTConfig"]

PromptKind = Literal["point", "box", "mask"]

# Mean and standard deviation of ImageNet's RGB channels on 0..255, as SAM was trained with.
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """A plain vision transformer with windowed and global blocks (SAM paper, appendix A).

    Parameters
    ----------
    image_size : int
        Side of the square input, in model pixels.
    patch_size : int
        Side of one patch, in model pixels; a patch becomes one cell of the embedding.
    width, depth, heads : int
        Channels, number of blocks and attention heads per block.
    global_blocks : tuple of int
        Indices of the blocks that attend over the whole grid.
    window : int
        Side of the attention window of all other blocks, in cells.
    mlp_ratio : float
        Hidden width of a block's MLP relative to `width`.
    out_channels : int
        Channels of the embedding.
    """

    image_size: int = 1024
    patch_size: int = 16
    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window: int = 14
    mlp_ratio: float = 4.0
    out_channels: int = 256

    @property
    def grid_size(self) -> int:
        """Side of the embedding, in cells."""
        return self.image_size // self.patch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyViTConfig:
    """A convolutional stage and three windowed-attention stages (TinyViT, Wu et al. 2022).

    Parameters
    ----------
    image_size : int
        Side of the square input, in model pixels.
    patch_kernel, patch_strides : int and (int, int)
        Kernel size and strides of the two convolutions that open the network: 3 and (2, 2) in
        MobileSAM, 1 and (1, 1) in LiteMedSAM.
    dims, depths, heads, windows : 4 int each
        Channels, blocks, attention heads and window side (in pixels of that stage) per stage. The
        first stage is convolutional and uses neither heads nor window.
    merge_strides : (int, int, int)
        Strides with which stages 0, 1 and 2 hand over to the next one.
    mlp_ratio, mbconv_expand : float
        Hidden width of the MLPs and of the first stage's convolutions relative to `dims`.
    out_channels : int
        Channels of the embedding.
    """

    image_size: int = 1024
    patch_kernel: int = 3
    patch_strides: tuple[int, int] = (2, 2)
    dims: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    heads: tuple[int, int, int, int] = (2, 4, 5, 10)
    windows: tuple[int, int, int, int] = (7, 7, 14, 7)
    # Of the classifier's three halvings SAM keeps two, for an embedding of 64 x 64 cells.
    merge_strides: tuple[int, int, int] = (2, 2, 1)
    mlp_ratio: float = 4.0
    mbconv_expand: float = 4.0
    out_channels: int = 256

    @property
    def grid_size(self) -> int:
        """Side of the embedding, in cells."""
        size = self.image_size
        for stride in (*self.patch_strides, *self.merge_strides):
            size //= stride
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Prompt encoder, two-way transformer and mask head (SAM paper, appendix A).

    Parameters
    ----------
    depth, heads, mlp_width : int
        Blocks, attention heads and hidden MLP width of the two-way transformer.
    attention_downsample : int
        Cross-attention works in channels // attention_downsample channels.
    multimasks : int
        Masks answered to an ambiguous prompt, besides the single-mask token.
    iou_head_depth, iou_head_width : int
        Layers and hidden width of the MLP that predicts the IoU of each mask.
    mask_prompt_channels : int
        Channels between the convolutions that embed a mask prompt.
    """

    depth: int = 2
    heads: int = 8
    mlp_width: int = 2048
    attention_downsample: int = 2
    multimasks: int = 3
    iou_head_depth: int = 3
    iou_head_width: int = 256
    mask_prompt_channels: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SamConfig:
    """A whole Segment Anything model.

    Parameters
    ----------
    variant : str
        Name of the architecture, the key in `VARIANTS`.
    encoder : ViTConfig or TinyViTConfig
        The image encoder.
    decoder : DecoderConfig
        Prompt encoder and mask decoder.
    pixel_mean, pixel_std : (float, float, float)
        Subtracted from, and divided into, the RGB channels on 0..255.
    prompts : frozenset of {"point", "box", "mask"}
        Kinds of prompt that the weights of this variant were trained for.
    """

    variant: str
    encoder: ViTConfig | TinyViTConfig
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    pixel_mean: tuple[float, float, float] = _IMAGENET_MEAN
    pixel_std: tuple[float, float, float] = _IMAGENET_STD
    prompts: frozenset[PromptKind] = frozenset({"point", "box", "mask"})

    @property
    def image_size(self) -> int:
        """Side of the square that is encoded, in model pixels."""
        return self.encoder.image_size

    @property
    def grid_size(self) -> int:
        """Side of the embedding, in cells."""
        return self.encoder.grid_size

    @property
    def cell(self) -> int:
        """Side of one cell, in model pixels."""
        return self.image_size // self.grid_size

    @property
    def mask_size(self) -> int:
        """Side of mask logits and mask prompts: the decoder upscales the grid four times."""
        return 4 * self.grid_size

    @property
    def channels(self) -> int:
        """Channels of the embedding and of every token."""
        return self.encoder.out_channels


_TINY_DECODER = DecoderConfig(heads=4, mlp_width=64, iou_head_width=32, mask_prompt_channels=8)

_ALL = (
    SamConfig(
        variant="vit_b",
        encoder=ViTConfig(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)),
    ),
    SamConfig(
        variant="vit_l",
        encoder=ViTConfig(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)),
    ),
    SamConfig(
        variant="vit_h",
        encoder=ViTConfig(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)),
    ),
    SamConfig(variant="tiny_vit", encoder=TinyViTConfig()),  # TinyViT-5M, as in MobileSAM
    SamConfig(
        variant="lite_medsam",
        encoder=TinyViTConfig(image_size=256, patch_kernel=1, patch_strides=(1, 1)),
        pixel_mean=(0.0, 0.0, 0.0),
        pixel_std=(255.0, 255.0, 255.0),
        prompts=frozenset({"box"}),
    ),
    # The two smallest are for tests: never trained, every code path of the big ones (a window that
    # does not divide the grid, global blocks).
    SamConfig(
        variant="tiny",
        encoder=ViTConfig(
            image_size=128,
            width=32,
            depth=2,
            heads=2,
            global_blocks=(1,),
            window=3,
            out_channels=32,
        ),
        decoder=_TINY_DECODER,
    ),
    SamConfig(
        variant="tiny_tiny_vit",
        encoder=TinyViTConfig(
            image_size=128,
            dims=(8, 16, 24, 32),
            depths=(1, 1, 2, 1),
            heads=(1, 2, 3, 4),
            windows=(3, 3, 4, 3),
            out_channels=32,
        ),
        decoder=_TINY_DECODER,
    ),
)

VARIANTS: dict[str, SamConfig] = {config.variant: config for config in _ALL}
"""Every architecture by name; "tiny" and "tiny_tiny_vit" are random models for tests."""
