"""Losses against values computed by hand, and which answers learn from them."""

from __future__ import annotations

import math

import pytest
import torch

from napari_sam.training.losses import mask_iou, mask_loss, prompt_losses


def test_the_loss_of_an_undecided_mask_is_the_one_on_paper() -> None:
    logits, targets = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    # p = 1/2: entropy ln 2, (1 - p)^2 = 1/4, alpha 1/4 on the object and 3/4 beside it.
    focal = (1 / 4 + 3 / 4) * (1 / 4) * math.log(2) / 2
    dice = 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
    assert float(mask_loss(logits, targets)) == pytest.approx(20 * focal + dice)


def test_a_pixel_of_the_object_weighs_a_third_of_one_beside_it() -> None:
    logits, targets = torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    focal = (1 / 4 + 3 * 3 / 4) * (1 / 4) * math.log(2) / 4
    dice = 1 - (2 * 0.5 + 1) / (2 + 1 + 1)
    assert float(mask_loss(logits, targets)) == pytest.approx(20 * focal + dice)


def test_the_loss_of_a_half_covered_pixel_is_the_one_on_paper() -> None:
    logits, targets = torch.full((1, 1), math.log(3)), torch.tensor([[0.5]])  # p = 3/4
    entropy = -(0.5 * math.log(3 / 4) + 0.5 * math.log(1 / 4))
    focal = 0.5 * (1 / 4) ** 2 * entropy
    dice = 1 - (2 * 3 / 8 + 1) / (3 / 4 + 1 / 2 + 1)
    assert float(mask_loss(logits, targets)) == pytest.approx(20 * focal + dice)


def test_right_masks_cost_nothing_and_wrong_ones_much() -> None:
    targets = torch.zeros(8, 8)
    targets[2:5, 2:6] = 1
    sure = 40 * (targets - 0.5)
    assert float(mask_loss(sure, targets)) == pytest.approx(0, abs=1e-4)
    assert float(mask_loss(-sure, targets)) > 50


def test_iou_counts_pixels_on_either_side_of_zero_and_one_half() -> None:
    logits = torch.tensor([[[2.0, 0.1, -3.0, 0.0]], [[-1.0, -1.0, -1.0, -1.0]]])
    targets = torch.tensor([[0.9, 0.5, 0.6, 0.0]])
    assert mask_iou(logits, targets).tolist() == pytest.approx([1 / 3, 0])
    assert float(mask_iou(-torch.ones(2, 2), torch.zeros(2, 2))) == 0


def test_only_the_best_mask_is_trained_but_every_score() -> None:
    targets = torch.zeros(2, 4, 4)
    targets[:, :2] = 1
    sure = 6 * (targets - 0.5)
    logits = torch.stack([-sure, sure, 0 * sure], dim=1)
    logits[1] = logits[1].flip(0)  # the best is another one for the second prompt
    logits[1, 2] = sure[1] * 1.5
    logits.requires_grad_()
    scores = torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.4, 0.5]], requires_grad=True)
    losses = prompt_losses(logits, scores, targets)
    (losses.mask + losses.score).backward()
    assert logits.grad is not None
    assert scores.grad is not None
    touched = logits.grad.abs().amax((-2, -1)) > 0
    assert touched.tolist() == [[False, True, False], [False, False, True]]
    assert (scores.grad != 0).all()
    assert losses.iou.tolist() == [[0, 1, 0], [0, 1, 1]]
    assert not losses.iou.requires_grad


def test_the_score_loss_is_the_squared_error_of_the_iou() -> None:
    targets = torch.zeros(1, 2, 2)
    targets[0, 0] = 1
    logits = torch.stack([targets - 0.5, torch.ones(1, 2, 2)], dim=1)  # IoU 1 and 1/2
    losses = prompt_losses(logits, torch.tensor([[0.8, 0.1]]), targets)
    assert float(losses.score) == pytest.approx((0.2**2 + 0.4**2) / 2)
    best = min(float(mask_loss(logits[0, i], targets[0])) for i in range(2))
    assert float(losses.mask) == pytest.approx(best)
