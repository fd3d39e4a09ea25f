"""Folders and manifests: what is read, and one sentence for everything that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam.errors import InputError
from napari_sam.training.annotated import AnnotatedImage
from napari_sam.training.dataset import read_dataset


def discs(*numbers: int) -> np.ndarray:
    """Labels, 40 x 60, with a disc of each number."""
    y, x = np.mgrid[:40, :60]
    labels = np.zeros((40, 60), np.uint16)
    for number in numbers:
        labels[(y - 20) ** 2 + (x - 10 * number) ** 2 < 16] = number
    return labels


def add(folder: Path, name: str, labels: Any, **given: Any) -> None:
    """Write an image, bright where its labels are not 0, and the labels."""
    labels = np.asarray(labels)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "labels").mkdir(exist_ok=True)
    shown = np.where(labels > 0, 200, 20).astype(np.uint8)
    tifffile.imwrite(folder / "images" / f"{name}.tif", shown, photometric="minisblack")
    tifffile.imwrite(folder / "labels" / f"{name}.tif", labels, photometric="minisblack", **given)


def manifest(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(text, encoding="utf-8")


def refusal(path: Path) -> str:
    """Say what reading the data set ends with: one sentence on one line."""
    with pytest.raises(InputError) as error:
        list(read_dataset(path))
    said = str(error.value)
    assert "\n" not in said
    return said


def test_files_of_one_name_belong_together(tmp_path: Path) -> None:
    folder = tmp_path / "wells"
    add(folder, "a", discs(1, 2))
    add(folder, "b", discs(3))
    Image.fromarray(discs(4).astype(np.uint8)).save(folder / "labels" / "c.png")
    np.save(folder / "images" / "c.npy", np.where(discs(4), 1.0, 0.0))
    (folder / "images" / "._a.tif").write_bytes(b"what macOS leaves behind")
    read = list(read_dataset(folder))
    assert [Path(image.name).name for image in read] == ["a.tif", "b.tif", "c.npy"]
    assert {image.source for image in read} == {"wells"}
    assert [image.objects().ids.tolist() for image in read] == [[1, 2], [3], [4]]
    for image in read:
        assert image.pixels.shape == (40, 60, 3)
        assert image.labels.dtype == np.int32
        inside = image.pixels[image.labels > 0]
        assert inside.min() > image.pixels[image.labels == 0].max()


def test_planes_of_a_stack_are_images_and_those_without_objects_are_passed_over(
    tmp_path: Path,
) -> None:
    speck = np.zeros((40, 60), np.uint16)
    speck[5, 5] = 9
    add(tmp_path, "stack", np.stack([discs(1), discs(), speck, discs(2, 3)]))
    read = list(read_dataset(tmp_path))
    assert [image.name.rpartition(" ")[2] for image in read] == ["(0,)", "(3,)"]
    assert [image.objects().ids.tolist() for image in read] == [[1], [2, 3]]


def test_ids_beyond_32_bits_stay_different(tmp_path: Path) -> None:
    labels = discs(1, 2, 3).astype(np.uint64)
    labels[labels > 0] += 2**32 * labels[labels > 0]
    assert len(np.unique(labels.astype(np.int32))) == 4
    add(tmp_path, "a", np.where(labels == 2 + 2**33, 1, labels))
    [image] = read_dataset(tmp_path)
    assert image.objects().ids.tolist() == [1, 2, 3]
    assert image.labels[20, 20] == 1
    assert image.labels[0, 0] == 0


def test_a_manifest_names_sources_and_leaves_out_what_programs_labelled(tmp_path: Path) -> None:
    add(tmp_path / "em", "a", discs(1))
    add(tmp_path / "fluo", "b", np.stack([discs(2), discs(3)]))
    manifest(
        tmp_path,
        "\ufeffsource,name,axes,gt\n"  # as spreadsheets write it
        "em,a,YX,manual\nfluo,b,ZYX,\nfluo,missing,YX,Silver (a program)\n",
    )
    read = list(read_dataset(tmp_path))
    assert [image.source for image in read] == ["em", "fluo", "fluo"]


def test_a_manifest_of_two_columns_is_enough(tmp_path: Path) -> None:
    add(tmp_path / "em", "a", discs(1))
    manifest(tmp_path, "name,source\na,em\n")
    assert [image.source for image in read_dataset(tmp_path)] == ["em"]


def test_a_corrupt_label_file_is_named(tmp_path: Path) -> None:
    for name, compression in (("cut", None), ("packed", "zlib")):
        folder = tmp_path / name
        add(folder, "a", discs(1, 2), compression=compression)
        assert len(list(read_dataset(folder))) == 1
        file = folder / "labels" / "a.tif"
        whole = file.read_bytes()
        for content in (b"not a TIFF file at all", whole[: len(whole) // 2], b""):
            file.write_bytes(content)
            assert str(file) in refusal(folder)


def test_an_image_without_objects_is_named(tmp_path: Path) -> None:
    add(tmp_path, "a", discs(1))
    add(tmp_path, "b", discs())
    said = refusal(tmp_path)
    assert str(tmp_path / "labels" / "b.tif") in said
    assert "no object of 12 pixels or more" in said


def test_a_stack_without_objects_is_named(tmp_path: Path) -> None:
    add(tmp_path, "b", np.stack([discs(), discs()]))
    assert str(tmp_path / "labels" / "b.tif") in refusal(tmp_path)


def test_sizes_that_differ_are_named(tmp_path: Path) -> None:
    add(tmp_path, "a", discs(1))
    tifffile.imwrite(tmp_path / "labels" / "a.tif", discs(1)[:, :50])
    said = refusal(tmp_path)
    assert f"{tmp_path / 'labels' / 'a.tif'} has shape (40, 50)" in said
    assert f"{tmp_path / 'images' / 'a.tif'} has (40, 60)" in said


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    add(tmp_path, "a", discs(1))
    (tmp_path / "labels" / "a.tif").unlink()
    assert f"there is no file {tmp_path / 'labels' / 'a'} with one of" in refusal(tmp_path)


def test_labels_that_are_no_whole_numbers_are_named(tmp_path: Path) -> None:
    add(tmp_path, "a", discs(1).astype(np.float32))
    said = refusal(tmp_path)
    assert said.startswith(f"{tmp_path / 'labels' / 'a.tif'} holds float32")
    assert "integer" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,axes\na,YX\n", "has the columns file, axes; expected source and name"),
        ("", "has the columns (none)"),
        ("source,name\nem,a\nem\n", "1 of 2 lines lack a source or a name, the first is 'em,'"),
        ("source,name,gt\nem,a,silver\n", "lists 1 images and the labels of none"),
        ("source,name\n", "lists 0 images"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    add(tmp_path / "em", "a", discs(1))
    manifest(tmp_path, text)
    said = refusal(tmp_path)
    assert said.startswith(str(tmp_path / "manifest.csv"))
    assert says in said


def test_a_manifest_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes("source,name\nzähne,a\n".encode("latin-1"))
    assert str(tmp_path / "manifest.csv") in refusal(tmp_path)


def test_a_manifest_line_without_a_file_names_the_file(tmp_path: Path) -> None:
    manifest(tmp_path, "source,name\nem,a\n")
    assert str(tmp_path / "em" / "images" / "a") in refusal(tmp_path)


def test_what_is_no_data_set_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path} is no data set: expected a folder")
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'} is no data set")
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    assert refusal(tmp_path).startswith(f"{tmp_path / 'images'} holds no TIFF")


def test_real_images_can_be_read(reference_folder: Path) -> None:
    folder = reference_folder / "microscopy" / "dev"
    if not folder.is_dir():
        pytest.skip("no microscopy images there")
    image = next(read_dataset(folder))
    assert isinstance(image, AnnotatedImage)
    assert len(image.objects().ids) > 0
