from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.utils.interactions import mouse_press_callbacks, mouse_release_callbacks

from napari_sam.ui.layer_roles import find_image, role_of
from napari_sam.ui.polarity import polarity_of, set_polarity, toggle_polarity
from napari_sam.ui.prompt_layers import box_layer, fit_edge_width, point_layer, target_image

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Points

GREEN, RED = [0, 1, 0, 1], [1, 0, 0, 1]


def click(points: Points, position: tuple[float, ...], button: int = 1, *modifiers: str) -> None:
    """Press and release a mouse button on a layer, as napari does on the canvas."""
    event: Any = SimpleNamespace(
        type="mouse_press",
        button=button,
        modifiers=modifiers,
        position=position,
        pos=np.zeros(2),
        dims_displayed=[0, 1],
        dims_point=[0, 0],
        view_direction=None,
        up_direction=None,
        is_dragging=False,
        handled=False,
    )
    mouse_press_callbacks(points, event)
    event.type = "mouse_release"
    mouse_release_callbacks(points, event)


def test_new_points_lie_on_the_image_and_wait_for_a_click(viewer: ViewerModel) -> None:
    image = viewer.add_image(
        np.zeros((5, 40, 60)), scale=(2, 0.5, 0.25), translate=(1, 10, 20), rotate=20, units="um"
    )
    points = point_layer(viewer, image)
    assert points.ndim == 3
    assert points.mode == "add"
    assert viewer.layers.selection.active is points
    assert points.units == image.units
    somewhere = (3, 11, 42)
    np.testing.assert_allclose(points.data_to_world(somewhere), image.data_to_world(somewhere))


def test_new_boxes_lie_on_the_image_and_wait_to_be_drawn(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60)), scale=(0.5, 0.25), translate=(10, 20))
    boxes = box_layer(viewer, image)
    assert boxes.ndim == 2
    assert boxes.mode == "add_rectangle"
    np.testing.assert_allclose(boxes.data_to_world((11, 42)), image.data_to_world((11, 42)))
    boxes.add_rectangles(np.array([[5, 6], [15, 26]]))
    np.testing.assert_array_equal(boxes.face_color[0, 3], 0)


def test_prompts_of_a_colour_image_have_no_colour_axis(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((40, 60, 3), np.uint8), rgb=True)
    assert point_layer(viewer, image).ndim == box_layer(viewer, image).ndim == 2


def test_the_prompt_layer_of_an_image_is_made_once(viewer: ViewerModel) -> None:
    first, second = (viewer.add_image(np.zeros((20, 20)), name=name) for name in "ab")
    points = point_layer(viewer, first)
    points.visible = False
    points.mode = "pan_zoom"
    viewer.layers.selection.active = first
    assert point_layer(viewer, first) is points
    assert viewer.layers.selection.active is points
    assert points.visible
    assert points.mode == "add"
    other = point_layer(viewer, second)
    assert other is not points
    assert find_image(viewer, other) is second
    assert role_of(other) == "points"


def test_the_selected_image_is_prompted_and_else_the_topmost_visible(viewer: ViewerModel) -> None:
    assert target_image(viewer) is None
    low, high, hidden = (viewer.add_image(np.zeros((20, 20)), name=name) for name in "abc")
    viewer.layers.selection.active = low
    assert target_image(viewer) is low
    points = point_layer(viewer, low)
    viewer.layers.selection.active = points
    assert target_image(viewer) is low, "the image of the selected prompts"
    viewer.layers.selection.clear()
    hidden.visible = False
    assert target_image(viewer) is high
    viewer.layers.selection.active = viewer.add_labels(np.zeros((20, 20), int))
    assert target_image(viewer) is high


def test_points_are_green_and_after_the_toggle_red(viewer: ViewerModel) -> None:
    points = point_layer(viewer, viewer.add_image(np.zeros((20, 20))))
    points.add((3, 4))
    toggle_polarity(points)
    points.add((5, 6))
    points.add((5, 7))
    toggle_polarity(points)
    points.add((8, 9))
    assert list(points.features["polarity"]) == ["positive", "negative", "negative", "positive"]
    np.testing.assert_allclose(points.face_color, [GREEN, RED, RED, GREEN])


def test_the_key_t_toggles_and_is_bound_to_our_layer_only(viewer: ViewerModel) -> None:
    points = point_layer(viewer, viewer.add_image(np.zeros((20, 20))))
    other = viewer.add_points(ndim=2)
    before = polarity_of(points)
    keys = {str(key): call for key, call in points.keymap.items()}
    keys["T"](points)
    assert polarity_of(points) != before
    assert not other.keymap


@pytest.mark.parametrize(("button", "modifiers"), [(2, ()), (1, ("Alt",))])
def test_a_right_click_says_background_and_the_next_left_click_does_not(
    viewer: ViewerModel, button: int, modifiers: tuple[str, ...]
) -> None:
    points = point_layer(viewer, viewer.add_image(np.zeros((20, 20))))
    click(points, (3, 4))
    click(points, (5, 6), button, *modifiers)
    assert polarity_of(points) == "positive"
    points.add((9, 9))
    click(points, (7, 8))
    polarities = list(points.features["polarity"])
    assert polarities == ["positive", "negative", "positive", "positive"]
    np.testing.assert_allclose(points.face_color, [GREEN, RED, GREEN, GREEN])


def test_selecting_a_red_point_does_not_make_the_next_one_red(viewer: ViewerModel) -> None:
    points = point_layer(viewer, viewer.add_image(np.zeros((20, 20))))
    click(points, (3, 4), 2)
    points.selected_data = {0}
    click(points, (5, 6))
    assert list(points.features["polarity"]) == ["negative", "positive"]


def test_who_shows_the_polarity_is_told_of_a_change(viewer: ViewerModel) -> None:
    points = point_layer(viewer, viewer.add_image(np.zeros((20, 20))))
    told: list[str] = []
    points.events.feature_defaults.connect(lambda: told.append(polarity_of(points)))
    set_polarity(points, "negative")
    assert told == ["negative"]


def test_edges_of_boxes_are_equally_wide_on_the_screen_at_any_zoom(viewer: ViewerModel) -> None:
    image = viewer.add_image(np.zeros((400, 600)), scale=(0.1, 0.1))
    viewer.scene.camera.zoom = 2
    boxes = box_layer(viewer, image)
    boxes.add_rectangles([np.array([[5, 6], [15, 26]]), np.array([[50, 60], [150, 260]])])
    on_screen = np.array(boxes.edge_width) * 0.1 * 2
    np.testing.assert_allclose(on_screen, on_screen[0])
    viewer.scene.camera.zoom = 16
    fit_edge_width(viewer, boxes, image)
    np.testing.assert_allclose(np.array(boxes.edge_width) * 0.1 * 16, on_screen)
    assert boxes.current_edge_width == boxes.edge_width[0]
