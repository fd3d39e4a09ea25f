"""From tiles of known masks to labels, whole: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.segmentation.automatic.merge import resolve
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.paint import paint
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.seam_audit import audit_seams
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    import numpy.typing as npt

FINDER = Path(__file__).with_name("slide_finder.py")
KNOWN = runpy.run_path(str(FINDER))
SHAPE = (1000, 1200)
TILE = 256
"""Model pixels: the halo of 32 is less than the largest nuclei need."""

SLIDE = SyntheticSlide(SHAPE, seed=4)


def look(records: Records) -> None:
    """Find the masks of all tiles that are not there yet."""
    for sampling, tile in KNOWN["tiles"](records.grid(1.0)):
        if not records.has((), sampling, tile):
            records.add((), sampling, tile, KNOWN["find"](SLIDE, records, sampling, tile))


def labels_of(records: Records, rules: MergeRules | None = None) -> npt.NDArray[Any]:
    labels = np.zeros(SHAPE, np.uint32)
    list(paint(resolve(records.batches(()), rules or MergeRules(), SHAPE), labels))
    return labels


@pytest.fixture(scope="module")
def known() -> Records:
    records = Records(KNOWN["identity"](SHAPE, TILE), {}, SHAPE)
    look(records)
    return records


@pytest.fixture(scope="module")
def expected(known: Records) -> npt.NDArray[Any]:
    return labels_of(known)


def test_every_nucleus_is_one_object_and_its_mask_is_exact(
    known: Records, expected: npt.NDArray[Any]
) -> None:
    truth = SLIDE.labels((0, 0, *SHAPE))
    rows = sum(len(batch.found) for batch in known.batches(()))
    assert SLIDE.n_objects > 100
    assert rows > 4 * SLIDE.n_objects
    assert KNOWN["share_matched"]([(truth, expected)]) >= 0.99
    assert np.array_equal(truth > 0, expected > 0)
    for sampling in (1.0, 2.0):
        assert audit_seams(expected, known.grid(sampling)) == []


def test_a_tile_that_is_cut_off_would_be_seen(known: Records, expected: npt.NDArray[Any]) -> None:
    line = known.grid(1.0).window(next(iter(known.grid(1.0)))).size
    halves = expected.copy()
    halves[line:][halves[line:] > 0] += 10_000
    assert audit_seams(halves, known.grid(1.0))


def test_the_order_of_tiles_changes_nothing(known: Records, expected: npt.NDArray[Any]) -> None:
    for seed in range(5):
        records = Records(KNOWN["identity"](SHAPE, TILE), {}, SHAPE)
        tiles = list(KNOWN["tiles"](records.grid(1.0)))
        for index in np.random.default_rng(seed).permutation(len(tiles)).tolist():
            record = known.get((), *tiles[index])
            assert record is not None
            records.add((), *tiles[index], record.found)
        np.testing.assert_array_equal(labels_of(records), expected)


def test_the_size_of_tiles_changes_no_outline(expected: npt.NDArray[Any]) -> None:
    records = Records(KNOWN["identity"](SHAPE, 512), {}, SHAPE)
    look(records)
    np.testing.assert_array_equal(labels_of(records) > 0, expected > 0)


def test_other_rules_need_the_masks_alone(known: Records, expected: npt.NDArray[Any]) -> None:
    parts = labels_of(known, MergeRules(level="part"))
    assert 0.3 < (parts > 0).sum() / (expected > 0).sum() < 0.9
    large = labels_of(known, MergeRules(min_area=1000))
    ids, areas = np.unique(expected[expected > 0], return_counts=True)
    assert 0 < large.max() == (areas >= 1000).sum() < len(ids)
    inside = labels_of(known, MergeRules(whole_only=True))
    border = np.concatenate([expected[0], expected[-1], expected[:, 0], expected[:, -1]])
    assert inside.max() == len(ids) - len(np.unique(border[border > 0]))


RUN = """
import os, pathlib, runpy, signal, sys
import napari_sam.segmentation.labels.blocks as label_blocks
test, folder, moment, count = sys.argv[1:]
here = runpy.run_path(test)
left = int(count)

def dying(do):
    def done(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(*arguments)
    return done

if moment == "record":
    pathlib.Path.replace = dying(pathlib.Path.replace)
else:
    label_blocks.replace = dying(label_blocks.replace)
here["run"](pathlib.Path(folder))
"""


def run(folder: Path) -> None:
    """Find, resolve and paint, going on from what is in a folder."""
    records = Records(KNOWN["identity"](SHAPE, TILE), {}, SHAPE, folder / "records")
    look(records)
    path = folder / "labels.zarr"
    labels = LabelPyramid.open(path) if path.exists() else LabelPyramid.create(path, SHAPE)
    list(paint(resolve(records.batches(()), MergeRules(), SHAPE), labels))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(("moment", "count"), [("record", 1), ("record", 31), ("paint", 2)])
def test_a_killed_run_is_finished_with_the_same_labels(
    moment: str, count: int, tmp_path: Path, expected: npt.NDArray[Any]
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", RUN, __file__, str(tmp_path), moment, str(count)],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "records").rglob("*.npz"))) >= count - 2
    run(tmp_path)
    labels = LabelPyramid.open(tmp_path / "labels.zarr")
    np.testing.assert_array_equal(labels.levels[0][...], expected)
    np.testing.assert_array_equal(labels.levels[1][...], expected[1::2, 1::2])
    assert len(labels.levels) == 2
