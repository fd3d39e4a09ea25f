"""The simulated user: where it clicks, how it draws boxes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam.training.simulated_user import corrective_points, noisy_boxes, points_inside


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc(row: float, column: float, radius: float, side: int = 64) -> Tensor:
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return ((y - row) ** 2 + (x - column) ** 2 < radius**2).float()


def at(masks: Tensor, points: Tensor) -> Tensor:
    """Look up the pixel (x, y) of each mask."""
    x, y = points.long().unbind(1)
    return masks[torch.arange(len(masks)), y, x]


def test_first_points_lie_inside_the_object_and_often_in_its_middle() -> None:
    targets = disc(30, 20, 16).repeat(1000, 1, 1)
    points = points_inside(targets, chance())
    assert (at(targets, points) == 1).all()
    assert len(points.unique(dim=0)) > 900
    central = torch.hypot(points[:, 0] - 20.5, points[:, 1] - 30.5) < 8
    # One quarter of the area: with equal chance everywhere it would be one quarter of the points.
    assert 0.4 < central.float().mean() < 0.65


def test_an_object_thinner_than_any_pixel_is_clicked_on_its_best_pixel() -> None:
    targets = torch.zeros(20, 16, 16)
    targets[:, 3, 2:9] = 0.2
    targets[:, 3, 5] = 0.4
    x, y = points_inside(targets, chance()).unbind(1)
    assert ((x >= 5) & (x < 6)).all()
    assert ((y >= 3) & (y < 4)).all()


def test_a_steady_hand_draws_the_box_of_the_object() -> None:
    targets = torch.zeros(1, 64, 64)
    targets[0, 10:20, 30:33] = 1
    targets[0, 15, 33] = 0.4  # less than half a pixel
    assert noisy_boxes(targets, 0.0, chance()).tolist() == [[30, 10, 33, 20]]


def test_boxes_are_off_by_a_tenth_of_the_side_and_within_bounds() -> None:
    targets = torch.zeros(2000, 64, 64)
    targets[:, 10:50, 20:40] = 1
    off = noisy_boxes(targets, 5.0, chance()) - torch.tensor([20, 10, 40, 50])
    assert off.abs().max() <= 5
    sides = torch.tensor([20, 40, 20, 40])
    spread = off.std(0) / sides
    assert (spread[[0, 2]] > 0.09).all()
    assert (spread[[0, 2]] < 0.11).all()
    assert (off.abs() == 5).any(0)[[1, 3]].all()  # 4 pixels of noise are cut at 5
    small = torch.zeros(2000, 64, 64)
    small[:, 0:2, 0:2] = 1
    boxes = noisy_boxes(small, 5.0, chance())
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("found_at", [24.0, 36.0])
def test_corrections_lie_in_the_error_and_say_what_it_is(found_at: float) -> None:
    targets = disc(30, 30, 10).repeat(400, 1, 1)
    logits = disc(30, found_at, 10).repeat(400, 1, 1) - 0.5
    points, labels = corrective_points(logits, targets, chance())
    found, true = at(logits, points) > 0, at(targets, points) > 0.5
    assert (found != true).all()
    assert (labels == true.long()).all()
    assert 0.4 < labels.float().mean() < 0.6  # as much is missing as there is too much


def test_missed_objects_get_object_points_and_wrong_masks_background_points() -> None:
    targets = disc(30, 30, 10)[None]
    nothing, everything = torch.full_like(targets, -1), torch.full_like(targets, 1)
    for seed in range(20):
        assert corrective_points(nothing, targets, chance(seed))[1] == 1
        points, labels = corrective_points(everything, targets, chance(seed))
        assert labels == 0
        assert at(targets, points) == 0


def test_a_perfect_mask_is_confirmed_with_a_point_inside() -> None:
    targets = disc(30, 30, 10).repeat(50, 1, 1)
    points, labels = corrective_points(targets - 0.5, targets, chance())
    assert (labels == 1).all()
    assert (at(targets, points) == 1).all()


def test_the_same_generator_gives_the_same_prompts() -> None:
    targets = disc(30, 30, 10).repeat(3, 1, 1)
    for ask in (points_inside, lambda t, g: noisy_boxes(t, 5.0, g)):
        assert torch.equal(ask(targets, chance(1)), ask(targets, chance(1)))
        assert not torch.equal(ask(targets, chance(1)), ask(targets, chance(2)))
