"""The layers of a review: its keys, colours and frame, and layers that are gone."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel

from napari_sam.ui.review_keys import REVIEW_KEYS
from napari_sam.ui.score_colours import colour_of

if TYPE_CHECKING:
    from napari_sam.ui.review import Review

REVIEWED = runpy.run_path(str(Path(__file__).with_name("reviewed_session.py")))
frame = REVIEWED["frame"]
made = REVIEWED["made"]


def test_the_keys_work_on_the_layer_and_are_none_of_naparis(
    viewer: ViewerModel, review: Review
) -> None:
    from napari.layers import Labels
    from napari.utils.action_manager import action_manager
    from napari.utils.shortcuts import default_shortcuts

    theirs = {
        str(key).lower()
        for name, action in action_manager._actions.items()
        if action.keymapprovider in (Labels, ViewerModel)
        for key in default_shortcuts.get(name, ())
    }
    assert {"m", "e", "x", "v", "1"} <= theirs
    assert not theirs & set(REVIEW_KEYS)
    layer = review.session.objects.layer
    assert set(REVIEW_KEYS) <= {str(key).lower() for key in layer.keymap}
    press = {str(key).lower(): call for key, call in layer.keymap.items()}
    press["n"](layer)
    assert review.current == 2
    press["a"](layer)
    assert review.rows[2].state == "accepted"
    review.close()
    assert not any(callable(call) for call in layer.keymap.values())


def test_naparis_own_picker_picks_the_row_without_moving(review: Review) -> None:
    centre = review.session.viewer.scene.camera.center
    review.session.objects.layer.selected_label = 3
    assert review.current == 3
    assert review.session.viewer.scene.camera.center == centre
    review.session.objects.layer.selected_label = 77
    assert review.current == 3


def test_colours_follow_the_objects_and_go_when_the_review_does(review: Review) -> None:
    layer = review.session.objects.layer
    own = layer.colormap
    review.coloured = True
    np.testing.assert_allclose(layer.get_color(2), colour_of(0.3), atol=1e-6)
    review.session.objects.rows[2] = made(2, 1.0, ())
    review.session.step("refine", (2,))
    np.testing.assert_allclose(layer.get_color(2), colour_of(1.0), atol=1e-6)
    review.coloured = False
    assert layer.colormap is own
    review.coloured = True
    assert layer.colormap is not own
    review.close()
    assert layer.colormap is own


def test_turning_to_another_layer_begins_anew_in_its_colours(
    viewer: ViewerModel, review: Review
) -> None:
    objects = review.session.objects
    first, own = objects.layer, objects.layer.colormap
    review.coloured = True
    review.next()
    other = viewer.add_labels(np.zeros((60, 80), np.uint32), name="more")
    objects.layer, objects.rows = other, {5: made(5, 0.5, ())}
    objects.turned.emit()
    assert first.colormap is own
    assert not first.keymap or not any(callable(call) for call in first.keymap.values())
    assert review.current is None
    assert not frame(viewer).visible
    review.work()
    np.testing.assert_allclose(other.get_color(5), colour_of(0.5), atol=1e-6)
    review.next()
    assert review.current == 5
    objects.layer, objects.rows = None, {}
    objects.turned.emit()
    review.work()
    assert review.progress == "No objects yet"
    review.next()
    assert "no objects yet" in review.session.status


def test_layers_can_be_deleted_at_any_moment(viewer: ViewerModel, review: Review) -> None:
    review.coloured = True
    review.next()
    viewer.layers.remove(frame(viewer))
    review.next()
    assert frame(viewer).visible
    viewer.layers.remove(review.session.objects.layer)
    review.next()
    review.coloured = False
    viewer.layers.clear()
    review.session.image = None
    review.next()
    review.accept()


def test_the_frame_goes_and_comes_without_moving(viewer: ViewerModel, review: Review) -> None:
    review.show_frame(shown=True)
    assert frame(viewer) is None, "nothing is looked at yet"
    review.next()
    viewer.scene.camera.zoom = centre = 1.5
    review.show_frame(shown=False)
    assert not frame(viewer).visible
    review.show_frame(shown=True)
    assert frame(viewer).visible
    assert viewer.scene.camera.zoom == centre
