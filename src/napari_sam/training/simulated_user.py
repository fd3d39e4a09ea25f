"""A user who knows the answer: prompts for an object, then corrections (SAM paper, appendix A).

Everything here is in pixels of the mask logits, (x, y) with the centre of pixel i at i + 0.5;
the training loop scales to model pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["corrective_points", "noisy_boxes", "points_inside"]

BOX_NOISE = 0.1
"""Standard deviation of a box corner's error, as a share of the box's side."""

CENTRAL = 0.5
"""Share of first points drawn from the inner half of the object: people click towards the middle.
The paper draws all of them from the whole object."""


def points_inside(targets: Tensor, generator: torch.Generator) -> Tensor:
    """Click once on each object.

    Parameters
    ----------
    targets : Tensor
        (P, M, M), above one half on the object; where nothing is, on its largest share.
    generator : torch.Generator
        All chance comes from it.

    Returns
    -------
    Tensor
        (P, 2), x and y.
    """
    object_ = _not_empty(targets > 0.5, targets)
    depth = _depth(object_)
    inner = 2 * depth >= depth.amax((-2, -1), keepdim=True)
    central = torch.rand(len(targets), generator=generator, device=targets.device) < CENTRAL
    return _draw(torch.where(central[:, None, None], inner, object_), generator)


def noisy_boxes(targets: Tensor, max_noise: float, generator: torch.Generator) -> Tensor:
    """Draw a box around each object, corners off by 10 % of its side and at most `max_noise`.

    Returns
    -------
    Tensor
        (P, 4), x0, y0, x1, y1.
    """
    object_ = _not_empty(targets > 0.5, targets)
    spans = []
    for axis in (1, 2):  # collapse rows for x, columns for y
        hit = object_.any(axis)
        side = hit.shape[1]
        first = hit.int().argmax(1)
        last = side - hit.flip(1).int().argmax(1)
        spans.append((first.float(), last.float(), side))
    (x0, x1, width), (y0, y1, height) = spans
    noise = torch.randn(4, len(targets), generator=generator, device=targets.device) * BOX_NOISE
    sides = torch.stack([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    noise = (noise * sides).clamp(-max_noise, max_noise).clamp(-0.4 * sides, 0.4 * sides)
    corners = torch.stack([x0, y0, x1, y1]) + noise
    limits = torch.tensor([width, height, width, height], device=targets.device)[:, None]
    return corners.clamp_min(0).minimum(limits).T


def corrective_points(
    logits: Tensor, targets: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Click where the mask is wrong: anywhere in the error, which also tells the label.

    Parameters
    ----------
    logits, targets : Tensor
        (P, M, M).
    generator : torch.Generator
        All chance comes from it.

    Returns
    -------
    points : Tensor
        (P, 2), x and y. Where nothing is wrong, a point inside the object.
    labels : Tensor
        (P,): 1 on what was missed, 0 on what is too much.
    """
    object_ = _not_empty(targets > 0.5, targets)
    wrong = (logits > 0) != object_
    wrong = torch.where(wrong.any((-2, -1), keepdim=True), wrong, object_)
    points = _draw(wrong, generator)
    column, row = points.long().clamp_max(targets.shape[-1] - 1).unbind(1)
    labels = object_[torch.arange(len(targets), device=targets.device), row, column]
    return points, labels.long()


def _not_empty(mask: Tensor, targets: Tensor) -> Tensor:
    """Give an object too thin for any pixel to be half its own at least its best pixels."""
    peak = targets == targets.amax((-2, -1), keepdim=True)
    return torch.where(mask.any((-2, -1), keepdim=True), mask, peak)


def _depth(mask: Tensor) -> Tensor:
    """Distance to the outside, counted in 3 x 3 erosions, (P, M, M), capped at 32."""
    depth = mask.float()
    shrunk = depth[:, None]
    for _ in range(31):
        shrunk = -torch.nn.functional.max_pool2d(-shrunk, 3, stride=1, padding=1)
        if not shrunk.any():
            break
        depth = depth + shrunk[:, 0]
    return depth


def _draw(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Draw one continuous position (x, y) from each mask (P, M, M), all of its area alike."""
    width = mask.shape[-1]
    flat = torch.multinomial(mask.flatten(1).float(), 1, generator=generator)[:, 0]
    whole = torch.stack([flat % width, flat // width], dim=1)
    return whole + torch.rand(len(mask), 2, generator=generator, device=mask.device)
