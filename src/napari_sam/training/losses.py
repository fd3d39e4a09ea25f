"""What training minimises: mask losses and the error of the predicted IoU."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Losses", "mask_iou", "mask_loss", "prompt_losses"]

FOCAL_WEIGHT, DICE_WEIGHT = 20.0, 1.0
"""SAM paper, appendix A: focal and dice loss in the ratio 20 : 1."""

FOCAL_GAMMA, FOCAL_ALPHA = 2.0, 0.25
"""Lin et al. 2017, the values that the paper's focal loss refers to."""


class Losses(NamedTuple):
    """Of one round of prompts.

    Parameters
    ----------
    mask : Tensor
        Mean over prompts of the best mask's loss, a scalar.
    score : Tensor
        Mean squared error of the predicted IoU over all masks, a scalar.
    iou : Tensor
        IoU of every mask with its target, (P, n), without gradient.
    """

    mask: Tensor
    score: Tensor
    iou: Tensor


def prompt_losses(
    logits: Tensor, scores: Tensor, targets: Tensor, *, single_too: bool = False
) -> Losses:
    """Compare the answers to P prompts with their targets.

    Where a prompt has several masks only the best is trained, so that the masks may stand for
    different readings of an ambiguous prompt (SAM paper, section 3). All scores are trained: each
    should say how well its mask fits.

    Parameters
    ----------
    logits : Tensor
        (P, n, M, M).
    scores : Tensor
        Predicted IoU, (P, n).
    targets : Tensor
        Share of each logit's area that is object, (P, M, M), 0..1.
    single_too : bool
        The first of the masks is the single one: it is trained as well, half of the loss.
    """
    losses = mask_loss(logits, targets[:, None])  # (P, n)
    iou = mask_iou(logits.detach(), targets[:, None])
    # The single mask has no others to which it could leave a reading.
    best = (losses[:, 0] + losses[:, 1:].amin(1)) / 2 if single_too else losses.amin(1)
    return Losses(best.mean(), F.mse_loss(scores, iou), iou)


def mask_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Focal plus dice loss of masks (..., M, M) against shares 0..1 that broadcast to them."""
    targets = targets.expand_as(logits)
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    miss = (probability - targets).abs()
    alpha = FOCAL_ALPHA * targets + (1 - FOCAL_ALPHA) * (1 - targets)
    focal = (alpha * miss**FOCAL_GAMMA * entropy).mean((-2, -1))
    overlap = (probability * targets).sum((-2, -1))
    dice = 1 - (2 * overlap + 1) / (probability.sum((-2, -1)) + targets.sum((-2, -1)) + 1)
    return FOCAL_WEIGHT * focal + DICE_WEIGHT * dice


def mask_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """IoU of masks (..., M, M), above 0, with targets, above one half, that broadcast to them."""
    found, true = logits > 0, (targets > 0.5).expand_as(logits)
    union = (found | true).sum((-2, -1))
    return (found & true).sum((-2, -1)) / union.clamp_min(1).to(torch.float32)
