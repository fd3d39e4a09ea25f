from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.images.readers import read_path
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels import metadata as label_metadata
from napari_sam.segmentation.labels.edits import Edit, erase, next_id, paint, redo, undo
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt


@pytest.fixture
def _small_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 pixels and pyramids that halve down to 8."""
    monkeypatch.setattr(label_blocks, "BLOCK", 16)
    monkeypatch.setattr(label_metadata, "LARGEST_TOP", 8)


def nearest(level0: npt.NDArray[Any], level: int) -> npt.NDArray[Any]:
    """Every 2 ** level-th pixel, beginning next to the centre of the first 2 ** level."""
    factor = 2**level
    return level0[..., factor // 2 :: factor, factor // 2 :: factor]


def assert_levels_follow(labels: LabelPyramid) -> None:
    level0 = labels.levels[0][...]
    assert len(labels.levels) > 2
    for k, level in enumerate(labels.levels):
        np.testing.assert_array_equal(level[...], nearest(np.asarray(level0), k))


def chunk_files(folder: Path) -> list[str]:
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and file.name not in {"zarr.json", ".zarray", ".zgroup", ".zattrs"}
    ]


def write_image(
    path: Path,
    shapes: list[tuple[int, ...]],
    version: str,
    names: str = "czyx",
    translated: bool = False,
) -> None:
    """Write an empty OME-Zarr image."""
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    kinds = {"c": "channel"}
    datasets = []
    for k, shape in enumerate(shapes):
        options: dict[str, Any] = {} if version == "0.4" else {"dimension_names": tuple(names)}
        group.create_array(f"scale{k}", shape=shape, dtype="uint16", chunks=shape, **options)
        scale = [0.5 * n / m for n, m in zip(shapes[0], shape, strict=True)]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if translated:
            move = [3.0 + s / 2 - 0.25 for s in scale]
            steps.append({"type": "translation", "translation": move})
        datasets.append({"path": f"scale{k}", "coordinateTransformations": steps})
    axes = [{"name": name, "type": kinds.get(name, "space")} for name in names]
    axes[-1]["unit"] = "micrometer"
    multiscale = {"axes": axes, "datasets": datasets, "name": "image"}
    if version == "0.4":
        group.update_attributes({"multiscales": [{"version": "0.4", **multiscale}]})
    else:
        group.update_attributes({"ome": {"version": "0.5", "multiscales": [multiscale]}})


@pytest.mark.usefixtures("_small_scale")
@pytest.mark.parametrize("shape", [(50, 71), (3, 64, 33), (1, 100)])
def test_levels_halve_and_say_where_they_lie(tmp_path: Path, shape: tuple[int, ...]) -> None:
    scale = (2.0, 0.3, 0.3)[-len(shape) :]
    labels = LabelPyramid.create(tmp_path / "a.zarr", shape, scale=scale)
    assert labels.levels[0].shape == labels.shape == shape
    assert max(labels.levels[-1].shape[-2:]) <= 8 < max(labels.levels[-2].shape[-2:])
    metadata = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    datasets = metadata["multiscales"][0]["datasets"]
    for k, (level, dataset) in enumerate(zip(labels.levels, datasets, strict=True)):
        steps = dataset["coordinateTransformations"]
        assert steps[0]["scale"][-2:] == pytest.approx([0.3 * 2**k] * 2)
        # the outer corner of the first pixel is that of level 0, half a pixel before its centre
        assert steps[1]["translation"][-1] - steps[0]["scale"][-1] / 2 == pytest.approx(-0.15)
        assert steps[0]["scale"][:-2] == list(scale[:-2])
        assert level.shape[:-2] == shape[:-2]
        if min(shape[-2:]) > 2**k:
            assert level.shape == nearest(np.zeros(shape), k).shape
    assert chunk_files(tmp_path) == []


edits = st.lists(
    st.tuples(
        st.sampled_from(["paint", "paint", "erase", "undo", "redo"]),
        st.integers(0, 40),
        st.integers(0, 50),
        st.integers(1, 30),
        st.floats(0.05, 1.0),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(steps=edits, chunk=st.integers(3, 20))
def test_every_level_is_the_nearest_of_level_0_after_any_edits(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_blocks, "BLOCK", 16)
        patch.setattr(label_metadata, "LARGEST_TOP", 8)
        folder = tmp_path_factory.mktemp("labels")
        labels = LabelPyramid.create(folder / "a.zarr", (71, 83), chunk=chunk)
        expected = np.zeros((71, 83), np.uint32)
        done: list[Edit] = []
        undone: list[Edit] = []
        for kind, y, x, side, share in steps:
            mask = np.random.default_rng((y, x, side)).random((side, side)) < share
            try:
                if kind == "paint":
                    value = next_id(labels)
                    done.append(paint(labels, mask, (y, x), value))
                    paint(expected, mask, (y, x), value)
                elif kind == "erase":
                    done.append(erase(labels, mask, (y, x)))
                    erase(expected, mask, (y, x))
                elif kind == "undo" and done:
                    undone.append(done.pop())
                    undo(labels, undone[-1])
                    undo(expected, undone[-1])
                elif kind == "redo" and undone:
                    done.append(undone.pop())
                    redo(labels, done[-1])
                    redo(expected, done[-1])
            except InputError:
                continue
            if kind in ("paint", "erase"):
                undone.clear()
        np.testing.assert_array_equal(labels.levels[0][...], expected)
        assert_levels_follow(labels)


@pytest.mark.usefixtures("_small_scale")
def test_erasing_many_objects_at_once_is_undone_on_all_levels(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (70, 70), chunk=8)
    for value in range(1, 50):
        y, x = divmod(value - 1, 7)
        paint(labels, np.ones((8, 8), bool), (9 * y, 9 * x), value)
    before = [np.array(level[...]) for level in labels.levels]
    edit = erase(labels, np.ones((50, 50), bool), (5, 6))
    assert_levels_follow(labels)
    assert len(np.unique(labels.levels[0][...])) < 40
    undo(labels, edit)
    for level, was in zip(labels.levels, before, strict=True):
        np.testing.assert_array_equal(level[...], was)


@pytest.mark.usefixtures("_small_scale")
def test_undoing_everything_leaves_no_chunk_behind(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (90, 90), chunk=8)
    edit = paint(labels, np.ones((30, 30), bool), (9, 13), 1)
    assert len(chunk_files(tmp_path)) > 20
    undo(labels, edit)
    assert chunk_files(tmp_path) == []


@pytest.mark.usefixtures("_small_scale")
def test_a_plane_of_a_stack_is_painted_on_all_levels_and_no_other_plane(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (2, 3, 40, 40), axes="TZYX")
    paint(labels, np.ones((20, 20), bool), (4, 4), 1, plane=(1, 2))
    assert_levels_follow(labels)
    for level in labels.levels:
        assert np.argwhere(np.asarray(level).any(axis=(2, 3))).tolist() == [[1, 2]]


def test_painting_touches_only_the_chunks_under_the_object(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (200_000, 200_000))
    assert len(labels.levels) == 9
    paint(labels, np.ones((300, 300), bool), (149_600, 99_900), 1)
    touched = chunk_files(labels.path)
    assert sorted(file.split("/")[0] for file in touched) == sorted("012345678")
    assert f"0/c/{149_600 // 512}/{99_900 // 512}" in touched


@pytest.mark.usefixtures("_small_scale")
def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (40, 40))
    assert next_id(labels) == 1
    edit = paint(labels, np.ones((5, 5), bool), (0, 0), next_id(labels))
    assert next_id(labels) == 2
    undo(labels, edit)
    assert next_id(labels) == 2
    paint(labels, np.ones((5, 5), bool), (0, 0), 70)
    again = LabelPyramid.open(tmp_path / "a.zarr")
    assert next_id(again) == next_id(labels) == 71
    erase(again, np.ones((5, 5), bool), (0, 0))
    assert next_id(LabelPyramid.open(tmp_path / "a.zarr")) == 71


@pytest.mark.usefixtures("_small_scale")
def test_labels_of_another_program_are_read_through_once_for_a_fresh_id(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (40, 40))
    paint(labels, np.ones((5, 5), bool), (30, 30), 12)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    del group.attrs["napari_sam"]
    labels = LabelPyramid.open(tmp_path / "a.zarr")
    assert next_id(labels) == 13
    erase(labels, np.ones((5, 5), bool), (30, 30))
    assert next_id(labels) == 13


def test_what_other_programs_keep_in_the_attributes_stays(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (40, 40))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    group.attrs["theirs"] = {"colour": "red"}
    paint(labels, np.ones((5, 5), bool), (30, 30), next_id(labels))
    attributes = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs.asdict()
    assert attributes["theirs"] == {"colour": "red"}
    assert attributes["napari_sam"] == {"highest_id": 1}


@pytest.mark.usefixtures("_small_scale")
def test_stale_levels_are_rebuilt_where_asked(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (2, 90, 90), chunk=8)
    for at in (10, 60):
        labels.levels[0][1, at : at + 20, at : at + 20] = at  # as after a kill
    labels.rebuild((10, 10, 30, 30), plane=(1,))
    coarse = np.asarray(labels.levels[2][...])
    assert set(np.unique(coarse)) == {0, 10}
    labels.rebuild()
    assert_levels_follow(labels)
    labels.levels[0][1, :, :] = 0
    labels.rebuild()
    assert chunk_files(tmp_path) == []


def test_a_killed_paint_leaves_whole_chunks_and_a_fresh_id(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    program = f"""
    import os, signal
    import numpy as np
    from napari_sam.segmentation.labels import blocks as label_blocks
    from napari_sam.segmentation.labels.pyramid import LabelPyramid
    from napari_sam.segmentation.labels.edits import next_id, paint
    labels = LabelPyramid.create({str(path)!r}, (3000, 3000))
    write = label_blocks.write
    def killed(array, plane, patches):
        write(array, plane, patches)
        os.kill(os.getpid(), signal.SIGKILL)
    label_blocks.write = killed
    paint(labels, np.ones((900, 900), bool), (700, 700), next_id(labels))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert killed.returncode == -signal.SIGKILL
    labels = LabelPyramid.open(path)
    assert next_id(labels) == 2
    assert np.count_nonzero(labels.levels[0][...]) == 900**2
    assert not np.asarray(labels.levels[1]).any()
    labels.rebuild((700, 700, 1600, 1600))
    assert_levels_follow(labels)


@pytest.mark.usefixtures("_small_scale")
def test_an_array_becomes_a_pyramid(tmp_path: Path) -> None:
    array = np.zeros((2, 45, 53), np.uint16)
    paint(array, np.ones((20, 20), bool), (3, 30), 4, plane=(0,))
    paint(array, np.ones((20, 20), bool), (20, 3), 9, plane=(1,))
    labels = LabelPyramid.from_array(tmp_path / "a.zarr", array, axes="TYX", chunk=16)
    np.testing.assert_array_equal(labels.levels[0][...], array)
    assert labels.dtype == np.uint16
    assert labels.axes == "TYX"
    assert_levels_follow(labels)
    assert next_id(labels) == 10


def test_a_flat_or_tiny_plane_is_a_pyramid_too(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "a.zarr", (1, 5000))
    paint(labels, np.ones((1, 2000), bool), (0, 3000), 1)
    assert [level.shape for level in labels.levels] == [(1, 5000), (1, 2500), (1, 1250), (1, 625)]
    assert [int(np.count_nonzero(level[...])) for level in labels.levels] == [2000, 1000, 500, 250]


# Inside and beside an image ---------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("translated", [False, True])
def test_labels_inside_an_image_have_its_levels_and_version(
    tmp_path: Path, version: str, translated: bool
) -> None:
    shapes = [(2, 5, 90, 71), (2, 5, 45, 35), (2, 3, 22, 17)]
    write_image(tmp_path / "i.zarr", shapes, version, translated=translated)
    path = tmp_path / "i.zarr" / "labels" / "nuclei"
    labels = LabelPyramid.create(path, (5, 90, 71), chunk=16)
    paint(labels, np.ones((40, 40), bool), (20, 20), 1, plane=(2,))
    LabelPyramid.create(path.with_name("cells"), (5, 90, 71), axes="ZYX")
    listing = zarr.open_group(path.parent, mode="r")
    listed: Any = listing.attrs.asdict()
    listed = listed if version == "0.4" else listed["ome"]
    assert listed["labels"] == ["nuclei", "cells"]
    assert listing.metadata.zarr_format == (2 if version == "0.4" else 3)
    attributes: Any = zarr.open_group(path, mode="r").attrs.asdict()
    attributes = attributes if version == "0.4" else attributes["ome"]
    assert attributes["image-label"] == {"version": version, "source": {"image": "../../"}}
    assert attributes["multiscales"][0]["axes"][-1]["unit"] == "micrometer"
    image, mine = read_path(tmp_path / "i.zarr"), read_path(path)
    assert [level.shape for level in mine.levels] == [shape[1:] for shape in shapes]
    assert mine.axes == "ZYX"
    assert image.scales is not None
    assert mine.scales == tuple(scales[1:] for scales in image.scales)
    assert (mine.shifts is None) is (image.shifts is None) is (not translated)


def test_levels_of_any_factor_show_the_label_next_to_their_centres(tmp_path: Path) -> None:
    shapes = [(7, 90, 70), (7, 60, 35), (3, 22, 17)]
    write_image(tmp_path / "i.zarr", shapes, "0.5", "zyx", translated=True)
    labels = LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "a", shapes[0], chunk=16)
    for z in range(7):
        mask = np.random.default_rng(z).random((80, 60)) > 0.4
        paint(labels, mask, (5, 7), z + 1, plane=(z,))
    for shape, level in zip(shapes, labels.levels, strict=True):
        picks = [
            np.floor((np.arange(short) + 0.5) * (n / short)).astype(int)
            for n, short in zip(shapes[0], shape, strict=True)
        ]
        expected = np.asarray(labels.levels[0])[np.ix_(*picks)]
        np.testing.assert_array_equal(level[...], expected)


def test_labels_beside_an_image_lie_where_it_lies(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 71)], "0.4", "cyx", translated=True)
    image_path = tmp_path / "i.zarr"
    LabelPyramid.create(tmp_path / "out" / "a.zarr", (90, 71), image_path=image_path)
    metadata = json.loads((tmp_path / "out" / "a.zarr" / "zarr.json").read_text())
    ome = metadata["attributes"]["ome"]
    assert ome["image-label"]["source"] == {"image": "../../i.zarr"}
    steps = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert steps[0]["scale"] == [0.5, 0.5]
    assert steps[1]["translation"] == [3.0, 3.0]


def test_an_image_with_consolidated_metadata_knows_its_new_labels(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 71)], "0.4", "cyx")
    zarr.consolidate_metadata(tmp_path / "i.zarr", zarr_format=2)
    LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "a", (90, 71))
    group = zarr.open_group(tmp_path / "i.zarr", mode="r", use_consolidated=True)
    assert "labels/a/scale0" in group


# Read by others ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_format_is_what_its_models_demand(tmp_path: Path, version: str) -> None:
    models = pytest.importorskip("ome_zarr_models")
    write_image(tmp_path / "i.zarr", [(2, 5, 90, 70), (2, 5, 45, 35)], version)
    path = tmp_path / "i.zarr" / "labels" / "nuclei"
    labels = LabelPyramid.create(path, (5, 90, 70))
    paint(labels, np.ones((40, 40), bool), (20, 20), 1, plane=(2,))
    group = zarr.open_group(tmp_path / "i.zarr", mode="r")
    image = models.open_ome_zarr(group, version=version)
    listed = image.labels.attributes if version == "0.4" else image.labels.ome_attributes
    assert listed.labels == ["nuclei"]
    found = models.open_ome_zarr(group["labels/nuclei"], version=version)
    assert type(found).__name__ == "ImageLabel"


def test_labels_on_their_own_are_what_the_models_demand(tmp_path: Path) -> None:
    v05 = pytest.importorskip("ome_zarr_models.v05")
    LabelPyramid.create(tmp_path / "a.zarr", (2, 3, 3000, 40), image_path=tmp_path / "i.zarr")
    found = v05.ImageLabel.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    label = found.ome_attributes.image_label
    assert label.version == "0.5"
    assert label.source.image == "../i.zarr"
    assert [dataset.path for dataset in found.ome_attributes.multiscales[0].datasets] == list("012")


def _nodes(path: Path) -> Iterator[Any]:
    pytest.importorskip("ome_zarr")
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    location = parse_url(path)
    assert location is not None
    yield from Reader(location)()


def test_the_reference_reader_finds_the_labels_of_an_image(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 70), (2, 45, 35)], "0.5", "cyx", translated=True)
    labels = LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "nuclei", (90, 70))
    paint(labels, np.ones((40, 40), bool), (20, 20), 7)
    (node,) = [
        node for node in _nodes(tmp_path / "i.zarr") if node.metadata.get("name") == "nuclei"
    ]
    assert [axis["name"] for axis in node.metadata["axes"]] == ["y", "x"]
    for theirs, mine in zip(node.data, labels.levels, strict=True):
        np.testing.assert_array_equal(theirs.compute(), mine[...])


# Refused ----------------------------------------------------------------------------------------


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    LabelPyramid.create(tmp_path / "a.zarr", (40, 40))
    with pytest.raises(InputError, match=r"a.zarr exists already.*open it with LabelPyramid.open"):
        LabelPyramid.create(tmp_path / "a.zarr", (40, 40))


def test_a_folder_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = zarr.storage.LocalStore.set

    async def only_the_group(store: Any, key: str, value: Any) -> None:
        if key.startswith("1/"):
            raise PermissionError(13, "Permission denied")
        await write(store, key, value)

    with monkeypatch.context() as refused:
        refused.setattr(zarr.storage.LocalStore, "set", only_the_group)
        with pytest.raises(StoreError, match=r"a.zarr could not be written .Permission denied"):
            LabelPyramid.create(tmp_path / "a.zarr", (3000, 3000))
    assert list(tmp_path.iterdir()) == []
    assert len(LabelPyramid.create(tmp_path / "a.zarr", (3000, 3000)).levels) == 3


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((40, 40), {"axes": "XY"}, "expected T first"),
        ((2, 40, 40), {"axes": "CYX"}, r"not C"),
        ((2, 2, 40, 40), {"axes": "ZTYX"}, "'ZTYX' cannot be written"),
        ((2, 40, 40), {"axes": "YX"}, "expected T first"),
        ((0, 40), {}, "at least one pixel"),
        ((1, 1, 1, 40, 40), {}, "cannot be written"),
        ((40, 40), {"scale": (1.0,)}, "does not fit 2 axes"),
        ((40, 40), {"scale": (1.0, 0.0)}, "size above 0"),
    ],
)
def test_labels_that_cannot_be_written_are_refused(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LabelPyramid.create(tmp_path / "a.zarr", shape, **options)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_whole_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="cannot hold float32: choose whole numbers"):
        LabelPyramid.create(tmp_path / "a.zarr", (40, 40), dtype="float32")


def test_labels_that_do_not_fit_their_image_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 70)], "0.5", "cyx")
    inside = tmp_path / "i.zarr" / "labels" / "a"
    with pytest.raises(InputError, match=r"without channels its shape is \(90, 70\)"):
        LabelPyramid.create(inside, (70, 90))
    with pytest.raises(InputError, match="leave the scale out"):
        LabelPyramid.create(inside, (90, 70), scale=(1, 1))
    with pytest.raises(InputError, match="do not fit the image"):
        LabelPyramid.create(tmp_path / "b.zarr", (70, 90), image_path=tmp_path / "i.zarr")
    assert not (tmp_path / "i.zarr" / "labels").exists()


def test_a_group_that_is_no_image_gets_no_labels(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "plate.zarr")
    with pytest.raises(InputError, match=r"plate.zarr holds data .* is no OME-Zarr image"):
        LabelPyramid.create(tmp_path / "plate.zarr" / "labels" / "a", (40, 40))


def test_a_folder_named_labels_is_just_a_folder(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "labels" / "a.zarr", (40, 40))
    assert labels.shape == (40, 40)
    assert not (tmp_path / "labels" / "zarr.json").exists()


def test_only_label_images_are_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no label image at"):
        LabelPyramid.open(tmp_path / "nothing.zarr")
    write_image(tmp_path / "i.zarr", [(90, 70)], "0.5", "yx")
    with pytest.raises(InputError, match=r"is not an OME-Zarr label image.*i.zarr/labels/nuclei"):
        LabelPyramid.open(tmp_path / "i.zarr")
    zarr.create_array(tmp_path / "array.zarr", shape=(4, 4), dtype="uint8")
    with pytest.raises(InputError, match="there is no label image at"):
        LabelPyramid.open(tmp_path / "array.zarr")


def test_probabilities_are_not_labels(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", shape=(4, 4), dtype="float32", dimension_names=("y", "x"))
    layout = label_metadata.halved((4, 4), label_metadata.make_axes(None, (4, 4)), (1, 1), (0, 0))
    group.update_attributes(label_metadata.image_label(layout, "a", None))
    with pytest.raises(InputTypeError, match="holds float32: expected labels"):
        LabelPyramid.open(tmp_path / "a.zarr")
