from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.labels import tiff as label_tiff
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.labels.tiff import write_tiff

if TYPE_CHECKING:
    from pathlib import Path


def random_labels(shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.random.default_rng(0).integers(0, 70_000, shape, np.uint32)


@pytest.mark.parametrize("shape", [(30, 41), (3, 30, 41), (2, 3, 30, 41), (1, 30, 41)])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("kind", ["numpy", "pyramid"])
def test_labels_come_back_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], tiled: bool, kind: str
) -> None:
    if tiled:
        monkeypatch.setattr(label_tiff, "LARGEST_UNTILED", 10)
        monkeypatch.setattr(label_tiff, "TILE", 16)
    array = random_labels(shape)
    labels = LabelPyramid.from_array(tmp_path / "a.zarr", array) if kind == "pyramid" else array
    write_tiff(labels, tmp_path / "a.tif")
    back = tifffile.imread(tmp_path / "a.tif")
    assert back.dtype == np.uint32
    np.testing.assert_array_equal(back.reshape(shape), array)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        assert (page.is_tiled, page.compression.name) == (tiled, "ADOBE_DEFLATE")
        assert not file.is_bigtiff
    assert not list(tmp_path.glob("*.partial"))


def test_labels_of_more_than_four_gigabytes_become_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_tiff, "LARGEST_CLASSIC", 100)
    write_tiff(random_labels((30, 41)), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_tiff(np.ones((3, 3), np.uint8), path)
    with pytest.raises(InputError, match=r"a.tif exists already"):
        write_tiff(np.zeros((3, 3), np.uint8), path)
    assert tifffile.imread(path).all()
    write_tiff(np.zeros((3, 3), np.uint8), path, overwrite=True)
    assert not tifffile.imread(path).any()


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing.*could not be written"):
        write_tiff(np.zeros((3, 3), np.uint8), tmp_path / "missing" / "a.tif")


def test_a_file_that_breaks_off_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = label_tiff.planes

    def broken(array: Any) -> Any:
        yield from list(planes(array))[:2]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_tiff, "planes", broken)
    with pytest.raises(StoreError, match="No space left"):
        write_tiff(random_labels((4, 300, 300)), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []
