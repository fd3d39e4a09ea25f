from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.objects_table import (
    ObjectRows,
    check_table_path,
    write_objects,
)

if TYPE_CHECKING:
    from pathlib import Path


def found_masks(labels: np.ndarray) -> FoundMasks:
    """Objects of a label image as if they had been found, in the order of their ids."""
    n = int(labels.max())
    hits = [np.nonzero(labels == number) for number in range(1, n + 1)]
    boxes = np.array([(y.min(), x.min(), y.max() + 1, x.max() + 1) for y, x in hits])
    rles = np.empty(n, np.object_)
    for row, (y0, x0, y1, x1) in enumerate(boxes):
        mask = labels[y0:y1, x0:x1] == row + 1
        rles[row] = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return replace(
        FoundMasks.empty(),
        boxes=boxes,
        rles=rles,
        scores=np.linspace(0.9, 0.6, n, dtype=np.float32),
        stability=np.linspace(0.99, 0.8, n, dtype=np.float32),
        areas=np.array([len(y) for y, _ in hits]),
        points=np.array([(y.mean(), x.mean()) for y, x in hits]),
        prompts=np.arange(n) + 10,
        tokens=np.zeros(n, np.uint8),
        samplings=np.full(n, 2.0),
        tiles=np.tile([3, 4], (n, 1)),
    )


@pytest.fixture
def labels() -> np.ndarray:
    """Three objects, one of them in two pieces that touch the top and the bottom of its box."""
    labels = np.zeros((30, 50), np.int64)
    labels[4:10, 5:8] = 1
    y, x = np.mgrid[:30, :50]
    labels[(y - 18) ** 2 + (x - 30) ** 2 < 60] = 2
    labels[0:5, 40] = 3
    labels[3:5, 41:44] = 3
    return labels


def test_measures_are_those_of_the_pixels(labels: np.ndarray) -> None:
    rows = ObjectRows()
    rows.add((), np.array([1, 2, 3]), found_masks(labels))
    table = rows.frame()
    assert len(rows) == len(table) == 3
    for row in table.itertuples():
        y, x = np.nonzero(labels == row.id)
        assert row.area == len(y)
        assert (row.y, row.x) == pytest.approx((y.mean(), x.mean()))
        box = (y.min() - 0.5, x.min() - 0.5, y.max() + 0.5, x.max() + 0.5)
        assert (row.y0, row.x0, row.y1, row.x1) == box
        assert np.pi * (row.diameter / 2) ** 2 == pytest.approx(row.area)
        assert (row.sampling, row.tile_row, row.tile_column) == (2, 3, 4)
    np.testing.assert_allclose(table["predicted_iou"], [0.9, 0.75, 0.6], atol=1e-6)


def test_planes_are_columns_and_rows_are_in_the_order_of_their_ids(labels: np.ndarray) -> None:
    rows = ObjectRows("tz")
    rows.add((1, 5), np.array([6, 4, 5]), found_masks(labels))
    rows.add((0, 2), np.array([1, 2, 3]), found_masks(labels))
    table = rows.frame()
    assert list(table.columns[:4]) == ["id", "t", "z", "predicted_iou"]
    np.testing.assert_array_equal(table["id"], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(table["t"], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(table["z"], [2, 2, 2, 5, 5, 5])


def test_no_objects_are_a_table_with_the_same_columns(labels: np.ndarray) -> None:
    some = ObjectRows("z")
    some.add((0,), np.array([1, 2, 3]), found_masks(labels))
    none = ObjectRows("z").frame()
    assert len(none) == 0
    pd.testing.assert_series_equal(none.dtypes, some.frame().dtypes)


def test_boxes_of_a_detector_and_visible_pixels_have_a_column_where_they_are_known(
    labels: np.ndarray,
) -> None:
    rows = ObjectRows(of_boxes=True)
    rows.add((), np.array([1, 2, 3]), found_masks(labels))
    rows.show(np.array([3, 1]), np.array([7, 2]))
    rows.show(np.array([3]), np.array([4]))
    table = rows.frame()
    np.testing.assert_array_equal(table["box"], [10, 11, 12])
    np.testing.assert_array_equal(table["labelled"], [2, 0, 11])
    assert "box" not in ObjectRows().frame()


def test_a_csv_file_holds_the_table(labels: np.ndarray, tmp_path: Path) -> None:
    rows = ObjectRows()
    rows.add((), np.array([1, 2, 3]), found_masks(labels))
    write_objects(rows.frame(), tmp_path / "objects.csv")
    again = pd.read_csv(tmp_path / "objects.csv", dtype=rows.frame().dtypes.to_dict())
    pd.testing.assert_frame_equal(again, rows.frame())


def test_a_parquet_file_holds_the_table(labels: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = ObjectRows()
    rows.add((), np.array([1, 2, 3]), found_masks(labels))
    write_objects(rows.frame(), tmp_path / "objects.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "objects.parquet"), rows.frame())


def test_a_table_that_cannot_be_written_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"objects\.xlsx says no format"):
        check_table_path(tmp_path / "objects.xlsx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        check_table_path(tmp_path / "objects.parquet")
    assert check_table_path(tmp_path / "objects.csv") == tmp_path / "objects.csv"


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        write_objects(ObjectRows().frame(), tmp_path / "missing" / "objects.csv")
