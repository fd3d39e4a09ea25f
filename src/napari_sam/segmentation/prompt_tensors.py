"""Prompts in image coordinates to what the model takes: the only way across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.segmentation.candidates import Candidate
from napari_sam.segmentation.mask_grid import from_mask, move
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.tiles import Window


def visible_part(prompt: Prompt, window: Window) -> Prompt:
    """Leave out background points beyond the window: no mask can reach them there."""
    if not len(prompt.points):
        return prompt
    xy = window.to_model(prompt.points)
    inside = ((xy >= 0) & (xy <= window.size)).all(axis=1)
    if inside.all():
        return prompt
    return Prompt(
        prompt.points[inside], prompt.labels[inside], prompt.box, prompt.mask, prompt.plane
    )


def prompt_tensors(prompts: list[Prompt], window: Window, mask_size: int) -> PromptTensors:
    """Prompts of one kind as tensors in the model coordinates of a window.

    Parameters
    ----------
    prompts : list of Prompt
        All with the same number of points, and all or none with a box and with a mask.
    window : Window
    mask_size : int
        Logits along a side of a mask prompt.
    """
    first = prompts[0]
    points = labels = boxes = masks = None
    if len(first.points):
        points = _tensor([window.to_model(prompt.points) for prompt in prompts])
        labels = torch.from_numpy(np.stack([prompt.labels for prompt in prompts]))
    if first.box is not None:
        corners = [window.to_model(np.reshape(prompt.box, (2, 2))) for prompt in prompts]
        boxes = _tensor([xy.ravel() for xy in corners])
    if first.mask is not None:
        masks = _tensor([_mask_logits(prompt.mask, window, mask_size)[None] for prompt in prompts])
    return PromptTensors(points=points, labels=labels, boxes=boxes, masks=masks)


def _mask_logits(mask: Any, window: Window, mask_size: int) -> npt.NDArray[np.float32]:
    if isinstance(mask, Candidate):
        return move(mask.logits, mask.window, window)
    return from_mask(mask.mask, mask.origin, window, mask_size)


def _tensor(arrays: list[npt.NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32))
