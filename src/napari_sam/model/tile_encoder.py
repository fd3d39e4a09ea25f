"""The image encoder as inference runs it: the same function, arranged for speed.

Batch norms are folded into the convolutions before them, images keep their channels together in
memory, and the arithmetic runs in the precision that the device is best at.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

__all__ = ["TileEncoder"]

BATCH = {"cpu": 1, "mps": 1, "cuda": 8}
"""Tiles encoded at once on each kind of device.

A CPU gains nothing from more. On a GPU 8 of ViT-H take about 12 GB.
"""


class TileEncoder:
    """Encodes tiles with the weights that a model has now.

    Parameters
    ----------
    sam : Sam
        Its image encoder is read once: make a new one after training it.
    dtype : torch.dtype
        To compute in.

    Attributes
    ----------
    batch : int
        Images to give at once; whoever runs out of memory makes it smaller.
    """

    def __init__(self, sam: Sam, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self.batch = BATCH.get(sam.device.type, 1)
        has_norms = any(isinstance(part, nn.BatchNorm2d) for part in sam.image_encoder.modules())
        if dtype == torch.float32 and not has_norms:
            self._encoder: nn.Module = sam.image_encoder  # nothing to change: no second copy
            return
        encoder = deepcopy(sam.image_encoder).requires_grad_(False).eval()
        _fold_norms(encoder)
        # mypy knows no overload of nn.Module.to with a memory format and a type.
        self._encoder = encoder.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Encode preprocessed images (B, 3, S, S) to embeddings (B, C, G, G), float32."""
        images = images.to(dtype=self._dtype, memory_format=torch.channels_last)
        embedding: Tensor = self._encoder(images)
        return embedding.float().contiguous()


def _fold_norms(module: nn.Module) -> None:
    """Replace each convolution and its batch norm, named `c` and `bn`, by one convolution."""
    for name, part in module.named_children():
        convolution, norm = getattr(part, "c", None), getattr(part, "bn", None)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(convolution, norm))
        else:
            _fold_norms(part)
