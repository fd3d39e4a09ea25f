"""What a user says about one object: points, a box, a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.candidates import Candidate

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, eq=False, slots=True)
class MaskRegion:
    """A boolean mask at level 0 and where in the plane it lies.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
    origin : tuple of int
        ``(y, x)`` of its first pixel.
    """

    mask: npt.NDArray[np.bool_]
    origin: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Prompt:
    """Points, a box, a mask, or several of them, for one object.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        ``(y, x)``, level-0 pixels, pixel centres at integers.
    labels : array_like of int, shape (n,), optional
        1 where a point lies on the object, 0 where it does not; all 1 when not given.
    box : (y0, x0, y1, x1), optional
        Continuous coordinates: a box tight around pixels 10..19 is 9.5..19.5.
    mask : Candidate, (array, origin) or array, optional
        A previous candidate, whose logits are used, or a boolean array with the ``(y, x)`` of
        its first pixel in the plane (0, 0 when not given).
    plane : sequence of int
        Index for every leading axis of the image.

    Raises
    ------
    InputError, InputTypeError
        When a value cannot be used; the message says which and what was expected.
    """

    points: Any = ()
    labels: Any = None
    box: Any = None
    mask: Any = None
    plane: Any = ()

    def __post_init__(self) -> None:
        points = _points(self.points)
        labels = _labels(self.labels, len(points))
        values = {
            "points": points,
            "labels": labels,
            "box": None if self.box is None else _box(self.box),
            "mask": None if self.mask is None else _mask(self.mask),
            "plane": tuple(int(i) for i in self.plane),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if self.box is None and self.mask is None and not (labels == 1).any():
            found = f"{len(points)} background point(s) only" if len(points) else "nothing"
            raise InputError(
                f"a prompt with {found} says not which object is meant: give a point with label 1, "
                "a box or a mask"
            )

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of prompt in it: "point", "box", "mask"."""
        given = {"point": len(self.points) > 0, "box": self.box is not None}
        given["mask"] = self.mask is not None
        return frozenset(kind for kind, is_given in given.items() if is_given)

    @property
    def is_one_point(self) -> bool:
        """Whether this is one point alone, the ambiguous prompt of the paper."""
        return len(self.points) == 1 and self.box is None and self.mask is None

    def extent(self) -> tuple[float, float, float, float]:
        """Box ``(y0, x0, y1, x1)`` around all that is said to be object."""
        corners = [self.points[self.labels == 1]]
        if self.box is not None:
            corners.append(np.reshape(self.box, (2, 2)))
        elif isinstance(self.mask, MaskRegion):
            corners.append(_mask_corners(self.mask.mask, self.mask.origin))
        elif self.mask is not None and self.mask.box is not None:
            corners.append(np.reshape(self.mask.box, (2, 2)))
        if not sum(map(len, corners)):  # an empty candidate as the only prompt: where it looked
            window = self.mask.window
            corners.append(window.to_image([(0, 0), (window.size, window.size)]))
        stacked = np.concatenate(corners)
        (y0, x0), (y1, x1) = stacked.min(axis=0), stacked.max(axis=0)
        return float(y0), float(x0), float(y1), float(x1)

    def inside(self, plane_shape: tuple[int, int]) -> Prompt:
        """Check the prompt against a plane; a box is cut off at the plane's edges.

        Raises
        ------
        InputError
            When a point, the whole box or the whole mask lies outside the plane.
        """
        height, width = plane_shape
        limits = np.array([height, width]) - 0.5
        for point in self.points:
            if (point < -0.5).any() or (point > limits).any():
                raise InputError(
                    f"the point (y, x) = ({point[0]:g}, {point[1]:g}) lies outside the plane of "
                    f"{height} x {width} pixels: y goes from 0 to {height - 1}, x from 0 to "
                    f"{width - 1}"
                )
        if isinstance(self.mask, MaskRegion):
            self._check_mask_inside(self.mask, plane_shape)
        if self.box is None:
            return self
        clipped = np.clip(np.reshape(self.box, (2, 2)), -0.5, limits).ravel()
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            raise InputError(
                f"the box (y0, x0, y1, x1) = {tuple(map(float, self.box))} lies outside the plane "
                f"of {height} x {width} pixels"
            )
        return Prompt(self.points, self.labels, clipped, self.mask, self.plane)

    @staticmethod
    def _check_mask_inside(region: MaskRegion, plane_shape: tuple[int, int]) -> None:
        end = tuple(o + n for o, n in zip(region.origin, region.mask.shape, strict=True))
        if min(region.origin) < 0 or end[0] > plane_shape[0] or end[1] > plane_shape[1]:
            raise InputError(
                f"the mask covers rows {region.origin[0]} to {end[0]} and columns "
                f"{region.origin[1]} to {end[1]}, which is not inside the plane of "
                f"{plane_shape[0]} x {plane_shape[1]} pixels"
            )


def _points(points: Any) -> npt.NDArray[np.float64]:
    array = _numbers(points, "points")
    if array.size == 0:
        array = array.reshape(0, 2)
    if array.ndim != 2 or array.shape[1] != 2:
        raise InputError(
            f"points of shape {array.shape} cannot be used: expected one (y, x) for each, like "
            "[(10, 20)]"
        )
    return array


def _labels(labels: Any, count: int) -> npt.NDArray[np.int64]:
    array = np.ones(count) if labels is None else _numbers(labels, "labels")
    if array.shape != (count,):
        raise InputError(
            f"{array.size} label(s) were given for {count} point(s): give one for each"
        )
    if not np.isin(array, (0, 1)).all():
        wrong = next(float(v) for v in array if v not in (0, 1))
        raise InputError(
            f"the label {wrong:g} is not known: use 1 for a point on the object and 0 for "
            "background"
        )
    whole = array.astype(np.int64)
    whole.flags.writeable = False
    return whole


def _box(box: Any) -> npt.NDArray[np.float64]:
    array = _numbers(box, "box")
    if array.shape != (4,):
        raise InputError(f"a box of shape {array.shape} cannot be used: expected (y0, x0, y1, x1)")
    y0, x0, y1, x1 = array
    if y0 >= y1 or x0 >= x1:
        raise InputError(
            f"the box (y0, x0, y1, x1) = ({y0:g}, {x0:g}, {y1:g}, {x1:g}) has no area: expected "
            "y0 < y1 and x0 < x1"
        )
    return array


def _mask(mask: Any) -> Candidate | MaskRegion:
    if isinstance(mask, (Candidate, MaskRegion)):
        return mask
    origin: Any = (0, 0)
    if isinstance(mask, tuple) and len(mask) == 2 and np.ndim(mask[0]) == 2:
        mask, origin = mask
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype.kind not in "bui" or not np.isin(array, (0, 1)).all():
        raise InputTypeError(
            f"a mask of type {array.dtype} and shape {array.shape} cannot be used: expected a "
            "boolean array (h, w), a pair (array, (y, x) of its first pixel), or a candidate"
        )
    if not array.any():
        raise InputError("the mask has no pixel that is True: give a mask of the object")
    y, x = (int(i) for i in origin)
    return MaskRegion(array.astype(bool), (y, x))


def _mask_corners(mask: npt.NDArray[np.bool_], origin: tuple[int, int]) -> npt.NDArray[np.float64]:
    hits = np.argwhere(mask)
    return np.array([hits.min(axis=0) - 0.5, hits.max(axis=0) + 0.5]) + origin


def _numbers(values: Any, what: str) -> npt.NDArray[np.float64]:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputTypeError(
            f"{what} {values!r} are not numbers: expected (y, x) in pixels"
        ) from None
    if not np.isfinite(array).all():
        raise InputError(
            f"{what} {values!r} hold a value that is not finite: give pixel coordinates"
        )
    array.flags.writeable = False
    return array
