"""Boxes of a detector, by the thousand: an array, a table, or the shapes of a napari layer."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from napari_sam.images.source import ImageSource

    Floats = npt.NDArray[np.float64]

__all__ = ["DetectorBoxes", "read_boxes"]

CORNERS = ("y0", "x0", "y1", "x1")

EXPECTED = (
    "expected an array (n, 4) of y0, x0, y1, x1, a table or CSV file with columns of these names, "
    "or the data of a napari Shapes layer"
)


@dataclass(frozen=True, slots=True, eq=False)
class DetectorBoxes:
    """Boxes in the planes of an image.

    Attributes
    ----------
    boxes : ndarray of float64, shape (n, 4)
        ``(y0, x0, y1, x1)``, continuous level-0 pixels (tight around pixels 10..19 is 9.5..19.5),
        cut off at the edges of the plane.
    planes : ndarray of int64, shape (n, number of leading axes)
        Plane of each.
    """

    boxes: Floats
    planes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.boxes)


def read_boxes(source: Any, image: ImageSource, plane: Sequence[int] = ()) -> DetectorBoxes:
    """Read boxes and check them against an image.

    Parameters
    ----------
    source : array_like, DataFrame, path or sequence of arrays
        An array ``(n, 4)``; a table or CSV file with the columns ``y0``, ``x0``, ``y1``, ``x1``
        and perhaps ``z``, ``t`` ... as the image's axes are named, or as napari saves a Shapes
        layer; or the data of such a layer, the corners of each shape.
    image : ImageSource
    plane : sequence of int
        Where boxes lie that do not say it.

    Raises
    ------
    InputError, InputTypeError
        When these are no boxes, or one of them has no area or lies outside; the message gives its
        number, counted from 0.
    """
    if isinstance(source, (str, os.PathLike)):
        source = _read_csv(source)
    if hasattr(source, "columns"):
        boxes, planes = _from_table(source, image)
    else:
        boxes, planes = _from_arrays(source, image)
    if planes is None:
        planes = np.broadcast_to(image.check_plane(plane), (len(boxes), len(image.planes)))
    for row in np.flatnonzero((planes < 0).any(1) | (planes >= image.planes).any(1))[:1]:
        raise InputError(
            f"box {row} lies in the plane {tuple(planes[row].tolist())}, but the image has "
            f"{image.planes} planes: leave it out, or correct it"
        )
    return DetectorBoxes(_checked(boxes, image.plane_shape), planes.astype(np.int64))


def _read_csv(path: str | os.PathLike[str]) -> pd.DataFrame:
    import pandas as pd  # half a second's import, for those who have such a file

    try:
        return pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig")
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} could not be read as a CSV file: {error}") from error


def _from_table(
    table: pd.DataFrame, image: ImageSource
) -> tuple[Floats, npt.NDArray[np.int64] | None]:
    columns = {str(name).strip().lower(): name for name in table.columns}
    if {"index", "axis-0", "axis-1"} <= columns.keys():
        numbered = sorted((n for n in columns if re.fullmatch(r"axis-\d+", n)), key=_number)
        corners = _numbers(table, [columns[name] for name in numbered])
        shape_of_row = table[columns["index"]].to_numpy()
        _, starts = np.unique(shape_of_row, return_index=True)
        return _from_shapes(
            [corners[shape_of_row == shape_of_row[i]] for i in sorted(starts)], image
        )
    missing = [name for name in CORNERS if name not in columns]
    if missing:
        raise InputError(
            f"the table of boxes has no column {missing[0]}: its columns are "
            f"{', '.join(map(str, table.columns))}; {EXPECTED}"
        )
    boxes = _numbers(table, [columns[name] for name in CORNERS])
    names = [image.axes.names[axis].lower() for axis in image.axes.leading]
    if not any(name in columns for name in names):
        return boxes, None
    planes = np.zeros((len(boxes), len(names)))
    for axis, (name, length) in enumerate(zip(names, image.planes, strict=True)):
        if name in columns:
            planes[:, axis] = _numbers(table, [columns[name]])[:, 0]
        elif length > 1:
            raise InputError(
                f"the table of boxes has no column {name}: expected one for each of {names}"
            )
    return boxes, _nearest(planes)


def _from_arrays(source: Any, image: ImageSource) -> tuple[Floats, npt.NDArray[np.int64] | None]:
    try:
        shapes = [np.asarray(each, np.float64) for each in source]
    except (TypeError, ValueError):
        raise InputTypeError(
            f"a {type(source).__name__} cannot be used as boxes: {EXPECTED}"
        ) from (None)
    if shapes and all(each.ndim == 2 for each in shapes):
        return _from_shapes(shapes, image)
    for row, each in enumerate(shapes):
        if each.shape != (4,):
            raise InputError(f"box {row} has the shape {each.shape}: {EXPECTED}")
    return np.array(shapes, np.float64).reshape(-1, 4), None


def _from_shapes(
    shapes: Sequence[Floats], image: ImageSource
) -> tuple[Floats, npt.NDArray[np.int64] | None]:
    """Boxes around the corners of shapes, whatever kind they are."""
    leading = len(image.planes)
    boxes = np.empty((len(shapes), 4))
    planes = np.zeros((len(shapes), leading), np.int64)
    for row, corners in enumerate(shapes):
        if corners.shape[1] not in (2, 2 + leading) or len(corners) < 2:
            raise InputError(
                f"shape {row} has {len(corners)} corners in {corners.shape[1]} dimensions, but a "
                f"plane has 2 and the image {2 + leading}: {EXPECTED}"
            )
        boxes[row] = *corners[:, -2:].min(0), *corners[:, -2:].max(0)
        if corners.shape[1] > 2:
            among = np.unique(_nearest(corners[:, :-2]), axis=0)
            if len(among) > 1:
                raise InputError(f"shape {row} lies in {len(among)} planes: expected one")
            planes[row] = among[0]
    says_planes = leading > 0 and bool(shapes) and shapes[0].shape[1] > 2
    return boxes, planes if says_planes else None


def _checked(boxes: Floats, plane_shape: tuple[int, int]) -> Floats:
    """Refuse boxes that are none, and cut off those that reach over an edge."""
    low, high = np.array([-0.5, -0.5]), np.array(plane_shape) - 0.5
    cut = np.concatenate(
        [np.clip(boxes[:, :2], low, high), np.clip(boxes[:, 2:], low, high)], axis=1
    )
    problems = (
        (~np.isfinite(boxes).all(1), "holds a value that is not a finite number"),
        ((boxes[:, 2:] <= boxes[:, :2]).any(1), "has no area: expected y0 < y1 and x0 < x1"),
        (
            (cut[:, 2:] <= cut[:, :2]).any(1),
            f"lies outside the plane of {plane_shape[0]} x {plane_shape[1]} pixels",
        ),
    )
    for is_wrong, problem in problems:
        for row in np.flatnonzero(is_wrong)[:1]:
            values = ", ".join(f"{value:g}" for value in boxes[row])
            raise InputError(f"box {row} (y0, x0, y1, x1) = ({values}) {problem}")
    return cut


def _numbers(table: pd.DataFrame, columns: list[Any]) -> Floats:
    try:
        return table[columns].to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the table of boxes holds more than numbers: {error}") from None


def _nearest(planes: Floats) -> npt.NDArray[np.int64]:
    if not np.isfinite(planes).all():
        raise InputError("the boxes name a plane that is not a finite number: give whole numbers")
    return np.floor(planes + 0.5).astype(np.int64)


def _number(column: str) -> int:
    return int(column.removeprefix("axis-"))
