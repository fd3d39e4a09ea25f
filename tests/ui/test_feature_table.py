from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.ui.feature_table import FeatureTable


def row(id_: int, **values: Any) -> ObjectRow:
    known = {"area": 10 * id_, "score": 0.5, "stability": None, "source": "prompt", "model": "m"}
    return ObjectRow(id=id_, plane=(), box=(0, 0, 1, 1), prompt=None, **{**known, **values})


def test_the_table_follows_the_objects_row_by_row() -> None:
    layer = Labels(np.eye(5, dtype=int))
    source = SimpleNamespace(rows={1: row(1), 3: row(3, score=None, source="painted")})
    table = FeatureTable(source)
    table.show(layer)
    assert list(layer.features["index"]) == [1, 3]
    assert np.isnan(layer.features["score"][1])
    source.rows = {1: row(1, state="accepted"), 2: row(2)}
    table.update(layer, [1, 2, 3])
    assert list(layer.features["index"]) == [1, 2]
    assert list(layer.features["state"]) == ["accepted", "new"]
    assert list(layer.features["area"]) == [10, 20]
    source.rows = {}
    table.update(layer, [1, 2])
    assert not len(layer.features)


def test_napari_tells_of_the_object_under_the_mouse() -> None:
    layer = Labels(np.full((5, 5), 7))
    FeatureTable(SimpleNamespace(rows={7: row(7)})).show(layer)
    told = layer._get_properties((2, 2), world=True)
    assert "area: 70" in told
    assert "source: prompt" in told
