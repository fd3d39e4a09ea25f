from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import StoreError
from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileIndex
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.records import Records

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (200, 300)
FINDING = {"points_per_side": 32, "keep_score": 0.5, "region_area": None}
IDENTITY = StoreIdentity(
    image_shape=SHAPE,
    image_dtype="uint8",
    image_axes="YX",
    image_channels=(0,),
    image_colors=((1.0, 1.0, 1.0),),
    image_fingerprint="abc",
    limits=((0.0, 255.0),),
    model_name="tiny",
    model_sha256="def",
    tile=64,
    cell=8,
    core=48,
    embedding_shape=(8, 8, 8),
)


def some(tile: TileIndex, boxes: list[tuple[int, int, int, int]], sampling: float) -> FoundMasks:
    n = len(boxes)
    rng = np.random.default_rng(n)
    rles = np.empty(n, np.object_)
    rles[:] = [b"0123"[: 1 + row % 4] for row in range(n)]
    return FoundMasks(
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        rles=rles,
        scores=rng.random(n).astype(np.float32),
        stability=rng.random(n).astype(np.float32),
        areas=rng.integers(1, 2**40, n),
        points=rng.random((n, 2)) * 100,
        prompts=rng.integers(0, 1000, n),
        tokens=rng.integers(0, 4, n).astype(np.uint8),
        samplings=np.full(n, sampling),
        tiles=np.tile(np.array(tile), (n, 1)),
    )


def assert_same(found: FoundMasks, expected: FoundMasks) -> None:
    for name in FoundMasks.__slots__:
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(params=["memory", "folder"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    folder = tmp_path / "records" if request.param == "folder" else None
    return Records(IDENTITY, FINDING, SHAPE, folder)


def fill(records: Records, seed: int = 0) -> list[FoundMasks]:
    """Two masks in every tile of two samplings, added in some order."""
    tiles = [(sampling, tile) for sampling in (1.0, 0.5) for tile in records.grid(sampling)]
    for index in np.random.default_rng(seed).permutation(len(tiles)).tolist():
        sampling, tile = tiles[index]
        y, x = (int(start) for start in records.grid(sampling).window(tile).origin)
        boxes = [(y, x + 3, y + 4, x + 5), (y + 2, x, y + 6, x + 9)]
        records.add((), sampling, tile, some(tile, boxes, sampling))
    return [batch.found for batch in records.batches(())]


def test_what_was_kept_comes_back(records: Records) -> None:
    tile = TileIndex(1, 2)
    found = some(tile, [(70, 100, 80, 110), (71, 101, 72, 102), (90, 100, 91, 140)], 0.5)
    assert not records.has((3, 1), 0.5, tile)
    assert records.get((3, 1), 0.5, tile) is None
    records.add((3, 1), 0.5, tile, found, cut=7)
    assert records.has((3, 1), 0.5, tile)
    assert not records.has((3, 2), 0.5, tile)
    assert not records.has((3, 1), 1.0, tile)
    record = records.get((3, 1), 0.5, tile)
    assert record is not None
    assert record.cut == 7
    assert_same(record.found, found)


def test_a_tile_without_masks_counts_as_looked_at(records: Records) -> None:
    records.add((), 1.0, TileIndex(0, 0), FoundMasks.empty())
    assert records.has((), 1.0, TileIndex(0, 0))
    record = records.get((), 1.0, TileIndex(0, 0))
    assert record is not None
    assert_same(record.found, FoundMasks.empty())


def test_the_order_of_batches_is_not_that_of_finding(records: Records) -> None:
    first, again = fill(records, seed=1), fill(records, seed=2)
    assert len(first) > 4
    for one, other in zip(first, again, strict=True):
        assert_same(one, other)


def test_batches_go_down_and_keep_their_promise(records: Records) -> None:
    fill(records)
    batches = list(records.batches(()))
    frontiers = [batch.frontier for batch in batches]
    assert frontiers == sorted(frontiers)
    assert frontiers[-1] == math.inf
    assert len({*frontiers}) > 3
    for index, batch in enumerate(batches):
        for later in batches[index + 1 :]:
            assert (later.found.boxes[:, 0] >= batch.frontier).all()
    assert sum(len(batch.found) for batch in batches) == 2 * sum(
        len(records.grid(sampling)) for sampling in (0.5, 1.0)
    )


def test_a_region_has_the_masks_that_meet_it(records: Records) -> None:
    everything = FoundMasks.together(fill(records))
    y0, x0, y1, x1 = region = (52, 96, 99, 197)
    top, left, bottom, right = everything.boxes.T
    meets = (top < y1) & (left < x1) & (bottom > y0) & (right > x0)
    assert 0 < meets.sum() < len(meets)
    found = FoundMasks.together([batch.found for batch in records.batches((), region)])
    assert sorted(map(tuple, found.boxes)) == sorted(map(tuple, everything.boxes[meets]))


def test_no_records_are_one_empty_batch(records: Records) -> None:
    (batch,) = records.batches(())
    assert len(batch.found) == 0
    assert batch.frontier == math.inf


@pytest.mark.parametrize("is_kept", [True, False])
def test_of_a_huge_plane_only_the_tiles_that_were_looked_at_cost_anything(
    is_kept: bool, tmp_path: Path
) -> None:
    side = 10**7  # 40 billion tiles of 48 pixels
    records = Records(IDENTITY, FINDING, (side, side), tmp_path / "huge" if is_kept else None)
    near, far = TileIndex(2, 3), TileIndex(200_000, 100_000)
    low = (side - 400_000, 4_800_010, side - 399_990, 4_800_020)
    records.add((), 1.0, near, some(near, [(100, 150, 110, 160)], 1.0))
    records.add((), 1.0, far, some(far, [low], 1.0))
    records.add((1,), 1.0, near, some(near, [(0, 0, 5, 5)], 1.0))
    if is_kept:
        (tmp_path / "huge" / "1" / "notes.txt").write_text("not a record")
    found = [tuple(box) for batch in records.batches(()) for box in batch.found.boxes.tolist()]
    assert found == [(100, 150, 110, 160), low]


def test_a_folder_is_found_again_and_says_what_it_is_for(tmp_path: Path) -> None:
    expected = fill(Records(IDENTITY, FINDING, SHAPE, tmp_path))
    renamed = replace(IDENTITY, model_name="another name")
    for records in (Records(renamed, FINDING, SHAPE, tmp_path), Records.open(tmp_path)):
        for batch, found in zip(records.batches(()), expected, strict=True):
            assert_same(batch.found, found)
    opened = Records.open(tmp_path)
    assert (opened.identity, opened.finding, opened.plane_shape) == (IDENTITY, FINDING, SHAPE)
    assert opened.folder == tmp_path


@pytest.mark.parametrize(
    ("identity", "finding", "phrase"),
    [
        ({"model_sha256": "x"}, {}, "its model (sha256) is def, but here it is x"),
        ({"limits": ((0.0, 1.0),)}, {}, "its intensity limits setting is [[0.0, 255.0]], but"),
        ({}, {"keep_score": 0.4}, "its setting keep_score is 0.5, but here it is 0.4"),
        ({}, {"skip": True}, "its setting skip is None, but here it is True"),
    ],
)
def test_masks_found_for_something_else_are_refused(
    tmp_path: Path, identity: dict[str, Any], finding: dict[str, Any], phrase: str
) -> None:
    Records(IDENTITY, FINDING, SHAPE, tmp_path)
    with pytest.raises(StoreError, match=re.escape(phrase)):
        Records(replace(IDENTITY, **identity), {**FINDING, **finding}, SHAPE, tmp_path)


def test_folders_with_other_contents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds other files and no found masks"):
        Records(IDENTITY, FINDING, SHAPE, tmp_path)
    with pytest.raises(StoreError, match=r"is a file: give a folder"):
        Records(IDENTITY, FINDING, SHAPE, tmp_path / "notes.txt")
    with pytest.raises(StoreError, match=r"there are no found masks in .* \(no records.json\)"):
        Records.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"version": 2}, "its format version is 2, but this program reads version 1"),
        ({"format": "x"}, "it holds no found masks (format 'x')"),
    ],
)
def test_another_format_or_version_is_refused(
    tmp_path: Path, change: dict[str, Any], phrase: str
) -> None:
    Records(IDENTITY, FINDING, SHAPE, tmp_path)
    file = tmp_path / "records.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(StoreError, match=re.escape(phrase)):
        Records(IDENTITY, FINDING, SHAPE, tmp_path)
    with pytest.raises(StoreError, match=re.escape(phrase)):
        Records.open(tmp_path)
    file.write_text("{")
    with pytest.raises(StoreError, match=r"records.json is damaged"):
        Records.open(tmp_path)


def test_a_damaged_file_never_gives_other_masks(tmp_path: Path) -> None:
    records, tile = Records(IDENTITY, FINDING, SHAPE, tmp_path), TileIndex(0, 0)
    found = some(tile, [(0, 0, 5, 5), (1, 1, 9, 3)], 1.0)
    records.add((), 1.0, tile, found, cut=2)
    path = tmp_path / "1" / "0.0.npz"
    good = path.read_bytes()
    refused = 0
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        if records.has((), 1.0, tile):  # a bit that nobody reads, as of a date
            record = records.get((), 1.0, tile)
            assert record is not None
            assert record.cut == 2
            assert_same(record.found, found)
        else:
            refused += 1
    assert refused > len(good) / 6
    for length in range(0, len(good), 50):
        path.write_bytes(good[:length])
        assert not records.has((), 1.0, tile)
    with pytest.raises(StoreError, match=r"0\.0\.npz is damaged: run the segmentation again"):
        list(records.batches(()))
    records.add((), 1.0, tile, found, cut=2)
    assert path.read_bytes() == good


def test_what_a_killed_process_left_half_written_is_no_record(tmp_path: Path) -> None:
    old, new = tmp_path / "1" / "0.0.npz.1.partial", tmp_path / "1" / "0.1.npz.2.partial"
    (tmp_path / "records.json.3.partial").write_bytes(b"half")
    records = Records(IDENTITY, FINDING, SHAPE, tmp_path)
    old.parent.mkdir()
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert not records.has((), 1.0, TileIndex(0, 0))
    assert [len(batch.found) for batch in records.batches(())] == [0]
    Records(IDENTITY, FINDING, SHAPE, tmp_path)
    assert not old.exists()
    assert new.exists()  # perhaps being written by another process


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(IDENTITY, FINDING, SHAPE, tmp_path)

    def no_room(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", no_room)
    with pytest.raises(StoreError, match="could not be written \\(No space left on device\\)"):
        records.add((), 1.0, TileIndex(0, 0), FoundMasks.empty())


def test_the_bounds_of_a_plane_hold_all_its_masks(records: Records) -> None:
    assert records.bounds((1,)) is None
    first = some(TileIndex(0, 0), [(8, 30, 12, 36), (10, 22, 19, 31)], 0.5)
    second = some(TileIndex(1, 2), [(70, 100, 80, 110)], 0.5)
    records.add((1,), 0.5, TileIndex(0, 0), first)
    assert records.bounds((1,)) == (8, 22, 19, 36)
    records.add((1,), 0.5, TileIndex(1, 2), second)
    assert records.bounds((1,)) == (8, 22, 80, 110)
    assert records.bounds((2,)) is None
