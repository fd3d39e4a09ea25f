"""The decoder's end, from cells to mask logits four times as fine, as products of rows.

A transposed convolution whose kernel is as large as its stride is a matrix product. So the rows of
channels stay in the order of the cells, forwards and backwards, and only the finished masks are put
in the order of the image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.model.layers import LayerNorm2d

__all__ = ["RowUpscaling", "Upscaling", "draw_masks"]


class Upscaling(nn.Sequential):
    """Two transposed convolutions, each two pixels from one (SAM paper, appendix A).

    It holds the weights by the names of the published checkpoints; `RowUpscaling` computes.

    Parameters
    ----------
    channels : int
        Of the cells, C; the finest pixels have C / 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(channels, channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )


class RowUpscaling:
    """The same function on rows: four pixels from one at a time.

    Gradients reach the weights that were given.

    Parameters
    ----------
    upscaling : Upscaling
        Its weights are read once.
    dtype : torch.dtype, optional
        To compute in; that of the weights when not given.
    """

    def __init__(self, upscaling: Upscaling, dtype: torch.dtype | None = None) -> None:
        first, norm, _, second, _ = upscaling
        if not isinstance(norm, LayerNorm2d):
            raise TypeError(f"expected a norm over channels, found {norm}")
        dtype = dtype or norm.weight.dtype
        self._first, self._second = _as_linear(first, dtype), _as_linear(second, dtype)
        self._weight, self._bias, self._eps = norm.weight.to(dtype), norm.bias.to(dtype), norm.eps

    def __call__(self, cells: Tensor) -> Tensor:
        """Upscale cells (P, N, C) to (P, 16 * N, C / 8), the pixels of one cell together."""
        count = len(cells)
        x = F.linear(cells, *self._first)
        x = x.view(count, -1, x.shape[-1] // 4)  # (P, 4 * N, C / 4)
        # In mixed precision a norm gives float32, which would double what the rest has to read.
        x = F.gelu(F.layer_norm(x, x.shape[-1:], self._weight, self._bias, self._eps).to(x))
        x = F.gelu(F.linear(x, *self._second))
        return x.view(count, -1, x.shape[-1] // 4)


def draw_masks(fine: Tensor, filters: Tensor, rows: int, columns: int) -> Tensor:
    """Give the pixels of P prompts their n mask logits, float32.

    Parameters
    ----------
    fine : Tensor
        From `RowUpscaling`, (P, 16 * rows * columns, C / 8).
    filters : Tensor
        One for each mask, (P, n, C / 8).
    rows, columns : int
        Of cells.

    Returns
    -------
    Tensor
        (P, n, 4 * rows, 4 * columns).
    """
    count, n, _ = filters.shape
    x = (fine @ filters.to(fine).mT).float()
    x = x.view(count, rows, columns, 2, 2, 2, 2, n)  # cell y x, then y x twice as fine, twice
    return x.permute(0, 7, 1, 3, 5, 2, 4, 6).reshape(count, n, 4 * rows, 4 * columns)


def _as_linear(convolution: nn.Module, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Turn a transposed convolution, kernel and stride 2, into a linear map to its four pixels."""
    if not isinstance(convolution, nn.ConvTranspose2d) or convolution.bias is None:
        raise TypeError(f"expected a transposed convolution with bias, found {convolution}")
    weight = convolution.weight.permute(2, 3, 1, 0)  # (2, 2, outputs, inputs)
    return weight.flatten(0, 2).contiguous().to(dtype), convolution.bias.repeat(4).to(dtype)
