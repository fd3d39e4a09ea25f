"""The label image of a command: its formats, what is refused, and overlaps in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.cli import label_output
from napari_sam.cli.label_output import LabelOutput
from napari_sam.errors import InputError
from napari_sam.images.source import open_image
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.images.tiles import Window
from napari_sam.segmentation.candidates import Candidates

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.candidates import Candidate

SIDE = 64


def disc(y: float, x: float, radius: float, plane: tuple[int, ...] = ()) -> Candidate:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    logits = (radius - np.hypot(rows - y, columns - x)).astype(np.float32)[None]
    window = Window((0.0, 0.0), (1.0, 1.0), SIDE)
    return Candidates(logits, np.ones(1, np.float32), window, plane, (SIDE, SIDE))[0]


def whole(candidate: Candidate) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return candidate.draw((0, 0, SIDE, SIDE))


def image(planes: tuple[int, ...] = ()) -> ImageSource:
    return open_image(np.zeros((*planes, SIDE, SIDE), np.uint8), (0, 255))


def test_a_tiff_of_one_plane_has_the_plane_alone(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    with LabelOutput(path, image((3,)), "image", [9, 300]) as output:
        output.paint(disc(20, 30, 9, (2,)), 9)
        output.paint(disc(22, 30, 9, (2,)), 300)
        assert not path.exists()
        output.save()
    first, second = whole(disc(20, 30, 9)), whole(disc(22, 30, 9))
    labels = tifffile.imread(path)
    np.testing.assert_array_equal(labels, np.where(first, 9, np.where(second, 300, 0)))
    assert labels.dtype == np.uint16
    assert output.pixels == {9: first.sum(), 300: (second & ~first).sum()}
    assert [file.name for file in tmp_path.iterdir()] == ["labels.tif"]


@pytest.mark.parametrize("name", ["labels.tif", "labels.zarr"])
def test_planes_are_kept_apart_where_prompts_name_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with LabelOutput(path, image((3,)), "image", [1, 2], every_plane=True) as output:
        output.paint(disc(20, 30, 9, (2,)), 1)
        output.paint(disc(20, 30, 9, (0,)), 2)
        output.save()
    labels = tifffile.imread(path) if path.suffix == ".tif" else zarr.open_group(path)["0"][...]
    mask = whole(disc(20, 30, 9))
    np.testing.assert_array_equal(labels, np.stack([2 * mask, 0 * mask, mask]))


def test_a_large_tiff_is_painted_on_disk_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in (("memory.tif", 10_000), ("disk.tif", 1)):
        monkeypatch.setattr(label_output, "IN_MEMORY", limit)
        with LabelOutput(tmp_path / name, image(), "image", [1, 2]) as output:
            assert isinstance(output.labels, np.ndarray) == (limit > 1)
            output.paint(disc(20, 30, 9), 1)
            output.paint(disc(25, 30, 9), 2)
            output.save()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["disk.tif", "memory.tif"]
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "disk.tif"), tifffile.imread(tmp_path / "memory.tif")
    )


def test_an_empty_candidate_still_gives_a_file(tmp_path: Path) -> None:
    with LabelOutput(tmp_path / "labels.tif", image(), "image", [1]) as output:
        output.paint(disc(20, 30, -1), 1)
        output.save()
    assert not tifffile.imread(tmp_path / "labels.tif").any()
    assert output.pixels == {1: 0}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_first_object_keeps_its_pixels_whatever_is_painted_first(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbers = st.integers(0, SIDE - 1)
    discs = data.draw(
        st.lists(st.tuples(numbers, numbers, st.integers(1, 25)), min_size=1, max_size=6)
    )
    ids = data.draw(st.permutations(range(1, len(discs) + 1)))
    expected = np.zeros((SIDE, SIDE), int)
    for number, place in zip(ids, discs, strict=True):
        expected[whole(disc(*place)) & (expected == 0)] = number
    path = tmp_path_factory.mktemp("labels") / "labels.zarr"
    with LabelOutput(path, image(), "image", ids) as output:
        for index in data.draw(st.permutations(range(len(discs)))):
            output.paint(disc(*discs[index]), ids[index])
        output.save()
    np.testing.assert_array_equal(zarr.open_group(path)["0"][...], expected)
    assert output.pixels == {number: (expected == number).sum() for number in ids}


@pytest.mark.parametrize(
    ("name", "pages", "says"),
    [
        ("labels.png", None, "ends in .tif"),
        ("labels", None, "ends in .tif"),
        ("nowhere/labels.zarr", None, "nowhere for the output labels.zarr does not exist"),
        ("nowhere/labels/nuclei", None, "nowhere for the output labels does not exist"),
        ("there.zarr", None, "exists already and is not overwritten"),
        ("labels.zarr", 3, "choose a TIFF file"),
    ],
)
def test_an_output_that_cannot_be_made_is_refused_at_once(
    name: str, pages: int | None, says: str, tmp_path: Path
) -> None:
    (tmp_path / "there.zarr").mkdir()
    with pytest.raises(InputError, match=says):
        LabelOutput(tmp_path / name, image(), "image", [1], pages=pages)


def test_a_plane_too_large_for_tiff_is_refused_with_what_to_do(tmp_path: Path) -> None:
    slide = open_image(SyntheticSlide((100_000, 100_000)).levels, (0, 255))
    with pytest.raises(InputError, match=r"too large for a TIFF file.*-o .*labels\.zarr"):
        LabelOutput(tmp_path / "labels.tif", slide, "slide", [1])
