"""Tables of prompts: every form that is read, and where a mistake is said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam.cli.prompt_files import read_prompts
from napari_sam.errors import InputError
from napari_sam.images.source import open_image

if TYPE_CHECKING:
    from collections.abc import Calweight
    from pathlib import Path

    from napari_sam.cli.prompt_files import AskedFor
    from napari_sam.images.source import ImageSource

    Read = Calweight[..., AskedFor]


def image(shape: tuple[int, ...], axes: str) -> ImageSource:
    return open_image(np.zeros(shape, np.uint8), (0, 255), axes=axes)


PLANE = image((60, 90), "YX")
STACK = image((5, 60, 90), "ZYX")
MOVIE = image((4, 2, 5, 60, 90), "TCZYX")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reader of the text of tables as prompts on an image."""

    def read(
        source: ImageSource,
        points: str | None = None,
        boxes: str | None = None,
        plane: tuple[int, ...] = (),
    ) -> AskedFor:
        files = []
        for name, text in (("points.csv", points), ("boxes.csv", boxes)):
            files.append(None if text is None else tmp_path / name)
            if text is not None:
                (tmp_path / name).write_text(text)
        return read_prompts(files[0], files[1], source, plane)

    return read


def test_every_row_is_a_prompt_of_its_own_without_objects(read: Read) -> None:
    found = read(PLANE, "y,x\n10,20.5\n\n30,40\n")
    assert [each.id for each in found.prompts] == [1, 2]
    assert found.prompts[0].prompt.points.tolist() == [[10, 20.5]]
    assert found.prompts[1].prompt.labels.tolist() == [1]
    assert not found.names_planes


def test_rows_of_one_object_are_one_prompt_and_its_id(read: Read) -> None:
    found = read(PLANE, "object,x,y,label\n7,20,10,1\n3,5,6,1\n7,21,11,0\n")
    assert [each.id for each in found.prompts] == [7, 3]
    assert found.prompts[0].prompt.points.tolist() == [[10, 20], [11, 21]]
    assert found.prompts[0].prompt.labels.tolist() == [1, 0]


def test_columns_named_as_the_axes_choose_planes(read: Read) -> None:
    found = read(MOVIE, "T, Z, Y, X\n3,2,10,20\n0,3.6,30,40\n")
    assert [each.prompt.plane for each in found.prompts] == [(3, 2), (0, 4)]
    assert found.names_planes


def test_an_axis_of_length_1_needs_no_column(read: Read) -> None:
    found = read(image((4, 1, 60, 90), "TZYX"), "t,y,x\n3,10,20\n")
    assert found.prompts[0].prompt.plane == (3, 0)


@pytest.mark.parametrize(
    ("source", "axes", "values", "plane"),
    [
        (PLANE, 2, "10,20", ()),
        (STACK, 3, "4,10,20", (4,)),
        (MOVIE, 4, "3,2,10,20", (3, 2)),
        (MOVIE, 5, "3,1,2,10,20", (3, 2)),
    ],
)
def test_a_points_layer_is_read_as_napari_saves_it(
    read: Read, source: ImageSource, axes: int, values: str, plane: tuple[int, ...]
) -> None:
    names = ",".join(f"axis-{number}" for number in range(axes))
    found = read(source, f"index,{names}\n0.0,{values}\n")
    assert found.prompts[0].prompt.points.tolist() == [[10, 20]]
    assert found.prompts[0].prompt.plane == plane


def test_the_tables_that_napari_writes_are_read(tmp_path: Path) -> None:
    napari = pytest.importorskip("napari_builtins.io")
    points = np.array([[1, 10, 20], [2, 30, 40]])
    features = {"label": np.ones(2), "object": np.array([5, 6]), "size": np.array([3.5, 4])}
    napari.napari_write_points(str(tmp_path / "points.csv"), points, {"properties": features})
    found = read_prompts(tmp_path / "points.csv", None, STACK, ())
    assert [each.id for each in found.prompts] == [5, 6]
    assert [each.prompt.plane for each in found.prompts] == [(1,), (2,)]
    assert found.unused == ("size",)

    rectangle = np.array([[1, 9.5, 20], [1, 9.5, 40], [1, 30, 40], [1, 30, 20]])
    polygon = np.array([[2, 0, 4], [2, 8, 12], [2, 3, 0]])
    shapes = {"shape_type": ["rectangle", "polygon"]}
    napari.napari_write_shapes(str(tmp_path / "shapes.csv"), [rectangle, polygon], shapes)
    found = read_prompts(None, tmp_path / "shapes.csv", STACK, ())
    assert [each.id for each in found.prompts] == [1, 2]
    assert [each.prompt.plane for each in found.prompts] == [(1,), (2,)]
    boxes = [each.prompt.box.tolist() for each in found.prompts]
    assert boxes == [[9.5, 20, 30, 40], [0, 0, 8, 12]]


def test_a_table_without_planes_is_of_the_plane_given(read: Read) -> None:
    found = read(STACK, "index,axis-0,axis-1\n0,10,20\n", plane=(3,))
    assert found.prompts[0].prompt.plane == (3,)
    assert not found.names_planes


def test_boxes_are_cut_off_at_the_edge_of_the_image(read: Read) -> None:
    found = read(PLANE, boxes="y0,x0,y1,x1\n-4,10,20,30\n")
    assert found.prompts[0].prompt.box.tolist() == [-0.5, 10, 20, 30]


def test_points_and_boxes_of_one_object_are_one_prompt(read: Read) -> None:
    found = read(
        PLANE,
        "y,x,label,object\n10,20,0,2\n5,5,1,1\n",
        "y0,x0,y1,x1,object\n0,0,30,30,2\n1,1,9,9,8\n",
    )
    assert [each.id for each in found.prompts] == [2, 1, 8]
    assert found.prompts[0].prompt.labels.tolist() == [0]
    assert found.prompts[0].prompt.box.tolist() == [0, 0, 30, 30]
    assert found.prompts[1].prompt.box is None


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark_are_read(read: Read, separator: str) -> None:
    found = read(PLANE, "\ufeffy,x\r\n10,20\r\n".replace(",", separator))
    assert found.prompts[0].prompt.points.tolist() == [[10, 20]]


def test_columns_that_mean_nothing_are_named(read: Read) -> None:
    assert read(PLANE, "index,y,x,weight\n0,10,20,0\n").unused == ("weight",)


@pytest.mark.parametrize(
    ("source", "text", "says"),
    [
        (PLANE, "", "points.csv has no rows"),
        (PLANE, "y,x\n", "points.csv has no rows"),
        (PLANE, "y,z\n1,2\n", "points.csv has no column x: its columns are y, z"),
        (PLANE, "y,x,X\n1,2,3\n", "two columns of the same name"),
        (PLANE, "y,x\n1,2\n3\n", "points.csv, line 3: 1 value(s) for 2 columns"),
        (PLANE, "y,x\n1,2\n\n3,4,5\n", "points.csv, line 4: 3 value(s) for 2 columns"),
        (PLANE, "y,x\n1,2\n3,left\n", "points.csv, line 3, column x: 'left' is not a number"),
        (PLANE, "y,x\nnan,2\n", "points.csv, line 2, column y: 'nan' is not a number"),
        (PLANE, "y;x\n1,5;2\n", "points.csv, line 2, column y: '1,5' is not a number"),
        (PLANE, "y,x\n1,2\n60,2\n", "points.csv, line 3: the point (y, x) = (60, 2) lies outside"),
        (PLANE, "y,x,label\n1,2,2\n", "points.csv, line 2, column label: 2 is not a label"),
        (PLANE, "y,x,label\n1,2,0\n", "points.csv, line 2: a prompt with 1 background point(s)"),
        (PLANE, "y,x,object\n1,2,0\n", "points.csv, line 2, column object: 0 cannot be an id"),
        (PLANE, "y,x,object\n1,2,1.5\n", "points.csv, line 2, column object: '1.5' is not a whole"),
        (STACK, "z,y,x\n1,1,2\n5,1,2\n", "points.csv, line 3: plane (5,) lies outside"),
        (STACK, "z,y,x,object\n1,1,2,4\n2,1,2,4\n", "points.csv, line 3: this lies in the plane"),
        (STACK, "y,x\n1,2\n", "points.csv does not say in which planes"),
        (MOVIE, "z,y,x\n1,1,2\n", "points.csv has no column t"),
        (PLANE, "axis-0,axis-1,axis-2\n0,1,2\n", "the image has 2 axes (yx)"),
        (PLANE, "axis-1,axis-2\n1,2\n", "the image has 2 axes (yx)"),
        (PLANE, "index,shape-type,vertex-index,axis-0,axis-1\n0,line,0,1,2\n", "with --boxes"),
    ],
)
def test_a_mistake_is_said_with_file_line_and_column(
    read: Read, source: ImageSource, text: str, says: str
) -> None:
    with pytest.raises(InputError) as error:
        read(source, text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y,x\n1,2\n", "boxes.csv has no column y0"),
        ("y0,x0,y1,x1\n1,2,3,2\n", "boxes.csv, line 2: the box"),
        ("y0,x0,y1,x1\n1,2,3,4\n70,2,80,4\n", "boxes.csv, line 3: the box"),
        ("y0,x0,y1,x1,object\n1,2,3,4,5\n1,2,3,4,5\n", "boxes.csv, line 3, column object: this"),
        (
            "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n0,path,0,1,2,3\n0,path,1,2,9,9\n",
            "boxes.csv, line 3: this lies in the plane (2,)",
        ),
    ],
)
def test_a_box_that_cannot_be_used_is_said_with_its_line(read: Read, text: str, says: str) -> None:
    source = STACK if "axis-2" in text else PLANE
    with pytest.raises(InputError) as error:
        read(source, boxes=text)
    assert says in str(error.value)


def test_two_tables_need_objects_to_belong_together(read: Read) -> None:
    with pytest.raises(InputError, match="both have a column 'object'"):
        read(PLANE, "y,x,object\n1,2,1\n", "y0,x0,y1,x1\n1,2,3,4\n")


def test_planes_are_said_once(read: Read) -> None:
    with pytest.raises(InputError, match="leave one of them out"):
        read(STACK, "z,y,x\n1,1,2\n", plane=(1,))


def test_a_file_that_is_no_table_is_refused(read: Read, tmp_path: Path) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    with pytest.raises(InputError, match=r"picture\.csv could not be read as a CSV file"):
        read_prompts(tmp_path / "picture.csv", None, PLANE, ())
