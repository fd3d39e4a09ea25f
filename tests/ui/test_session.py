from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.wording import NO_MARK, NOTHING_TO_UNDO

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam.ui.session import Session


BIG = 489
"""Pixels whose centres are less than 12.5 from the clicked one: the largest disc."""


def preview_of(session: Session) -> Labels:
    preview = find_layer(session.viewer, session.image, "preview")
    assert preview is not None
    return preview


def keys_of(layer: Any) -> dict[str, Callable[[Any], None]]:
    return {str(key): call for key, call in layer.keymap.items()}


def test_a_click_shows_three_candidates_and_a_preview_of_the_best(session: Session) -> None:
    session.prompts.points.add((20, 30))
    assert len(session.objects.candidates) == len(session.answering.thumbnails) == 3
    assert session.objects.chosen == 0
    assert session.answering.device == "discs on cpu"
    assert "3 candidates" in session.status
    preview = preview_of(session)
    assert preview.visible
    y, x = np.nonzero(preview.data)
    world = [preview.data_to_world(pixel) for pixel in zip(y, x, strict=True)]
    assert np.hypot(*(np.array(world) - (20, 30)).T).max() <= 6.5
    assert len(world) == session.objects.candidates[0].area


def test_choosing_changes_the_preview_and_not_the_labels(session: Session) -> None:
    session.prompts.points.add((20, 30))
    best = int((preview_of(session).data > 0).sum())
    session.choose(2)
    assert (preview_of(session).data > 0).sum() == BIG > best
    session.choose(7)
    assert session.objects.chosen == 2, "there is no eighth"
    assert session.objects.layer is None


def test_accept_makes_the_labels_layer_and_paints_what_was_chosen(session: Session) -> None:
    points = session.prompts.points
    points.add((20, 30))
    session.choose(2)
    session.accept()
    layer = session.objects.layer
    assert layer.name == "cells objects"
    assert (layer.data == 1).sum() == BIG
    assert layer.data[20, 30] == layer.data[20, 42] == 1
    assert layer.data[20, 43] == 0
    assert len(points.data) == 0
    assert session.objects.candidates is None
    assert not preview_of(session).visible
    assert "Object 1 accepted (489 pixels)" in session.status
    assert session.viewer.layers.selection.active is points
    assert points.mode == "add"


def test_objects_get_new_ids_in_one_layer_and_undo_takes_the_last_back(session: Session) -> None:
    for x in (15, 40, 65):
        session.prompts.points.add((20, x))
        session.accept()
    layer = session.objects.layer
    assert [layer.data[20, x] for x in (15, 40, 65)] == [1, 2, 3]
    labels = [each for each in session.viewer.layers if type(each).__name__ == "Labels"]
    assert len(labels) == 2, "one for the objects and one for the candidate"
    session.undo()
    assert [layer.data[20, x] for x in (15, 40, 65)] == [1, 2, 0]
    assert session.status == "Object 3 taken back."
    session.undo()
    session.undo()
    assert not layer.data.any()
    session.undo()
    assert session.status == NOTHING_TO_UNDO


def test_the_mask_lands_where_was_clicked_on_a_moved_and_scaled_image(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    image = viewer.add_image(picture, scale=(0.5, 0.25), translate=(100, -40), rotate=15)
    session = make_session(worker)
    session.draw_points()
    world = image.data_to_world((33, 44))
    session.prompts.points.add(session.prompts.points.world_to_data(world))
    preview = preview_of(session)
    drawn = np.argwhere(preview.data).mean(axis=0)
    np.testing.assert_allclose(preview.data_to_world(drawn), world, atol=1e-6)
    session.accept()
    layer = session.objects.layer
    painted = np.argwhere(layer.data).mean(axis=0)
    np.testing.assert_allclose(painted, (33, 44))
    np.testing.assert_allclose(layer.data_to_world(painted), world)


def test_objects_of_a_stack_go_into_their_plane(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image(np.stack([picture] * 5), scale=(3, 0.5, 0.5))
    session = make_session(worker)
    session.draw_points()
    viewer.dims.set_point(0, 9)
    session.prompts.points.add((3, 20, 30))
    preview = preview_of(session)
    assert preview.data_to_world((0, 0, 0))[0] == 9
    viewer.dims.set_point(0, 6)
    assert session.objects.candidates is None
    assert not preview.visible
    viewer.dims.set_point(0, 9)
    assert preview.visible
    session.accept()
    assert np.unique(np.nonzero(session.objects.layer.data)[0]) == [3]


def test_only_objects_of_a_colour_image_have_no_colour_axis(
    viewer: ViewerModel, worker: Any, make_session: Any, backend: Any
) -> None:
    viewer.add_image(np.zeros((60, 80, 3), np.uint8), rgb=True)
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add((20, 30))
    session.accept()
    assert session.objects.layer.data.shape == (60, 80)
    (segmenter,) = backend.segmenters.values()
    assert segmenter.image.limits == ((0, 255),) * 3


def test_a_pyramid_is_segmented_at_its_finest_level(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image([picture, picture[::2, ::2]], multiscale=True, contrast_limits=(0, 200))
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add((20, 30))
    session.accept()
    assert session.objects.layer.data.shape == picture.shape
    assert session.objects.layer.data[20, 30] == 1


def test_a_mask_larger_than_the_preview_is_shown_coarser(
    viewer: ViewerModel, worker: Any, make_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.ui.preview.BUFFER_SIDE", 16)
    viewer.add_image(np.zeros((60, 80)), scale=(0.5, 0.5))
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add((20, 30))
    session.choose(2)
    preview = preview_of(session)
    assert preview.data.shape == (16, 16)
    drawn = np.argwhere(preview.data)
    world = np.array([preview.data_to_world(pixel) for pixel in drawn])
    np.testing.assert_allclose(world.mean(axis=0), (10, 15), atol=0.1)
    assert len(drawn) * 4 == pytest.approx(BIG, rel=0.1), "each of its pixels is 2 x 2"


def test_boxes_that_are_left_become_the_next_prompt(session: Session, backend: Any) -> None:
    session.draw_boxes()
    boxes = session.prompts.boxes
    boxes.add_rectangles(np.array([[5, 5], [15, 25]]))
    boxes.add_rectangles(np.array([[30, 40], [50, 60]]))
    assert len(session.objects.candidates) == 1
    session.accept()
    assert boxes.nshapes == 1
    session.accept()
    assert boxes.nshapes == 0
    layer = session.objects.layer
    assert (layer.data[40, 50], layer.data[10, 15]) == (1, 2)
    np.testing.assert_allclose(backend.prompts[-1].box, (5, 5, 15, 25))


def test_points_and_box_together_are_one_prompt(session: Session, backend: Any) -> None:
    session.prompts.points.add((20, 30))
    session.draw_boxes()
    session.prompts.boxes.add_rectangles(np.array([[10, 20], [30, 40]]))
    prompt = backend.prompts[-1]
    np.testing.assert_allclose(prompt.points, [(20, 30)])
    np.testing.assert_allclose(prompt.box, (10, 20, 30, 40))
    asked = len(backend.prompts)
    session.accept()
    assert len(backend.prompts) == asked, "half of a prompt that was accepted is no prompt"


def test_clear_wipes_the_marks_of_this_plane_only(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image(np.stack([picture] * 3))
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add([[0, 20, 30], [1, 21, 31], [1, 22, 32]])
    viewer.dims.set_point(0, 1)
    session.clear()
    np.testing.assert_array_equal(session.prompts.points.data, [[0, 20, 30]])
    assert session.objects.candidates is None
    assert session.status == NO_MARK


def test_keys_on_our_layers_drive_the_session(session: Session) -> None:
    points = session.prompts.points
    keys = keys_of(points)
    points.add((20, 30))
    keys["3"](points)
    assert session.objects.chosen == 2
    keys["2"](points)
    assert session.objects.chosen == 1
    keys["Enter"](points)
    assert session.objects.layer.data[20, 30] == 1
    keys["Ctrl+Z"](points)
    assert not session.objects.layer.data.any()
    points.add((20, 30))
    keys["Escape"](points)
    assert not len(points.data)
    session.close()
    assert set(keys_of(points)) == {"T"}, "what needs no panel stays"


def test_a_mask_without_free_pixels_is_refused_and_stays_to_choose_another(
    session: Session, warnings_shown: list[str]
) -> None:
    session.prompts.points.add((20, 30))
    session.choose(2)
    session.accept()
    session.prompts.points.add((20, 30))
    session.accept()
    assert "belong to other objects" in warnings_shown[0]
    assert session.objects.candidates is not None
