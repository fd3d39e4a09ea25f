"""The objects of a label image, and where a careful user would click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from napari_sam.errors import InputError

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

__all__ = ["Deepest", "TrueObject", "deepest_point", "true_objects"]


class Deepest(NamedTuple):
    """The pixel farthest from the edge of a region, and how far that is in pixels."""

    point: tuple[int, int]
    depth: float


@dataclass(frozen=True, slots=True, eq=False)
class TrueObject:
    """An object that somebody outlined.

    Attributes
    ----------
    id : int
        Its value in the label image.
    origin : tuple of int
        ``(y, x)`` of the first pixel of `mask` in the plane.
    mask : ndarray of bool, shape (h, w)
        Cropped to the object.
    """

    id: int
    origin: tuple[int, int]
    mask: npt.NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Pixels in it."""
        return int(np.count_nonzero(self.mask))

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Whole pixels ``(y0, x0, y1, x1)`` that hold it, half-open."""
        (y, x), (height, width) = self.origin, self.mask.shape
        return y, x, y + height, x + width

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Tight box in continuous coordinates, as a prompt takes it."""
        y0, x0, y1, x1 = self.bounds
        return y0 - 0.5, x0 - 0.5, y1 - 0.5, x1 - 0.5

    @property
    def click(self) -> tuple[int, int]:
        """Pixel ``(y, x)`` of the plane that lies deepest in it."""
        (y, x), _ = deepest_point(self.mask)
        return self.origin[0] + y, self.origin[1] + x


def deepest_point(region: npt.NDArray[np.bool_]) -> Deepest:
    """Find the pixel of a region that is farthest from all pixels outside.

    The border of the array counts as outside. Of several the first one, row by row; depth 0 for a
    region without pixels.
    """
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return Deepest((0, 0), 0.0)
    cropped = region[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    depths = distance_transform_edt(np.pad(cropped, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(np.argmax(depths), depths.shape)
    return Deepest((int(rows[0] + y), int(columns[0] + x)), float(depths[y, x]))


def true_objects(
    labels: npt.NDArray[Any], min_area: int, at_most: int | None = None
) -> list[TrueObject]:
    """Take the objects out of a label image, in the order of their ids.

    Parameters
    ----------
    labels : ndarray of int, shape (h, w)
        0 is background.
    min_area : int
        Smaller objects, in pixels, are left out.
    at_most : int, optional
        Where there are more, take so many, spread evenly over the ids (which often follow the
        rows of the image).

    Raises
    ------
    InputError
        When the labels are not one whole number per pixel of a plane.
    """
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        raise InputError(
            f"labels of type {labels.dtype} and shape {labels.shape} cannot be used: expected one "
            "whole number per pixel of a plane (h, w), 0 for background"
        )
    is_object = labels != 0
    ids = np.unique(labels[is_object])
    numbers = np.zeros(labels.shape, dtype=np.int32)  # ids may be anything, numbers are dense
    numbers[is_object] = np.searchsorted(ids, labels[is_object]) + 1
    areas = np.bincount(numbers.ravel(), minlength=len(ids) + 1)[1:]
    large = np.flatnonzero(areas >= min_area)
    if at_most is not None and len(large) > at_most:
        large = large[((np.arange(at_most) + 0.5) * len(large) / at_most).astype(int)]
    boxes = find_objects(numbers)
    return [
        TrueObject(
            id=int(ids[index]),
            origin=(boxes[index][0].start, boxes[index][1].start),
            mask=numbers[boxes[index]] == index + 1,
        )
        for index in large.tolist()
    ]
