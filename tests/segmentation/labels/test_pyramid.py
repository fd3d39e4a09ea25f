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

from napari_sam.errors import InputError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels import metadata as label_metadata
from napari_sam.segmentation.labels.edits import Edit, erase, next_id, paint, redo, undo
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
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
