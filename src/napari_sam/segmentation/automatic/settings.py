"""What automatic segmentation looks for and what it keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from napari_sam.errors import InputError, InputTypeError

__all__ = ["AutomaticSettings"]

POINTS_PER_SIDE = 32
"""Points along a side of a window where objects are of unknown size (paper, appendix B)."""

POINTS_ACROSS = 3
"""Points across an object of the given diameter, so that one half as wide still holds one."""

FEWEST, MOST = 8, 64
"""Points along a side of a window, whatever the diameter."""

REGION_AREA = 100
"""Islands and holes below this many model pixels are removed (paper, appendix B)."""

_SHARES = ("min_score", "min_stability", "nms_iou", "max_share", "keep_score", "keep_stability")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticSettings:
    """Settings of an automatic run.

    The usual thresholds suit the scores of the model that comes with the package, which say what a
    mask is worth. Those of SAM and MobileSAM are higher: the paper's thresholds are 0.88 and 0.95.

    `min_score`, `min_stability`, `nms_iou` and `min_area` choose among the masks that were found
    and may change later without asking the model again, as long as they are not looser than what
    was kept; the others say what is found.

    Parameters
    ----------
    points_per_side : int, optional
        Grid points along a side of a tile. When not given, three across an object of the
        image's diameter, or 32.
    min_score : float
        Predicted IoU that an object has at least.
    min_stability : float
        Stability that it has at least, see
        `napari_sam.segmentation.candidates.stability_score`.
    nms_iou : float
        Two masks that overlap so much (intersection over union) are one object.
    max_share : float
        Masks of more than this share of what a tile shows of the plane are background.
    min_area : float, optional
        Level-0 pixels that an object has at least. When not given, those of a disc a third as wide
        as the image's diameter: the grid meets what is narrower by chance only, and much of it
        are specks of noise. 0 where no diameter is known.
    region_area : float, optional
        Islands and holes of fewer level-0 pixels are removed from a mask. When not given, 100
        model pixels; 0 leaves masks as they are.
    keep_score, keep_stability : float
        Masks with less are forgotten at once; what lies between these and `min_score` and
        `min_stability` is kept for other thresholds.
    skip : bool
        Do not ask grid points that a confident mask holds already.

    Raises
    ------
    InputError, InputTypeError
        When a number is not in its range.
    """

    points_per_side: int | None = None
    min_score: float = 0.7
    min_stability: float = 0.8
    nms_iou: float = 0.7
    max_share: float = 0.95
    min_area: float | None = None
    region_area: float | None = None
    keep_score: float = 0.5
    keep_stability: float = 0.5
    skip: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "skip" and getattr(self, field.name) is not None:
                self._check_number(field.name)
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}: give a number from 0 to 1")
        for name in ("min_area", "region_area"):
            if (getattr(self, name) or 0) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: give level-0 pixels, 0 or more")
        points = self.points_per_side
        if points is not None and (points < 1 or points != int(points)):
            raise InputError(f"points_per_side is {points}: give a whole number, 1 or more")
        for kept, wanted in (("keep_score", "min_score"), ("keep_stability", "min_stability")):
            if getattr(self, kept) > getattr(self, wanted):
                raise InputError(
                    f"{kept} is {getattr(self, kept)}, more than {wanted} "
                    f"({getattr(self, wanted)}), so wanted masks would be forgotten: lower it"
                )

    def _check_number(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
            raise InputTypeError(f"{name} is {value!r}: give a number")
        if not math.isfinite(float(value)):
            raise InputError(f"{name} is {value}: give a finite number")

    def spacing(self, sampling: float, size: int, diameter: float | None) -> float:
        """Model pixels between grid points.

        Parameters
        ----------
        sampling : float
            Level-0 pixels per model pixel, of the finest tiles of the run.
        size : int
            Model pixels along a side of a tile.
        diameter : float, optional
            Usual diameter of the objects in level-0 pixels.
        """
        if self.points_per_side is not None:
            return size / self.points_per_side
        if diameter is None:
            return size / POINTS_PER_SIDE
        return min(max(diameter / sampling / POINTS_ACROSS, size / MOST), size / FEWEST)

    def least_area(self, diameter: float | None) -> float:
        """Level-0 pixels that an object has at least, the usual diameter being known or not."""
        if self.min_area is not None:
            return self.min_area
        return math.pi / 4 * ((diameter or 0.0) / POINTS_ACROSS) ** 2

    def least_region(self, sampling: float) -> float:
        """Level-0 pixels below which islands and holes are removed at a sampling."""
        return REGION_AREA * sampling**2 if self.region_area is None else self.region_area
