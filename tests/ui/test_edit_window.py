from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.edit_window import WINDOW_SIDE, EditWindow, window_box

if TYPE_CHECKING:
    from napari.components import ViewerModel


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ((10.2, 20.7, 60.1, 90.0), (9, 20, 59, 90)),
        ((-50.0, -50.0, 20.0, 20.0), (0, 0, 70, 70)),
        ((0.0, 0.0, 9_999.0, 9_999.0), (3976, 3976, 6024, 6024)),
    ],
)
def test_a_window_is_what_is_in_view_or_its_middle(view: Any, expected: Any) -> None:
    box = window_box(view, (10_000, 10_000))
    assert max(box[2] - box[0], box[3] - box[1]) <= WINDOW_SIDE
    np.testing.assert_allclose(box, expected, atol=1)


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((2, 60, 80), np.uint32)
    labels[1, 10:20, 10:20] = 3
    return labels


@pytest.fixture
def window(viewer: ViewerModel, labels: np.ndarray) -> EditWindow:
    image = viewer.add_image(np.zeros(labels.shape), scale=(2, 0.5, 0.5), translate=(0, 7, 9))
    viewer.dims.set_point(0, 2)
    return EditWindow(viewer, image, labels, (1,), (5, 5, 45, 55), 9)


def test_the_window_lies_on_the_image_and_paints(window: EditWindow, viewer: ViewerModel) -> None:
    image, layer = viewer.layers[0], window.layer
    np.testing.assert_allclose(layer.data_to_world((0, 0, 0)), image.data_to_world((1, 5, 5)))
    assert viewer.layers.selection.active is layer
    assert (layer.mode, layer.selected_label) == ("paint", 9)
    assert (window.pixels == 3).sum() == 100


def test_only_what_was_painted_is_kept(window: EditWindow, labels: np.ndarray) -> None:
    kept: list[Any] = []

    def repaint(plane: Any, box: Any, pixels: np.ndarray) -> bool:
        kept.append((plane, box, pixels))
        return True

    assert window.keep(repaint)
    assert not kept, "nothing was painted"
    window.pixels[20:24, 30:35] = 9
    assert not labels[1, 25, 35]
    assert window.keep(repaint)
    ((plane, box, pixels),) = kept
    assert (plane, box) == ((1,), (25, 35, 29, 40))
    assert (pixels == 9).all()
    window.keep(repaint)
    assert len(kept) == 1, "it is kept once"


def test_what_changes_meanwhile_is_taken_over_where_nothing_was_painted(
    window: EditWindow, labels: np.ndarray
) -> None:
    window.pixels[20:24, 30:35] = 9
    labels[1, 25:40, 39:50] = 4
    window.follow((1,), (25, 39, 40, 50))
    assert window.pixels[20, 34] == 9, "the brush goes before"
    assert window.pixels[30, 40] == 4
    before = window.pixels.copy()
    window.follow((0,), (0, 0, 60, 80))
    window.follow((1,), (50, 60, 60, 80))
    np.testing.assert_array_equal(window.pixels, before)


def test_the_layer_is_made_once(viewer: ViewerModel, window: EditWindow) -> None:
    first = window.layer
    window.hide()
    assert not first.visible
    second = EditWindow(viewer, viewer.layers[0], window._labels, (0,), (0, 0, 20, 20), 4)
    assert second.layer is first
    assert first.visible
    assert second.pixels.shape == (20, 20)
    np.testing.assert_allclose(first.data_to_world((0, 0, 0)), (0, 7, 9))
