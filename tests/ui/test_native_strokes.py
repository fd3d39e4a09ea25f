from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_sam.ui.native_strokes import NativeStrokes


class Keeper:
    """Paints strokes again as a journal would, or refuses them."""

    def __init__(self, layer: Labels, *, refuses: bool = False) -> None:
        self.layer = layer
        self.refuses = refuses
        self.strokes: list[tuple[tuple[int, ...], Any, np.ndarray, np.ndarray]] = []

    def __call__(self, plane: tuple[int, ...], box: Any, pixels: np.ndarray) -> bool:
        y0, x0, y1, x1 = box
        there = self.layer.data[(*plane, slice(y0, y1), slice(x0, x1))]
        self.strokes.append((plane, box, there.copy(), pixels))
        if not self.refuses:
            there[...] = pixels
        return not self.refuses


@pytest.fixture
def layer() -> Labels:
    return Labels(np.zeros((40, 50), np.uint32))


def test_a_stroke_is_put_back_and_handed_over_in_one_piece(layer: Labels) -> None:
    keeper = Keeper(layer)
    strokes = NativeStrokes(layer, keeper)  # noqa: F841  held as long as it watches
    layer.selected_label, layer.brush_size = 7, 5
    with layer.block_history():  # as a drag of the mouse does
        for x in (10, 12, 14):
            layer.paint((20, x), 7)
    ((plane, box, before, pixels),) = keeper.strokes
    assert plane == ()
    assert box[0] < 20 < box[2]
    assert box[1] < 10 < 14 < box[3]
    assert not before.any(), "the journal is written before the labels are touched"
    assert pixels.any()
    assert layer.data[20, 12] == 7
    layer.undo()
    assert layer.data[20, 12] == 7, "napari has nothing to undo"


def test_filling_and_polygons_are_strokes_too(layer: Labels) -> None:
    layer.data[5:10, 5:10] = 3
    keeper = Keeper(layer)
    strokes = NativeStrokes(layer, keeper)  # noqa: F841  held as long as it watches
    layer.fill((6, 6), 9)
    assert (layer.data == 9).sum() == 25
    layer.paint_polygon([[20, 20], [20, 30], [30, 30], [30, 20]], 4)
    assert (layer.data == 4).any()
    assert [int(stroke[2].max()) for stroke in keeper.strokes] == [3, 0]
    layer.data_setitem((np.array([1, 2]), np.array([1, 1])), 8)
    assert layer.data[2, 1] == 8
    assert len(keeper.strokes) == 3


@pytest.mark.parametrize("tool", ["fill", "brush"])
def test_a_stroke_that_is_refused_is_not_painted(layer: Labels, tool: str) -> None:
    layer.data[5:10, 5:10] = 3
    before = layer.data.copy()
    keeper = Keeper(layer, refuses=True)
    strokes = NativeStrokes(layer, keeper)  # noqa: F841  held as long as it watches
    if tool == "fill":
        layer.fill((6, 6), 9)
    else:
        layer.paint((6, 6), 9)
    assert keeper.strokes
    np.testing.assert_array_equal(layer.data, before)


def test_a_stroke_through_planes_is_handed_over_plane_by_plane() -> None:
    layer = Labels(np.zeros((3, 30, 30), np.uint32))
    keeper = Keeper(layer)
    strokes = NativeStrokes(layer, keeper)
    layer.brush_size, layer.n_edit_dimensions = 6, 3
    layer.paint((1, 15, 15), 2)
    assert [stroke[0] for stroke in keeper.strokes] == [(0,), (1,), (2,)]
    assert layer.data[1, 15, 15] == 2
    strokes.close()
    layer.paint((1, 5, 5), 2)
    assert len(keeper.strokes) == 3
