from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from napari_sam import open_image
from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic.detector_boxes import read_boxes

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.source import ImageSource

BOXES = [(10.0, 20.0, 30.5, 40.0), (5.0, 0.0, 9.0, 12.0), (50.0, 60.0, 70.0, 79.0)]


@pytest.fixture
def flat() -> ImageSource:
    return open_image(np.zeros((80, 100), np.uint8))


@pytest.fixture
def stack() -> ImageSource:
    return open_image(np.zeros((4, 80, 100), np.uint8), axes="ZYX")


def corners(box: tuple[float, float, float, float], *plane: float) -> np.ndarray:
    y0, x0, y1, x1 = box
    return np.array([(*plane, y, x) for y, x in ((y0, x0), (y0, x1), (y1, x1), (y1, x0))])


def shapes_csv(planes: list[float] | None = None) -> pd.DataFrame:
    """Table that napari saves of a Shapes layer."""
    rows = []
    for index, box in enumerate(BOXES):
        plane = () if planes is None else (planes[index],)
        for vertex, corner in enumerate(corners(box, *plane)):
            places = {f"axis-{axis}": value for axis, value in enumerate(corner)}
            rows.append(
                {"index": index, "shape-type": "rectangle", "vertex-index": vertex, **places}
            )
    return pd.DataFrame(rows)


TABLE = pd.DataFrame(BOXES, columns=["y0", "x0", "y1", "x1"])


@pytest.mark.parametrize(
    "source",
    [
        BOXES,
        np.array(BOXES),
        TABLE,
        TABLE[["x1", "x0", "y1", "y0"]].assign(score=0.5, name="a"),
        [corners(box) for box in BOXES],
        np.array([corners(box) for box in BOXES]),
        shapes_csv(),
    ],
    ids=["list", "array", "table", "table in another order", "shapes", "equal shapes", "layer"],
)
def test_boxes_come_in_many_forms(source: Any, flat: ImageSource) -> None:
    boxes = read_boxes(source, flat)
    np.testing.assert_array_equal(boxes.boxes, BOXES)
    assert boxes.planes.shape == (len(boxes), 0) == (3, 0)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_boxes_come_from_files(separator: str, flat: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    for table in (TABLE, shapes_csv()):
        table.to_csv(path, sep=separator, index=False)
        np.testing.assert_array_equal(read_boxes(path, flat).boxes, BOXES)


@pytest.mark.parametrize(
    "source",
    [
        TABLE.assign(z=[3, 0, 2]),
        [corners(box, z) for box, z in zip(BOXES, (3.2, 0, 1.5), strict=True)],
        shapes_csv([3, 0, 2]),
    ],
    ids=["table", "shapes", "layer"],
)
def test_boxes_say_their_plane(source: Any, stack: ImageSource) -> None:
    boxes = read_boxes(source, stack)
    np.testing.assert_array_equal(boxes.boxes, BOXES)
    np.testing.assert_array_equal(boxes.planes, [[3], [0], [2]])


def test_boxes_that_say_no_plane_lie_in_the_given_one(stack: ImageSource) -> None:
    np.testing.assert_array_equal(read_boxes(BOXES, stack, (2,)).planes, [[2], [2], [2]])
    with pytest.raises(InputError, match="give one number for each"):
        read_boxes(BOXES, stack)


def test_boxes_are_cut_off_at_the_plane(flat: ImageSource) -> None:
    boxes = read_boxes([(-5, 90, 10, 130)], flat)
    np.testing.assert_array_equal(boxes.boxes, [(-0.5, 90, 10, 99.5)])


def test_no_boxes_are_no_mistake(flat: ImageSource) -> None:
    assert len(read_boxes([], flat)) == 0
    assert len(read_boxes(TABLE[:0], flat)) == 0


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ([BOXES[0], (10, 20, 10, 40)], "box 1 .*has no area"),
        ([BOXES[0], (90, 20, 95, 40)], "box 1 .*outside the plane of 80 x 100"),
        ([BOXES[0], (1, np.nan, 2, 3)], "box 1 .*not a finite number"),
        ([(1, 2, 3)], r"box 0 has the shape \(3,\)"),
        ([np.zeros((4, 5))], "shape 0 has 4 corners in 5 dimensions"),
        (TABLE.drop(columns="x1"), "no column x1"),
        (TABLE.assign(x1="wide"), "more than numbers"),
        (7, "int cannot be used as boxes"),
        (["a"], "list cannot be used as boxes"),
    ],
)
def test_what_is_no_box_is_named(source: Any, problem: str, flat: ImageSource) -> None:
    with pytest.raises((InputError, InputTypeError), match=problem):
        read_boxes(source, flat)


def test_planes_that_are_not_there_are_named(stack: ImageSource) -> None:
    with pytest.raises(InputError, match=r"box 2 lies in the plane \(4,\)"):
        read_boxes(TABLE.assign(z=[3, 0, 4]), stack)
    with pytest.raises(InputError, match="shape 0 lies in 2 planes"):
        read_boxes([np.array([(0, 1, 2), (1, 5, 6)])], stack)
    with pytest.raises(InputError, match="a plane that is not a finite number"):
        read_boxes(TABLE.assign(z=[3, float("nan"), 2]), stack)


def test_a_table_that_names_some_planes_names_all_that_are_needed() -> None:
    several = open_image(np.zeros((2, 4, 80, 100), np.uint8), axes="TZYX")
    with pytest.raises(InputError, match="no column t: expected one for each"):
        read_boxes(TABLE.assign(z=[3, 0, 2]), several)
    one = open_image(np.zeros((1, 4, 80, 100), np.uint8), axes="TZYX")
    found = read_boxes(TABLE.assign(z=[3, 0, 2]), one)
    np.testing.assert_array_equal(found.planes, [[0, 3], [0, 0], [0, 2]])


def test_a_file_that_is_no_table_is_named(flat: ImageSource, tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("")
    with pytest.raises(InputError, match=r"boxes\.csv could not be read"):
        read_boxes(path, flat)
    with pytest.raises(InputError, match=r"missing\.csv could not be read"):
        read_boxes(tmp_path / "missing.csv", flat)
