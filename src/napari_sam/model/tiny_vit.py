"""The image encoder of MobileSAM and LiteMedSAM: TinyViT, convolutions then windowed attention."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.model.layers import from_windows, neck, to_windows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam.model.config import TinyViTConfig

__all__ = ["CLASSIFIER_KEYS", "TinyViTEncoder"]

CLASSIFIER_KEYS = frozenset(
    {
        "image_encoder.norm_head.weight",
        "image_encoder.norm_head.bias",
        "image_encoder.head.weight",
        "image_encoder.head.bias",
    }
)
"""Left in the published checkpoints by TinyViT's life as a classifier; SAM has no use for them."""


class TinyViTEncoder(nn.Module):
    """Images to embeddings in four stages (TinyViT, Wu et al. 2022; MobileSAM, Zhang et al. 2023).

    Parameters
    ----------
    config : TinyViTConfig
        Sizes; the input must be exactly `config.image_size` wide and high.
    """

    def __init__(self, config: TinyViTConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config)
        self.layers = nn.ModuleList(
            Stage(
                blocks=[_block(config, stage) for _ in range(config.depths[stage])],
                downsample=_downsample(config, stage),
            )
            for stage in range(len(config.dims))
        )
        self.neck = neck(config.dims[-1], config.out_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Encode normalised images (B, 3, S, S) to (B, C, G, G)."""
        x = self.patch_embed(images)  # (B, dims[0], S / 4, S / 4) in MobileSAM
        for stage in self.layers:
            x = stage(x)
        embedding: Tensor = self.neck(x)  # (B, C, G, G)
        return embedding

    def last_stages(self) -> list[nn.Module]:
        """List what works at the resolution of the embedding: the end worth training alone."""
        return [*self.layers[2:], self.neck]


def _block(config: TinyViTConfig, stage: int) -> nn.Module:
    if stage == 0:
        return MBConv(config.dims[0], int(config.dims[0] * config.mbconv_expand))
    return TinyViTBlock(
        config.dims[stage], config.heads[stage], config.windows[stage], config.mlp_ratio
    )


def _downsample(config: TinyViTConfig, stage: int) -> nn.Module:
    if stage == len(config.dims) - 1:
        return nn.Identity()
    return PatchMerging(config.dims[stage], config.dims[stage + 1], config.merge_strides[stage])


def conv_bn(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make a convolution without bias, `c`, followed by a batch norm, `bn`."""
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(OrderedDict(c=convolution, bn=nn.BatchNorm2d(outputs)))


class PatchEmbed(nn.Module):
    """Two convolutions that open the network."""

    def __init__(self, config: TinyViTConfig) -> None:
        super().__init__()
        width, kernel = config.dims[0], config.patch_kernel
        first, second = config.patch_strides
        self.seq = nn.Sequential(
            conv_bn(3, width // 2, kernel, first),
            nn.GELU(),
            conv_bn(width // 2, width, kernel, second),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, dims[0], H, W)."""
        x: Tensor = self.seq(images)
        return x


class Stage(nn.Module):
    """Blocks at one resolution, then the step to the next one."""

    def __init__(self, blocks: Iterable[nn.Module], downsample: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.downsample(x)
        return out


class MBConv(nn.Module):
    """An inverted bottleneck: widen, filter each channel, narrow, add (MobileNetV2)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = conv_bn(width, hidden)
        self.conv2 = conv_bn(hidden, hidden, kernel=3, groups=hidden)
        self.conv3 = conv_bn(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        y = F.gelu(self.conv1(x))
        y = F.gelu(self.conv2(y))
        return F.gelu(x + self.conv3(y))


class PatchMerging(nn.Module):
    """Change of width, and of resolution by a strided convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv_bn(inputs, outputs)
        self.conv2 = conv_bn(outputs, outputs, kernel=3, stride=stride, groups=outputs)
        self.conv3 = conv_bn(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        x = F.gelu(self.conv1(x))
        x = F.gelu(self.conv2(x))
        out: Tensor = self.conv3(x)
        return out


class TinyViTBlock(nn.Module):
    """Windowed attention, a convolution across the window borders, and an MLP."""

    def __init__(self, width: int, heads: int, window: int, mlp_ratio: float) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(width, heads, window)
        self.local_conv = conv_bn(width, width, kernel=3, groups=width)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        x = x.permute(0, 2, 3, 1)  # (B, H, W, C)
        # Unlike in the ViT, padding comes before the norm: a padded token is the norm's bias.
        windows = to_windows(x, self.window)  # (B * n, window, window, C)
        x = x + from_windows(self.attn(windows), x.shape[1], x.shape[2])
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x + self.mlp(x)
        return x.permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Multi-head self-attention over a square window with one learned bias per offset."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, side * side))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, side, side, C) to the same shape."""
        batch, side, _, width = x.shape
        qkv = self.qkv(self.norm(x))  # (B, side, side, 3 * C)
        qkv = qkv.reshape(batch, side * side, self.heads, 3, width // self.heads)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)  # (B, heads, N, d) each, N = side * side
        bias = self.attention_biases[:, offset_index(side, x.device)]  # (heads, N, N)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])  # (B, heads, N, d)
        out: Tensor = self.proj(x.transpose(1, 2).reshape(batch, side, side, width))
        return out


def offset_index(side: int, device: torch.device) -> Tensor:
    """Tell which of the side * side biases belongs to each (query, key), an (N, N) index.

    Biases are ordered by the absolute offset between query and key, row by row. The index is made
    when needed rather than kept in a buffer, so that the state is the checkpoint's and no more.
    """
    position = torch.arange(side, device=device)
    offset = (position[:, None] - position[None, :]).abs()  # (query, key) along one axis
    index = offset[:, None, :, None] * side + offset[None, :, None, :]
    return index.reshape(side * side, side * side)


class Mlp(nn.Module):
    """Normalisation and two linear layers."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return out
