from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import current_plane, image_shape, marks_on, read_prompt
from napari_sam.ui.polarity import set_polarity
from napari_sam.ui.prompt_layers import box_layer, point_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

PLACES: list[dict[str, Any]] = [
    {},
    {"scale": (0.5, 0.25)},
    {"scale": (0.5, 0.25), "translate": (-30, 1000)},
    {"rotate": 30, "shear": [0.2], "translate": (7, 8)},
    {"affine": [[0, 2, 5], [2, 0, 6], [0, 0, 1]]},
]


def move_to(viewer: ViewerModel, image: Image, *plane: int) -> None:
    """Turn the sliders to a plane of an image."""
    world = image.data_to_world((*plane, 0, 0))
    for axis, value in enumerate(world[: len(plane)]):
        viewer.dims.set_point(axis, value)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rgb", [False, True])
def test_a_click_in_the_world_is_the_pixel_under_it(
    viewer: ViewerModel, place: dict[str, Any], rgb: bool
) -> None:
    shape = (40, 60, 3) if rgb else (40, 60)
    image = viewer.add_image(np.zeros(shape, np.uint8), rgb=rgb, **place)
    points = point_layer(viewer, image)
    world = image.data_to_world((11, 42.5))
    points.add(points.world_to_data(world))
    drawn = read_prompt(image, current_plane(viewer, image), points, None)
    assert drawn is not None
    assert drawn.prompt.plane == ()
    np.testing.assert_allclose(drawn.prompt.points, [(11, 42.5)], atol=1e-6)
    np.testing.assert_array_equal(drawn.prompt.labels, [1])
    assert drawn.points == (0,)


@pytest.mark.parametrize("place", PLACES)
def test_a_box_in_the_world_is_the_box_of_pixels_under_it(
    viewer: ViewerModel, place: dict[str, Any]
) -> None:
    image = viewer.add_image(np.zeros((40, 60)), **place)
    boxes = box_layer(viewer, image)
    boxes.add_rectangles(np.array([[9.5, 4.5], [19.5, 33.5]]))
    drawn = read_prompt(image, (), None, boxes)
    assert drawn is not None
    np.testing.assert_allclose(drawn.prompt.box, (9.5, 4.5, 19.5, 33.5), atol=1e-4)
    assert drawn.box == 0


def test_points_that_were_moved_in_the_world_are_read_where_they_are(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60)), scale=(2, 2))
    points = point_layer(viewer, image)
    points.add((10, 20))
    points.translate = (4, 8)
    drawn = read_prompt(image, (), points, None)
    assert drawn is not None
    np.testing.assert_allclose(drawn.prompt.points, [(12, 24)])


def test_a_pyramid_is_prompted_in_pixels_of_its_finest_level(viewer: ViewerModel) -> None:
    levels = [np.zeros((400, 600)), np.zeros((200, 300)), np.zeros((100, 150))]
    image = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 1), scale=(0.5, 0.5))
    points = point_layer(viewer, image)
    points.add(points.world_to_data((100, 150)))
    drawn = read_prompt(image, (), points, None)
    assert drawn is not None
    np.testing.assert_allclose(drawn.prompt.points, [(200, 300)])
    assert image_shape(image) == (400, 600)


def test_only_what_is_drawn_on_the_plane_in_view_is_the_prompt(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((2, 5, 40, 60)), scale=(1, 3, 0.5, 0.5))
    points, boxes = point_layer(viewer, image), box_layer(viewer, image)
    points.add([[0, 2, 10, 20], [1, 2, 11, 21], [1, 3, 12, 22]])
    boxes.add_rectangles(
        [
            np.array([[1, 3, 5, 6], [1, 3, 5, 9], [1, 3, 8, 9], [1, 3, 8, 6]]),
            np.array([[0, 0, 15, 16], [0, 0, 15, 19], [0, 0, 18, 19], [0, 0, 18, 16]]),
        ]
    )
    move_to(viewer, image, 1, 3)
    plane = current_plane(viewer, image)
    assert plane == (1, 3)
    drawn = read_prompt(image, plane, points, boxes)
    assert drawn is not None
    assert drawn.prompt.plane == (1, 3)
    np.testing.assert_allclose(drawn.prompt.points, [(12, 22)])
    np.testing.assert_allclose(drawn.prompt.box, (5, 6, 8, 9))
    assert (drawn.points, drawn.box) == ((2,), 0)
    move_to(viewer, image, 0, 2)
    drawn = read_prompt(image, current_plane(viewer, image), points, boxes)
    assert drawn is not None
    np.testing.assert_allclose(drawn.prompt.points, [(10, 20)])
    assert drawn.prompt.box is None
    move_to(viewer, image, 1, 4)
    assert read_prompt(image, current_plane(viewer, image), points, boxes) is None


def test_a_flat_image_beside_a_stack_has_one_plane(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((5, 40, 60)))
    image = viewer.add_image(np.zeros((40, 60)))
    viewer.dims.set_point(0, 3)
    assert current_plane(viewer, image) == ()


def test_red_points_are_background(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60)))
    points = point_layer(viewer, image)
    set_polarity(points, "negative")
    points.add((10, 20))
    assert read_prompt(image, (), points, None) is None, "nothing says which object is meant"
    set_polarity(points, "positive")
    points.add((12, 22))
    drawn = read_prompt(image, (), points, None)
    assert drawn is not None
    np.testing.assert_array_equal(drawn.prompt.labels, [0, 1])


def test_the_box_drawn_last_belongs_to_the_prompt(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60)))
    boxes = box_layer(viewer, image)
    boxes.add_rectangles([np.array([[1, 2], [5, 6]]), np.array([[11, 12], [15, 16]])])
    drawn = read_prompt(image, (), None, boxes)
    assert drawn is not None
    np.testing.assert_allclose(drawn.prompt.box, (11, 12, 15, 16))
    assert drawn.box == 1


def test_without_marks_there_is_no_prompt(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60)))
    points, boxes = point_layer(viewer, image), box_layer(viewer, image)
    assert read_prompt(image, (), points, boxes) is None
    assert read_prompt(image, (), None, None) is None
    assert marks_on(image, (), points) == []


def test_a_view_that_shows_no_plane_of_the_image_is_refused(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((5, 40, 60)))
    assert current_plane(viewer, image) == (2,)
    viewer.dims.ndisplay = 3
    with pytest.raises(InputError, match="back to 2D"):
        current_plane(viewer, image)
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(InputError, match="roll or transpose"):
        current_plane(viewer, image)
    viewer.dims.order = (0, 2, 1)
    assert current_plane(viewer, image) == (2,), "a transposed plane is still the plane"


def test_a_position_beyond_the_image_is_refused(viewer: ViewerModel) -> None:
    viewer.add_image(np.zeros((9, 40, 60)))
    image = viewer.add_image(np.zeros((5, 40, 60)), name="short")
    viewer.dims.set_point(0, 8)
    with pytest.raises(InputError, match="beyond the planes of 'short'"):
        current_plane(viewer, image)
