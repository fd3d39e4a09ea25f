"""Which of the masks that were found become objects, and which of two that meet goes first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_sam.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.automatic.found import FoundMasks

Level = Literal["best", "whole", "part"]

__all__ = ["Level", "MergeRules", "priority"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRules:
    """Rules that make objects of masks. Changing them needs the masks only, not the model.

    Parameters
    ----------
    min_score : float
        Predicted IoU that an object has at least (0.88 in the Segment Anything paper).
    min_stability : float
        Stability that it has at least.
    nms_iou : float
        Of two masks with this intersection over union, or more, one stays.
    containment : float
        Of two masks that share this part of the smaller one, or more, one stays: a pixel has one
        label, so a cell and its nucleus are not both objects. 1 keeps all but copies and nested
        masks.
    min_area, max_area : float
        Level-0 pixels.
    whole_only : bool
        Leave out objects that touch the border of the plane, where they may go on.
    level : "best", "whole" or "part"
        Which of nested masks stays: the one with the best score, the largest, or the smallest.

    Raises
    ------
    InputError
        When a number is not in its range.
    """

    min_score: float = 0.7
    min_stability: float = 0.8
    nms_iou: float = 0.7
    containment: float = 0.5
    min_area: float = 0.0
    max_area: float = math.inf
    whole_only: bool = False
    level: Level = "best"

    def __post_init__(self) -> None:
        for name in ("min_score", "min_stability"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}: give a number from 0 to 1")
        for name in ("nms_iou", "containment"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}: give a number above 0, at most 1"
                )
        if not 0 <= self.min_area <= self.max_area:
            raise InputError(
                f"areas from {self.min_area} to {self.max_area} pixels leave no object: give "
                "min_area from 0 to max_area"
            )
        if self.level not in get_args(Level):
            raise InputError(f"level is {self.level!r}: give 'best', 'whole' or 'part'")

    def passing(self, found: FoundMasks, plane_shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Rows that may become objects, whatever lies beside them."""
        wanted = (
            (found.scores >= self.min_score)
            & (found.stability >= self.min_stability)
            & (found.areas >= max(1, self.min_area))
            & (found.areas <= self.max_area)
        )
        if self.whole_only:
            inside = (found.boxes[:, :2] > 0) & (found.boxes[:, 2:] < plane_shape)
            wanted &= inside.all(axis=1)
        return np.asarray(wanted)

    def are_one(
        self,
        shared: npt.NDArray[np.int64],
        first: npt.NDArray[np.int64],
        second: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.bool_]:
        """Whether pairs of masks are too much the same to be two objects.

        More shared pixels never turn a yes into a no.

        Parameters
        ----------
        shared : ndarray of int, shape (n,)
            Pixels that lie in both masks.
        first, second : ndarray of int, shape (n,)
            Areas of the masks, at least 1.
        """
        nested = shared >= self.containment * np.minimum(first, second)
        return np.asarray(nested | (shared >= self.nms_iou * (first + second - shared)))


def priority(found: FoundMasks, level: Level) -> npt.NDArray[np.intp]:
    """Rows in the order in which they are decided, the first being kept for certain.

    Best predicted IoU first, then stability, then the finer sampling, tile, prompt and token: what
    says where a mask was found is different for any two masks, so no order of execution is left to
    decide. With the level "whole" or "part" masks of twice the area, or half of it, go before the
    score.
    """
    keys: list[npt.NDArray[Any]] = [
        found.tokens,
        found.prompts,
        found.tiles[:, 1],
        found.tiles[:, 0],
        found.samplings,
        -found.stability,
        -found.scores,
    ]
    if level != "best":
        octave = np.floor(np.log2(np.maximum(found.areas, 1)))
        keys.append(-octave if level == "whole" else octave)
    return np.lexsort(keys)  # the last key is the first to compare
