"""Which masks of a click are offered."""

from __future__ import annotations

import torch

from napari_sam.segmentation.distinct import distinct_masks


def bars(*widths: int) -> torch.Tensor:
    """Mask logits of bars that begin at the same edge, one for each width."""
    columns = torch.arange(16)
    return torch.stack([(columns < width).float().expand(16, -1) - 0.5 for width in widths])


def test_the_mask_most_like_the_single_one_is_left_out() -> None:
    logits = torch.stack([bars(8, 2, 9, 16), bars(8, 7, 2, 16), bars(3, 16, 12, 4)])
    assert distinct_masks(logits).tolist() == [[0, 1, 3], [0, 2, 3], [0, 1, 2]]


def test_empty_masks_do_no_harm() -> None:
    assert distinct_masks(bars(0, 0, 0, 0)[None]).tolist() == [[0, 2, 3]]
