"""The mask decoder: embedding and prompt tokens to mask logits and predicted IoU."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.model.transformer import TwoWayTransformer
from napari_sam.model.upscaling import RowUpscaling, Upscaling, draw_masks

if TYPE_CHECKING:
    from napari_sam.model.config import DecoderConfig

__all__ = ["MaskDecoder", "Outputs", "wanted_masks"]

Outputs = bool | Literal["every"]
"""Which masks an answer has: three for an ambiguous prompt (tokens 1..3), one (token 0), or all of
them, the single one first."""


def wanted_masks(multimask: Outputs) -> slice:
    """Choose among the mask tokens."""
    if multimask == "every":
        return slice(None)
    return slice(1, None) if multimask else slice(0, 1)


class MaskDecoder(nn.Module):
    """Answers prompts with masks (SAM paper, appendix A and figure 14).

    Parameters
    ----------
    channels : int
        Channels of embedding and tokens.
    config : DecoderConfig
        Depths and widths.
    """

    def __init__(self, channels: int, config: DecoderConfig) -> None:
        super().__init__()
        outputs = 1 + config.multimasks  # token 0 for a single mask, the others for ambiguity
        self.transformer = TwoWayTransformer(channels, config)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(outputs, channels)
        self.output_upscaling = Upscaling(channels)
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(channels, channels, channels // 8, depth=3) for _ in range(outputs)
        )
        self.iou_prediction_head = MLP(
            channels, config.iou_head_width, outputs, config.iou_head_depth
        )

    def forward(
        self,
        embedding: Tensor,
        positions: Tensor,
        sparse: Tensor,
        dense: Tensor,
        multimask: Outputs,
    ) -> tuple[Tensor, Tensor]:
        """Predict the masks of P prompts.

        Parameters
        ----------
        embedding : Tensor
            The image's, shared by all prompts (1, C, G, G), or one for each (P, C, G, G).
        positions : Tensor
            Positional encoding of the cells, (1, C, G, G).
        sparse, dense : Tensor
            The prompt encoder's (P, T, C) and (P, C, G, G).
        multimask : bool or "every"
            Three masks for an ambiguous prompt (tokens 1..3) instead of one (token 0), or all.

        Returns
        -------
        mask_logits : Tensor
            (P, n, 4 * G, 4 * G), n = 3, 1 or 4.
        iou : Tensor
            Predicted IoU of each mask with the object, (P, n).
        """
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])  # (1 + outputs, C)
        tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)
        tokens, cells = self.transformer(embedding + dense, positions, tokens)

        wanted = wanted_masks(multimask)
        filters = self.filters(tokens[:, 1 : len(own)], wanted)
        fine = RowUpscaling(self.output_upscaling)(cells)  # (P, 16 * N, C / 8)
        mask_logits = draw_masks(fine, filters, *embedding.shape[2:])
        iou = self.iou_prediction_head(tokens[:, 0])[:, wanted]  # (P, n)
        return mask_logits, iou

    def filters(self, mask_tokens: Tensor, wanted: slice) -> Tensor:
        """Turn mask tokens (P, outputs, C) into what draws the wanted masks, (P, n, C / 8)."""
        mlps = list(self.output_hypernetworks_mlps)[wanted]
        tokens = mask_tokens[:, wanted].unbind(1)
        return torch.stack([mlp(token) for mlp, token in zip(mlps, tokens, strict=True)], dim=1)


class MLP(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, depth: int) -> None:
        super().__init__()
        widths = [inputs, *[hidden] * (depth - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        *hidden, last = self.layers
        for layer in hidden:
            x = F.relu(layer(x))
        out: Tensor = last(x)
        return out
