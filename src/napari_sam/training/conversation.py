"""One object after the other: the simulated user asks, the model answers, the user corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.training.losses import prompt_losses
from napari_sam.training.simulated_user import corrective_points, noisy_boxes, points_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from napari_sam.model.sam import Sam
    from napari_sam.training.losses import Losses

__all__ = ["ROUNDS_WITHOUT_POINT", "converse"]

ROUNDS_WITHOUT_POINT = 2
"""One somewhere, one last: the model only improves its own mask (SAM paper, appendix A)."""

LOGITS_PER_CELL = 4
MAX_BOX_NOISE = 20.0  # model pixels (SAM paper, appendix A)


def converse(
    sam: Sam,
    embedding: Tensor,
    targets: Tensor,
    corner: tuple[int, int],
    *,
    by_box: bool,
    corrections: int,
    followed: int,
    generator: torch.Generator,
) -> Iterator[Losses]:
    """Ask for P objects of one crop and correct the answers, round by round.

    A round's gradients do not reach back into the rounds before it: whoever iterates may call
    ``backward`` after each and keeps the memory of one round only.

    Parameters
    ----------
    sam : Sam
        The model.
    embedding : Tensor
        Of the crop, (1, C, G, G).
    targets : Tensor
        Share of each logit's area that is object, (P, 4 * G, 4 * G).
    corner : (int, int)
        Row and column of the crop's first cell in the tile.
    by_box : bool
        Begin with a box instead of a point.
    corrections : int
        Corrective clicks.
    followed : int
        Of how many objects the first answer is corrected; the others have that round only.
    generator : torch.Generator
        All chance comes from it; on the device of the targets.

    Yields
    ------
    Losses
        Of each round: the first prompt, then `corrections` and two rounds without a new point.
    """
    pitch = sam.config.cell / LOGITS_PER_CELL  # model pixels per logit
    origin = sam.config.cell * torch.tensor([corner[1], corner[0]], device=targets.device)
    count = len(targets)
    points = torch.zeros(count, 0, 2, device=targets.device)
    labels = torch.zeros(count, 0, dtype=torch.long, device=targets.device)
    boxes = None
    if by_box:
        boxes = noisy_boxes(targets, MAX_BOX_NOISE / pitch, generator) * pitch + origin.repeat(2)
    else:
        points = (points_inside(targets, generator) * pitch + origin)[:, None]
        labels = torch.ones(count, 1, dtype=torch.long, device=targets.device)

    rounds = 1 + corrections + ROUNDS_WITHOUT_POINT
    draw = torch.randint(1, rounds - 1, (1,), generator=generator, device=targets.device)
    without_point = {int(draw), rounds - 1}
    previous = None
    for index in range(rounds):
        if previous is not None and index not in without_point:
            more, kinds = corrective_points(previous, targets, generator)
            points = torch.cat([points, (more * pitch + origin)[:, None]], dim=1)
            labels = torch.cat([labels, kinds[:, None]], dim=1)
        prompts = PromptTensors(
            points=points if points.shape[1] else None,
            labels=labels if points.shape[1] else None,
            boxes=boxes,
            masks=None if previous is None else previous[:, None],
        )
        ambiguous = index == 0 and not by_box
        logits, scores = sam.decode_part(
            embedding, prompts, multimask="every" if ambiguous else False, corner=corner
        )
        logits, scores = logits.float(), scores.float()
        yield prompt_losses(logits, scores, targets, single_too=ambiguous)
        best = scores.detach().argmax(1)  # what a user is shown first
        previous = logits.detach()[torch.arange(len(best), device=logits.device), best]
        if index == 0:
            targets, previous = targets[:followed], previous[:followed]
            points, labels = points[:followed], labels[:followed]
            boxes = None if boxes is None else boxes[:followed]
