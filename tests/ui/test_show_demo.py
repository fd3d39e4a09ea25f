from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from PIL import Image

from napari_sam.errors import InputError
from napari_sam.ui import show_demo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, shape in (("coins", (20, 30)), ("cell", (40, 50))):
        Image.fromarray(np.full(shape, 7, np.uint8)).save(tmp_path / f"{name}.png")
        labels = np.zeros(shape, np.uint16)
        labels[3:5, 3:5] = 1
        tifffile.imwrite(tmp_path / f"{name}_labels.tif", labels)
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "overlay.png")
    return tmp_path


def test_images_lie_side_by_side_under_their_labels(results: Path) -> None:
    viewer = ViewerModel()
    show_demo.add_results(viewer, results)
    names = [layer.name for layer in viewer.layers]
    assert names == ["cell", "cell_labels", "coins", "coins_labels"]
    cell, cell_labels, coins, coins_labels = viewer.layers
    np.testing.assert_array_equal(cell.translate, cell_labels.translate)
    np.testing.assert_array_equal(coins.translate, coins_labels.translate)
    assert coins.translate[1] > cell.extent.world[1, 1], "they do not overlap"
    assert coins_labels.data.max() == 1


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run napari-sam demo first"):
        show_demo.add_results(ViewerModel(), tmp_path)


def test_without_a_folder_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_demo.main([]) == 2
    assert "show_demo FOLDER" in capsys.readouterr().err
