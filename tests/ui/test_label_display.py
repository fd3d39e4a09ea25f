from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sam.ui import label_display
from napari_sam.ui.label_display import is_shown, show_part
from napari_sam.ui.label_layers import new_label_layer


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_display, "SMALL", 0)


def updates_of(layer: Labels) -> list[Any]:
    updates: list[Any] = []
    layer.events.labels_update.connect(lambda event: updates.append((event.data, event.offset)))
    return updates


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
@pytest.mark.parametrize("contour", [0, 2])
def test_a_box_is_drawn_as_a_full_refresh_would(dtype: Any, contour: int) -> None:
    layer = Labels(np.zeros((60, 80), dtype))
    layer.contour = contour
    reference = Labels(np.zeros((60, 80), dtype))
    reference.contour = contour
    updates = updates_of(layer)
    for each in (layer, reference):
        each.data[10:30, 20:50] = 5
    show_part(layer, (), (10, 20, 30, 50))
    reference.refresh()
    np.testing.assert_array_equal(layer._slice.image.view, reference._slice.image.view)
    ((texture, offset),) = updates
    assert offset == [10 - contour, 20 - contour]
    assert texture.shape == (20 + 2 * contour, 30 + 2 * contour)


def test_only_the_plane_in_view_is_drawn() -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((3, 60, 80), np.uint32), scale=(2, 1, 1))
    viewer.dims.set_point(0, 2)
    updates = updates_of(layer)
    assert is_shown(layer, (1,))
    layer.data[0, :5, :5] = 3
    show_part(layer, (0,), (0, 0, 5, 5))
    assert not updates
    layer.data[1, :5, :5] = 3
    show_part(layer, (1,), (0, 0, 5, 5))
    assert len(updates) == 1
    viewer.dims.set_point(0, 0)
    assert layer._slice.image.raw[0, 0] == 3


@pytest.mark.parametrize("view", ["3d", "rolled", "hidden"])
def test_other_views_are_drawn_anew_as_a_whole(view: str) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((3, 60, 80), np.uint32))
    if view == "3d":
        viewer.dims.ndisplay = 3
    elif view == "rolled":
        viewer.dims.order = (1, 2, 0)
    else:
        layer.visible = False
    updates = updates_of(layer)
    layer.data[viewer.dims.current_step[0], :5, :5] = 3
    show_part(layer, (viewer.dims.current_step[0],), (0, 0, 5, 5))
    assert not updates
    layer.visible = True
    assert layer._slice.image.raw.any() or view == "rolled"


def test_napari_working_differently_costs_time_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = Labels(np.zeros((60, 80), np.uint32))
    monkeypatch.delattr(Labels, "_raw_to_displayed")
    drawn: list[bool] = []
    monkeypatch.setattr(layer, "refresh", lambda **_: drawn.append(True))
    show_part(layer, (), (0, 0, 5, 5))
    assert drawn == [True]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list of how many pixels napari made colour indices of, each time."""
    counts: list[int] = []
    by_napari = Labels._raw_to_displayed

    def count(layer: Any, raw: Any, data_slice: Any = None) -> Any:
        shape = raw.shape if data_slice is None else [s.stop - s.start for s in data_slice]
        counts.append(int(np.prod(shape)))
        return by_napari(layer, raw, data_slice=data_slice)

    monkeypatch.setattr(Labels, "_raw_to_displayed", count)
    return counts


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_layer_without_objects_is_added_without_looking_at_its_pixels(
    looked_at: list[int], is_empty: bool
) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((60, 80)))
    layer = new_label_layer(viewer, image, np.zeros((60, 80), np.uint32), is_empty=is_empty)
    assert layer.visible
    assert layer.loaded
    assert layer._slice.image.view.shape == (60, 80)
    assert not layer._slice.image.view.any()
    assert layer._slice.image.view.dtype == layer._slice_dtype()
    assert (max(looked_at, default=0) < 60 * 80) == is_empty
    layer.data[10:20, 10:20] = 7
    layer.refresh()
    assert np.count_nonzero(layer._slice.image.view) == 100


def test_what_napari_wants_again_before_its_first_drawing_costs_no_more(
    looked_at: list[int],
) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((60, 80), np.uint32))
    layer.events.labels_update.connect(lambda: layer.refresh())
    layer.data[10:20, 10:20] = 7
    looked_at.clear()
    show_part(layer, (), (10, 10, 20, 20))
    assert looked_at == [100]
    assert np.count_nonzero(layer._slice.image.view) == 100
