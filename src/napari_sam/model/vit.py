"""The image encoder of SAM: a plain ViT with windowed and global attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_sam.model.layers import MLPBlock, from_windows, neck, to_windows
from napari_sam.model.relative_attention import attend

if TYPE_CHECKING:
    from napari_sam.model.config import ViTConfig

__all__ = ["ViTEncoder"]


class ViTEncoder(nn.Module):
    """Images to embeddings, one position per patch (SAM paper, appendix A; ViTDet, Li et al. 2022).

    Parameters
    ----------
    config : ViTConfig
        Sizes; the input must be exactly `config.image_size` wide and high.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        grid = config.grid_size
        self.patch_embed = PatchEmbed(config.patch_size, config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, config.width))
        self.blocks = nn.ModuleList(
            # Global attention is attention in one window that covers the grid.
            Block(config, window=grid if index in config.global_blocks else config.window)
            for index in range(config.depth)
        )
        self.neck = neck(config.width, config.out_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Encode normalised images (B, 3, S, S) to (B, C, G, G)."""
        x = self.patch_embed(images) + self.pos_embed  # (B, G, G, width)
        for block in self.blocks:
            x = block(x)
        embedding: Tensor = self.neck(x.permute(0, 3, 1, 2))  # (B, C, G, G)
        return embedding

    def last_stages(self) -> list[nn.Module]:
        """List the last quarter of the blocks and the neck: the end worth training alone."""
        return [*self.blocks[3 * len(self.blocks) // 4 :], self.neck]


class PatchEmbed(nn.Module):
    """One linear projection per patch."""

    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, S, S) to (B, G, G, width)."""
        x: Tensor = self.proj(images)
        return x.permute(0, 2, 3, 1)


class Block(nn.Module):
    """A transformer block whose attention stays inside square windows."""

    def __init__(self, config: ViTConfig, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads, window)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = MLPBlock(config.width, int(config.width * config.mlp_ratio), nn.GELU())

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, G, G, width) to the same shape."""
        # The zeros of the padding come after the norm and are attended to like any other token.
        windows = to_windows(self.norm1(x), self.window)  # (B * n, window, window, width)
        x = x + from_windows(self.attn(windows), x.shape[1], x.shape[2])
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Attention(nn.Module):
    """Multi-head self-attention over a square window with relative positions."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, side, side, width) to the same shape."""
        batch, side, _, width = x.shape
        qkv = self.qkv(x)  # (B, side, side, 3 * width)
        qkv = qkv.reshape(batch, side * side, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, N, d) each, N = side * side
        x = attend(q, k, v, self.rel_pos_h, self.rel_pos_w)  # (B, heads, N, d)
        out: Tensor = self.proj(x.transpose(1, 2).reshape(batch, side, side, width))
        return out
