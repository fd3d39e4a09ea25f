"""Blocks that more than one part of the network uses."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LayerNorm2d", "MLPBlock", "from_windows", "neck", "to_windows"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every pixel of (B, C, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MLPBlock(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, width: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.act = activation
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        out: Tensor = self.lin2(self.act(self.lin1(x)))
        return out


def neck(width: int, channels: int) -> nn.Sequential:
    """Make the layers that bring an encoder's `width` down to the embedding's `channels`."""
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_size=1, bias=False),
        LayerNorm2d(channels),
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(channels),
    )


def to_windows(x: Tensor, side: int) -> Tensor:
    """Cut (B, H, W, C) into windows (B * n, side, side, C), zero-padded right and bottom."""
    batch, height, width, channels = x.shape
    rows, columns = _count(height, side), _count(width, side)
    x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
    x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3)
    return x.reshape(-1, side, side, channels)


def from_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Put the windows of `to_windows` back together to (B, height, width, C)."""
    _, side, _, channels = windows.shape
    rows, columns = _count(height, side), _count(width, side)
    x = windows.view(-1, rows, columns, side, side, channels).transpose(2, 3)
    x = x.reshape(-1, rows * side, columns * side, channels)
    return x[:, :height, :width]


def _count(length: int, side: int) -> int:
    return -(-length // side)
