from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from napari_sam import open_image
from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.segmentation.automatic.output import LabelTarget, fits_memory, records_beside
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.source import ImageSource


@pytest.fixture
def image() -> ImageSource:
    return open_image(np.zeros((3, 40, 50), np.uint8), axes="TYX")


@pytest.fixture
def ome_zarr(tmp_path: Path) -> Path:
    """Return an OME-Zarr image with a physical size."""
    path = tmp_path / "slide.zarr"
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("0", data=np.zeros((40, 50), np.uint8), chunks=(20, 20))
    transformations = [{"type": "scale", "scale": [0.25, 0.25]}]
    multiscale = {
        "axes": [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"],
        "datasets": [{"path": "0", "coordinateTransformations": transformations}],
    }
    group.update_attributes({"ome": {"version": "0.5", "multiscales": [multiscale]}})
    return path


def test_without_a_place_labels_are_an_array_of_zeros(image: ImageSource) -> None:
    target = LabelTarget.open(None, image, "a run")
    assert isinstance(target.labels, np.ndarray)
    assert (target.labels.shape, target.labels.dtype) == ((3, 40, 50), np.uint32)
    assert (target.first_id, target.marker) == (1, None)


def test_labels_on_disk_have_the_axes_of_the_image(image: ImageSource, tmp_path: Path) -> None:
    target = LabelTarget.open(tmp_path / "new" / "labels.zarr", image, "a run")
    assert isinstance(target.labels, LabelPyramid)
    assert target.labels.axes.upper() == "TYX"
    assert target.labels.shape == (3, 40, 50)


def test_labels_inside_an_image_are_a_part_of_it(ome_zarr: Path) -> None:
    out = ome_zarr / "labels" / "nuclei"
    LabelTarget.open(out, open_image(ome_zarr), "a run").finish()
    assert zarr.open_group(ome_zarr / "labels").attrs["ome"]["labels"] == ["nuclei"]  # type: ignore[index]
    assert [path.name for path in (ome_zarr / "labels").iterdir() if path.is_dir()] == ["nuclei"]
    assert not list(ome_zarr.rglob("*.unfinished"))


def test_only_the_run_that_began_labels_goes_on_with_them(
    image: ImageSource, tmp_path: Path
) -> None:
    out = tmp_path / "labels.zarr"
    begun = LabelTarget.open(out, image, "a run")
    begun.labels.levels[0][0, 5, 5] = 3  # type: ignore[union-attr]
    with pytest.raises(InputError, match="other settings"):
        LabelTarget.open(out, image, "another run")
    again = LabelTarget.open(out, image, "a run")
    assert again.labels.levels[0][0, 5, 5] == 3  # type: ignore[union-attr]
    again.finish()
    with pytest.raises(InputError, match="is not overwritten"):
        LabelTarget.open(out, image, "a run")


def test_a_folder_that_was_half_made_is_made_again(image: ImageSource, tmp_path: Path) -> None:
    out = tmp_path / "labels.zarr"
    LabelTarget.open(out, image, "a run")
    (out / "zarr.json").unlink()
    assert LabelTarget.open(out, image, "a run").labels.shape == (3, 40, 50)


def test_labels_that_are_there_keep_their_ids(image: ImageSource) -> None:
    labels = np.zeros((3, 40, 50), np.int32)
    labels[1, 2, 3] = 41
    target = LabelTarget.open(labels, image, "a run")
    assert target.labels is labels
    assert target.first_id == 42
    with pytest.raises(InputError, match="do not fit"):
        LabelTarget.open(labels[0], image, "a run")
    with pytest.raises(InputTypeError, match="float32"):
        LabelTarget.open(labels.astype(np.float32), image, "a run")


def test_a_place_that_cannot_be_written_is_one_sentence(image: ImageSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="could not be written"):
        LabelTarget.open(tmp_path / "file" / "labels.zarr", image, "a run")
    with pytest.raises(InputError, match="no name for labels on disk"):
        LabelTarget.open(tmp_path / "labels.tif", image, "a run")


def test_records_lie_beside_labels_and_not_in_images(ome_zarr: Path, tmp_path: Path) -> None:
    assert records_beside(None) is None
    assert records_beside(np.zeros((4, 4), int)) is None
    assert records_beside(tmp_path / "labels.zarr") == tmp_path / "labels.records"
    assert records_beside(ome_zarr / "labels" / "nuclei") == tmp_path / "slide.nuclei.records"
    elsewhere = tmp_path / "labels" / "cells"
    assert records_beside(elsewhere) == tmp_path / "labels" / "cells.records"


def test_what_fits_memory() -> None:
    assert fits_memory((16_384, 16_384))
    assert not fits_memory((16_385, 10))
    assert not fits_memory((1000, 4000, 4000))
