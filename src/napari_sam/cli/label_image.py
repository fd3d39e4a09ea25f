"""Candidates in a label image of their plane, and the TIFF file of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tifffile

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidate

__all__ = ["place", "write_labels"]


def place(labels: npt.NDArray[Any], candidate: Candidate, number: int) -> None:
    """Give a candidate's pixels an id where there is none yet.

    Unlike `napari_sam.segmentation.labels.paint` this takes a candidate with nothing to paint:
    whoever asked for a file gets one.

    Parameters
    ----------
    labels : ndarray of int, shape (h, w)
        Label image of the whole plane, changed in place.
    candidate : Candidate
    number : int
        The id.
    """
    y, x = candidate.origin
    height, width = candidate.mask.shape
    box = labels[y : y + height, x : x + width]
    box[candidate.mask & (box == 0)] = number


def write_labels(path: Path, labels: npt.NDArray[Any]) -> None:
    """Write a label image, or a stack of them, as a compressed TIFF."""
    tifffile.imwrite(path, labels, compression="zlib", photometric="minisblack")
