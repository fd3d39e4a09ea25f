"""Which masks of a click are offered: the single one, and those readings that are least like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["distinct_masks"]


def distinct_masks(logits: Tensor) -> Tensor:
    """Leave out the one of the other masks that says the same as the single mask.

    Parameters
    ----------
    logits : Tensor
        All masks of P clicks, the single one first, (P, n, M, M); above 0 is object.

    Returns
    -------
    Tensor
        Which of the n to keep, in their order, int64, (P, n - 1).
    """
    single, others = logits[:, :1] > 0, logits[:, 1:] > 0
    shared = (single & others).sum((-2, -1))
    either = (single | others).sum((-2, -1)).clamp_min(1)
    alike = 1 + (shared / either).argmax(1, keepdim=True)  # (P, 1)
    index = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return index[index != alike].view(len(logits), -1)
