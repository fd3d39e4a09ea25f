"""Islands and holes: small regions that come off a mask before it becomes an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

__all__ = ["without_small_regions"]

NEIGHBOURS = np.ones((3, 3), np.bool_)
"""A pixel's eight neighbours belong to its region, as in the reference."""

JUST_INSIDE = 1e-3
"""Logit of a hole that is filled, where its own says nothing."""


def without_small_regions(logits: npt.NDArray[np.float32], least: float) -> npt.NDArray[np.float32]:
    """Fill small holes of a mask and remove its small islands (paper, appendix B).

    Done on logits, whose signs are turned: the cost does not depend on how large the mask is at
    level 0, and outlines elsewhere stay as they are.

    Parameters
    ----------
    logits : ndarray of float32, shape (h, w)
        Above 0 inside the mask.
    least : float
        Logits that a region has at least in order to stay. The largest part of a mask always
        stays, and a hole is enclosed: what is open to the border of the array is no hole.

    Returns
    -------
    ndarray of float32, shape (h, w)
        The same array where nothing changes.
    """
    holes = _small(logits <= 0, least, keep_border=True)
    if holes.any():
        logits = np.where(holes, np.maximum(-logits, JUST_INSIDE), logits)
    islands = _small(logits > 0, least, keep_border=False)
    if islands.any():
        logits = np.where(islands, -logits, logits)
    return logits


def _small(mask: Mask, least: float, *, keep_border: bool) -> Mask:
    """Pixels of a mask's regions with fewer than ``least``; one of them always stays."""
    regions, count = ndimage.label(mask, NEIGHBOURS)
    sizes = np.bincount(regions.ravel())
    small = sizes < least
    small[0] = False
    if keep_border:
        for border in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
            small[border] = False
    elif count and small[1:].all():
        small[1 + np.argmax(sizes[1:])] = False
    picked: Mask = small[regions]
    return picked
