from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.prompt_layers import box_layer
from napari_sam.ui.wording import NO_IMAGE, NO_LAYER

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam.ui.session import Session


def preview_of(session: Session) -> Labels:
    preview = find_layer(session.viewer, session.image, "preview")
    assert preview is not None
    return preview


def test_layers_lie_from_image_over_objects_and_candidate_to_prompts(session: Session) -> None:
    session.draw_boxes()
    session.prompts.points.add((20, 30))
    session.accept()
    names = [layer.name for layer in session.viewer.layers]
    assert names == ["cells", "cells objects", "cells candidate", "cells points", "cells boxes"]


def test_the_candidates_layer_is_made_with_that_of_the_marks_and_not_on_the_way(
    session: Session,
) -> None:
    preview = preview_of(session)
    assert not preview.visible
    assert session.viewer.layers.selection.active is session.prompts.points
    session.prompts.points.add((20, 30))
    assert preview.visible
    assert preview_of(session) is preview
    assert preview.data.shape == session.image.data.shape


def test_objects_can_go_into_a_layer_that_was_there(
    session: Session, viewer: ViewerModel, picture: np.ndarray
) -> None:
    mine = viewer.add_labels(np.full(picture.shape, 0, np.uint16), name="mine")
    mine.data[0, 0] = 41
    session.prompts.points.add((20, 30))
    session.choose(1)
    session.use_labels(mine)
    assert session.objects.chosen == 1, "the candidates stay"
    session.accept()
    assert mine.data[20, 30] == 42
    session.use_labels(None)
    session.prompts.points.add((20, 30))
    session.accept()
    assert session.objects.layer is not mine
    assert session.objects.layer.data[20, 30] == 1


def test_an_array_that_was_replaced_is_painted_in_its_place(session: Session) -> None:
    session.prompts.points.add((20, 30))
    session.accept()
    layer = session.objects.layer
    session.prompts.points.add((45, 60))
    layer.data = np.zeros_like(layer.data)
    session.accept()
    assert layer.data[45, 60] == 1
    assert layer.data[20, 30] == 0


def test_an_image_that_moves_takes_its_layers_along(session: Session) -> None:
    session.prompts.points.add((20, 30))
    session.accept()
    session.prompts.points.add((40, 50))
    session.image.scale = (0.1, 0.2)
    session.image.translate = (5, 6)
    expected = session.image.data_to_world((40, 50))
    np.testing.assert_allclose(session.prompts.points.data_to_world((40, 50)), expected)
    np.testing.assert_allclose(session.objects.layer.data_to_world((40, 50)), expected)
    drawn = np.argwhere(preview_of(session).data).mean(axis=0)
    np.testing.assert_allclose(preview_of(session).data_to_world(drawn), expected)


def test_the_session_follows_the_user_to_another_image(
    session: Session, viewer: ViewerModel, picture: np.ndarray
) -> None:
    first, points = session.image, session.prompts.points
    points.add((20, 30))
    second = viewer.add_image(picture, name="other cells")
    assert session.image is first, "a new image alone changes nothing"
    other = box_layer(viewer, second)
    assert session.image is second
    assert session.prompts.boxes is other
    assert session.objects.candidates is None
    viewer.layers.selection.active = points
    assert session.image is first
    assert session.objects.candidates is not None, "its marks are still there"


@pytest.mark.parametrize("role", ["points", "boxes", "labels", "preview"])
def test_any_of_our_layers_can_be_removed(session: Session, role: Any) -> None:
    viewer = session.viewer
    session.draw_boxes()
    session.prompts.points.add((20, 30))
    session.accept()
    session.prompts.points.add((40, 50))
    viewer.layers.remove(find_layer(viewer, session.image, role))
    session.choose(1)
    session.clear()
    session.draw_points()
    session.prompts.points.add((10, 60))
    session.accept()
    assert session.objects.layer in viewer.layers
    assert session.objects.layer.data[10, 60] > 0
    session.undo()


def test_the_image_can_be_removed_at_any_moment(
    session: Session, slow_worker: Any, picture: np.ndarray, warnings_shown: list[str]
) -> None:
    viewer = session.viewer
    session.prompts.points.add((20, 30))
    session.worker = slow_worker
    session.prompts.points.add((22, 30))
    viewer.layers.remove(session.image)
    slow_worker.run_next()
    assert session.image is None
    assert session.status == NO_IMAGE
    for call in (session.accept, session.undo, session.clear, session.ask):
        call()
    session.draw_points()
    assert warnings_shown == ["There is no image to prompt: open one first."]
    fresh = viewer.add_image(picture)
    assert session.image is fresh
    assert session.status == NO_LAYER


def test_all_layers_can_be_removed_at_once(session: Session, viewer: ViewerModel) -> None:
    session.draw_boxes()
    session.prompts.points.add((20, 30))
    session.accept()
    viewer.layers.clear()
    assert session.image is None
    assert session.objects.layer is None
    assert session.prompts.points is session.prompts.boxes is None


def test_a_new_panel_finds_the_layers_of_the_one_before(
    session: Session, make_session: Any, worker: Any
) -> None:
    points = session.prompts.points
    points.add((20, 30))
    session.accept()
    layer = session.objects.layer
    session.close()
    again = make_session(type(worker)(at_once=True))
    assert again.image is session.image
    assert again.prompts.points is points
    points.add((45, 60))
    again.accept()
    assert again.objects.layer is layer
    assert layer.data[45, 60] == 2


def test_a_closed_session_hears_nothing_more(
    session: Session, backend: Any, worker: Any, picture: np.ndarray
) -> None:
    points = session.prompts.points
    session.close()
    points.add((20, 30))
    session.viewer.add_image(picture)
    session.viewer.scene.camera.zoom = 7
    assert worker.closed
    assert not backend.prompts


def test_a_view_in_3d_has_no_prompt_and_says_so(
    viewer: ViewerModel, picture: np.ndarray, worker: Any, make_session: Any
) -> None:
    viewer.add_image(np.stack([picture] * 3))
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add((1, 20, 30))
    viewer.dims.ndisplay = 3
    assert session.objects.candidates is None
    assert "switch back to 2D" in session.status
    viewer.dims.ndisplay = 2
    assert session.objects.candidates is not None
