"""What automatic segmentation finds in a tile: many masks, each in its own box."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["FoundMasks"]


@dataclass(frozen=True, slots=True, eq=False)
class FoundMasks:
    """Masks of one plane, one row each, in level-0 pixels.

    Attributes
    ----------
    boxes : ndarray of int64, shape (n, 4)
        ``(y0, x0, y1, x1)``, half-open whole pixels inside the plane.
    rles : ndarray of object, shape (n,)
        Each mask inside its box as compressed COCO run lengths (bytes).
    scores : ndarray of float32, shape (n,)
        Predicted IoU.
    stability : ndarray of float32, shape (n,)
        Stability, see `napari_sam.segmentation.candidates.stability_score`.
    areas : ndarray of int64, shape (n,)
        Pixels.
    points : ndarray of float64, shape (n, 2)
        The grid point ``(y, x)`` that was asked, or the middle of the box that was.
    prompts : ndarray of int64, shape (n,)
        Number of the prompt in its tile: whole, part and subpart of one prompt share it.
    tokens : ndarray of uint8, shape (n,)
        Which of the decoder's masks it is, 0 to 3.
    samplings : ndarray of float64, shape (n,)
        Level-0 pixels per model pixel.
    tiles : ndarray of int64, shape (n, 2)
        Row and column of the tile at that sampling.
    """

    boxes: npt.NDArray[np.int64]
    rles: npt.NDArray[np.object_]
    scores: npt.NDArray[np.float32]
    stability: npt.NDArray[np.float32]
    areas: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    prompts: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.uint8]
    samplings: npt.NDArray[np.float64]
    tiles: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Self:
        """Nothing found."""
        return cls(
            boxes=np.empty((0, 4), np.int64),
            rles=np.empty(0, np.object_),
            scores=np.empty(0, np.float32),
            stability=np.empty(0, np.float32),
            areas=np.empty(0, np.int64),
            points=np.empty((0, 2), np.float64),
            prompts=np.empty(0, np.int64),
            tokens=np.empty(0, np.uint8),
            samplings=np.empty(0, np.float64),
            tiles=np.empty((0, 2), np.int64),
        )

    @classmethod
    def together(cls, parts: Sequence[FoundMasks]) -> Self:
        """All rows of several, in their order."""
        parts = [*parts, cls.empty()]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> FoundMasks:
        """Rows by index or by a mask."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})
