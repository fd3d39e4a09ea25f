from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge import ResolvedObjects
from napari_sam.segmentation.automatic.paint import Painted, draw_labels, paint
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels import metadata as label_metadata
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

SHAPE = (70, 90)


@pytest.fixture(autouse=True)
def _small_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 pixels and pyramids that halve down to 8."""
    monkeypatch.setattr(label_blocks, "BLOCK", 16)
    monkeypatch.setattr(label_metadata, "LARGEST_TOP", 8)


def discs(n: int, seed: int = 0, first_id: int = 1) -> ResolvedObjects:
    """Discs of all sizes that overlap, the later ones with any priority."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE)
    rows = []
    for _ in range(n):
        cy, cx, r = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1]), rng.uniform(2, 25)
        mask = (y - cy) ** 2 + (x - cx) ** 2 < r**2
        inside = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [inside[0][0], inside[1][0], inside[0][-1] + 1, inside[1][-1] + 1]
        rows.append((box, mask[box[0] : box[2], box[1] : box[3]]))
    rows.sort(key=lambda row: tuple(row[0][:2]))
    rles = np.empty(n, np.object_)
    rles[:] = [encode(mask) for _, mask in rows]
    found = FoundMasks(
        boxes=np.array([box for box, _ in rows], np.int64).reshape(-1, 4),
        rles=rles,
        scores=rng.choice([0.9, 0.95], n).astype(np.float32),
        stability=np.ones(n, np.float32),
        areas=np.array([mask.sum() for _, mask in rows], np.int64),
        points=np.zeros((n, 2)),
        prompts=rng.permutation(n),
        tokens=np.zeros(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )
    return ResolvedObjects(first_id + np.arange(n), found, "best")


def by_the_book(objects: ResolvedObjects) -> npt.NDArray[np.int64]:
    """Labels with each pixel of the object with the best score, then the lowest prompt."""
    plane = np.zeros(SHAPE, np.int64)
    found = objects.found
    for row in sorted(range(len(objects)), key=lambda r: (found.scores[r], -found.prompts[r])):
        y0, x0, y1, x1 = found.boxes[row].tolist()
        alone = draw_labels(objects.take(np.array([row])), (y0, x0, y1, x1))
        assert (alone > 0).sum() == found.areas[row]
        plane[y0:y1, x0:x1][alone > 0] = objects.ids[row]
    return plane


def in_parts(objects: ResolvedObjects, size: int = 3) -> Iterable[ResolvedObjects]:
    for start in range(0, len(objects) + 1, size):
        yield objects.take(np.arange(start, min(start + size, len(objects))))


def assert_levels_follow(labels: LabelPyramid) -> None:
    level0 = np.asarray(labels.levels[0][...])
    assert len(labels.levels) > 2
    for k, level in enumerate(labels.levels):
        f = 2**k
        np.testing.assert_array_equal(level[...], level0[..., f // 2 :: f, f // 2 :: f])


def test_the_better_object_lies_on_top_wherever_blocks_end() -> None:
    objects = discs(30)
    expected = by_the_book(objects)
    labels = np.zeros(SHAPE, np.uint16)
    reports = list(paint(in_parts(objects), labels))
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(draw_labels(objects, (0, 0, *SHAPE)), expected)
    np.testing.assert_array_equal(draw_labels(objects, (11, 20, 40, 77)), expected[11:40, 20:77])
    assert [report.done for report in reports] == list(range(1, 31))
    assert {report.total for report in reports} == {30}


def test_visible_pixels_are_reported_block_by_block() -> None:
    objects = discs(30)
    labels = np.zeros(SHAPE, np.uint16)
    areas = np.zeros(31, np.int64)
    for report in paint(in_parts(objects), labels):
        y0, x0, y1, x1 = report.box
        assert set(report.ids.tolist()) == set(np.unique(labels[y0:y1, x0:x1]).tolist()) - {0}
        areas[report.ids] += report.areas
    np.testing.assert_array_equal(areas[1:], np.bincount(labels.ravel(), minlength=31)[1:])
    assert (areas[1:] <= objects.found.areas).all()
    assert (areas[1:] < objects.found.areas).any()


def test_all_levels_of_a_pyramid_are_painted(tmp_path: Path) -> None:
    objects = discs(30)
    labels = LabelPyramid.create(tmp_path / "labels.zarr", SHAPE, chunk=8)
    for _ in paint(in_parts(objects), labels):
        assert_levels_follow(labels)
    np.testing.assert_array_equal(labels.levels[0][...], by_the_book(objects))
    assert labels.next_id() == 31


def test_a_plane_of_a_zarr_stack_is_painted_alone() -> None:
    labels = zarr.create_array({}, shape=(2, 3, *SHAPE), chunks=(1, 1, 16, 16), dtype="uint32")
    list(paint(in_parts(discs(5)), labels, plane=(1, 2)))
    painted = np.asarray(labels[...])
    np.testing.assert_array_equal(painted[1, 2], by_the_book(discs(5)))
    assert painted.sum() == painted[1, 2].sum() > 0


@pytest.mark.parametrize("kind", ["array", "pyramid"])
def test_painting_again_replaces_what_was_painted_and_nothing_else(
    kind: str, tmp_path: Path
) -> None:
    labels: Any = np.zeros(SHAPE, np.uint32)
    labels[30:50, 40:60] = 7
    if kind == "pyramid":
        labels = LabelPyramid.from_array(tmp_path / "labels.zarr", labels, chunk=8)
    for n in (25, 0, 8):
        objects = discs(n, seed=n, first_id=8)
        expected = by_the_book(objects)
        expected[30:50, 40:60] = 7
        list(paint(in_parts(objects), labels, first_id=8))
        painted = labels.levels[0][...] if isinstance(labels, LabelPyramid) else labels
        np.testing.assert_array_equal(painted, expected)
        if isinstance(labels, LabelPyramid):
            assert_levels_follow(labels)


def test_only_the_region_is_touched() -> None:
    labels = np.full(SHAPE, 50, np.uint8)
    list(paint(in_parts(discs(20)), labels, region=(10, 20, 45, 61)))
    expected = np.full(SHAPE, 50)
    expected[10:45, 20:61] = by_the_book(discs(20))[10:45, 20:61]
    np.testing.assert_array_equal(labels, expected)


def test_painting_stops_and_goes_on_from_the_same_objects(tmp_path: Path) -> None:
    objects = discs(20)
    labels = LabelPyramid.create(tmp_path / "labels.zarr", SHAPE, chunk=8)
    run = paint(in_parts(objects), labels)
    for _ in range(7):
        next(run)
    run.close()
    partly = np.asarray(labels.levels[0][...])
    assert 0 < (partly > 0).sum() < (by_the_book(objects) > 0).sum()
    labels.levels[2][...] = 0  # as if killed before the coarse levels were written
    list(paint(in_parts(objects), labels))
    np.testing.assert_array_equal(labels.levels[0][...], by_the_book(objects))
    assert_levels_follow(labels)


def test_a_run_that_was_killed_between_the_chunks_of_a_block_is_made_good(tmp_path: Path) -> None:
    objects = discs(20)
    expected = by_the_book(objects)
    labels = LabelPyramid.create(tmp_path / "labels.zarr", SHAPE, chunk=8)
    labels.levels[0][32:40, 40:48] = expected[32:40, 40:48]  # one of four; no coarse level yet
    assert expected[32:40, 40:48].any()
    list(paint(in_parts(objects), labels))
    np.testing.assert_array_equal(labels.levels[0][...], expected)
    assert_levels_follow(labels)


def test_labels_that_cannot_hold_the_objects_are_refused() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    with pytest.raises(InputError, match=r"ids up to \d+ are needed, or more, but the labels"):
        list(paint(in_parts(discs(20, first_id=300)), labels, first_id=300))
    assert not labels.any()
    with pytest.raises(InputTypeError, match="labels hold float64: expected whole numbers"):
        list(paint([], np.zeros(SHAPE)))


def test_nothing_to_paint_leaves_nothing() -> None:
    labels = np.zeros((1, 50), np.uint8)
    reports = list(paint([], labels))
    assert isinstance(reports[-1], Painted)
    assert not labels.any()
