"""Whether a mask reaches beyond the tile that it was seen in, and where to look instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_sam.images.tiles import TileGrid
from napari_sam.segmentation.mask_grid import valid_logits
from napari_sam.segmentation.sampling import shows, window_for

if TYPE_CHECKING:
    from napari_sam.images.tiles import Window
    from napari_sam.model.config import SamConfig
    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.prompt import Prompt

MOVES = 2
"""Windows centred on an object that are tried at one sampling before it goes up."""

MARGIN = 0.1
"""Predicted IoU that a whole mask may score below one that the tile cuts, and still be the answer.

An ambiguous prompt often offers the background of its object too, with about the same score.
"""


class Sides(NamedTuple):
    """Sides of a window that a mask touches and beyond which the plane goes on."""

    top: bool
    left: bool
    bottom: bool
    right: bool


def cut_sides(candidate: Candidate) -> Sides:
    """Sides at which a window cuts a mask off."""
    window, plane_shape = candidate.window, candidate.candidates.plane_shape
    rows, columns = valid_logits(window, candidate.logits.shape[-1], plane_shape)
    mask = candidate.logits[:rows, :columns] > 0
    goes_on = [
        start + window.size * step < length
        for start, step, length in zip(window.origin, window.sampling, plane_shape, strict=True)
    ]
    return Sides(
        top=window.origin[0] > 0 and bool(mask[0].any()),
        left=window.origin[1] > 0 and bool(mask[:, 0].any()),
        bottom=goes_on[0] and bool(mask[-1].any()),
        right=goes_on[1] and bool(mask[:, -1].any()),
    )


def whole_candidates(candidates: Candidates) -> Candidates | None:
    """Candidates that the window does not cut, where the best of them is good enough to stay.

    Returns
    -------
    Candidates or None
        All of them when none is cut; None when the best one goes on beyond the window.
    """
    whole = [index for index, candidate in enumerate(candidates) if not any(cut_sides(candidate))]
    if len(whole) == len(candidates):
        return candidates
    if whole and candidates.scores[whole[0]] >= candidates.scores[0] - MARGIN:
        return candidates.keep(whole)
    return None


def next_window(
    candidate: Candidate, prompt: Prompt, config: SamConfig, moves: int
) -> Window | None:
    """Where to ask a prompt again whose best mask is cut; None when there is nowhere to go.

    The next window is centred on the mask. When that does not help, the object is larger than a
    tile and the sampling goes up an octave.

    Parameters
    ----------
    candidate : Candidate
        The best one of the window asked last.
    prompt : Prompt
    config : SamConfig
    moves : int
        Windows that were centred on the object at this sampling so far.
    """
    window, plane_shape = candidate.window, candidate.candidates.plane_shape
    sides = cut_sides(candidate)
    if not any(sides):
        return None
    sampling = window.sampling[0]
    opposite = (sides.top and sides.bottom) or (sides.left and sides.right)
    if not opposite and moves < MOVES and candidate.bounds is not None:
        y0, x0, y1, x1 = candidate.bounds
        grid = TileGrid.for_cells(plane_shape, sampling, config.image_size, config.cell)
        centred = grid.window_around(((y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2))
        if centred != window and shows(centred, prompt):
            return centred
    return window_for(prompt, plane_shape, 2 * sampling, config)
