"""Which objects of a view are asked for, as the share of each mask logit that they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from napari_sam.training.crops import LABELS_PER_LOGIT

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["choose_targets"]

MIN_LOGITS = 4
"""Objects below this area, in mask logits, are asked for only if the view was made for them."""


def choose_targets(labels: Tensor, anchor: int, count: int, rng: np.random.Generator) -> Tensor:
    """Choose objects of a view: the one that it was planned around, and others.

    Where there are too few the same are asked for several times.

    Parameters
    ----------
    labels : Tensor
        Ids, `LABELS_PER_LOGIT` samples for each logit, (L, L).
    anchor : int
        Id of the object that the view was planned around.
    count : int
        P, how many to choose.
    rng : numpy Generator
        All chance comes from it.

    Returns
    -------
    Tensor
        Share of each logit's area that is object, 0..1, (P, M, M), in random order, so that any
        may be asked for by point or by box.
    """
    ids, areas = torch.unique(labels, return_counts=True)
    large = ids[(ids != 0) & (areas >= MIN_LOGITS * LABELS_PER_LOGIT**2)].tolist()
    others = [i for i in large if i != anchor]
    chosen = [anchor, *rng.permutation(others).tolist()]
    chosen = [chosen[i % len(chosen)] for i in range(count)]
    masks = torch.stack([labels == int(i) for i in rng.permutation(chosen)]).float()
    return F.avg_pool2d(masks[None], LABELS_PER_LOGIT)[0]
