from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.images.tiles import Window
from napari_sam.segmentation.candidates import Candidates
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.edits import erase, next_id, paint, plan, redo, undo
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Box = tuple[int, int, int, int]
    Make = Callable[[tuple[int, ...]], Any]


def pixels(labels: Any) -> npt.NDArray[Any]:
    """Level 0 of labels of any kind, a copy."""
    level = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    return np.array(level[...])


def zarr_array(shape: tuple[int, ...], chunk: int = 4, **options: Any) -> zarr.Array[Any]:
    chunks = (1,) * (len(shape) - 2) + (chunk, chunk)
    return zarr.create_array(store={}, shape=shape, chunks=chunks, dtype="uint16", **options)


@pytest.fixture(params=["numpy", "zarr", "sharded zarr", "pyramid"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Maker of empty labels of a shape, of every kind."""

    def build(shape: tuple[int, ...]) -> Any:
        if request.param == "numpy":
            return np.zeros(shape, np.uint16)
        if request.param == "pyramid":
            return LabelPyramid.create(tmp_path / "labels.zarr", shape, dtype="uint16", chunk=4)
        sharded = {"shards": (1,) * (len(shape) - 2) + (8, 8)} if "sharded" in request.param else {}
        return zarr_array(shape, **sharded)

    return build


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 8 pixels, so that small labels have many."""
    monkeypatch.setattr(label_blocks, "BLOCK", 8)


class Disc:
    """Draws itself, and remembers how much of it was drawn at once."""

    plane: tuple[int, ...] = ()

    def __init__(self, centre: float, radius: float) -> None:
        self.centre, self.radius = centre, radius
        self.drawn: list[Box] = []

    @property
    def bounds(self) -> Box:
        low, high = int(self.centre - self.radius), int(self.centre + self.radius) + 1
        return low, low, high, high

    def draw(self, box: Box) -> npt.NDArray[np.bool_]:
        self.drawn.append(box)
        y, x = np.ogrid[box[0] : box[2], box[1] : box[3]]
        return np.asarray((y - self.centre) ** 2 + (x - self.centre) ** 2 <= self.radius**2)


def test_an_object_is_painted_where_it_lies_and_others_keep_their_pixels(make: Make) -> None:
    labels = make((2, 6, 8))
    paint(labels, np.ones((1, 1), bool), (2, 3), 9, plane=(1,))
    edit = paint(labels, np.ones((2, 3), bool), (2, 2), 5, plane=(1,))
    expected = np.zeros((6, 8), int)
    expected[2:4, 2:5] = 5
    expected[2, 3] = 9
    np.testing.assert_array_equal(pixels(labels)[1], expected)
    assert not pixels(labels)[0].any()
    assert (edit.area, edit.bounds, edit.value, edit.plane) == (5, (2, 2, 4, 5), 5, (1,))


@pytest.mark.usefixtures("small_blocks")
def test_an_edit_is_undone_and_made_again_exactly(make: Make) -> None:
    labels = make((40, 30))
    rng = np.random.default_rng(0)
    for value in (4, 5, 6):
        paint(labels, rng.random((40, 30)) > 0.8, (0, 0), value)
    before = pixels(labels)
    edit = paint(labels, rng.random((21, 17)) > 0.5, (5, 6), 7)
    painted = pixels(labels)
    erased = erase(labels, rng.random((30, 20)) > 0.3, (8, 3))
    after = pixels(labels)
    assert (before != painted).any()
    assert (painted != after).any()
    undo(labels, erased)
    np.testing.assert_array_equal(pixels(labels), painted)
    undo(labels, edit)
    np.testing.assert_array_equal(pixels(labels), before)
    redo(labels, edit)
    redo(labels, erased)
    np.testing.assert_array_equal(pixels(labels), after)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), chunk=st.integers(1, 40), block=st.integers(1, 20))
def test_chunks_and_blocks_do_not_change_what_is_painted(
    data: st.DataObject, chunk: int, block: int
) -> None:
    plain, stored = np.zeros((33, 27), np.uint16), zarr_array((33, 27), chunk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_blocks, "BLOCK", block)
        for value in (1, 2):
            y, x = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
            mask = np.random.default_rng((value, y, x)).random((13, 7)) > 0.6
            for labels in (plain, stored):
                paint(labels, mask, (y, x), value)
    np.testing.assert_array_equal(plain, pixels(stored))


@pytest.mark.usefixtures("small_blocks")
def test_an_object_that_draws_itself_is_drawn_in_small_parts(make: Make) -> None:
    labels = make((64, 64))
    disc = Disc(30.5, 20)
    edit = paint(labels, disc, value=3)
    y, x = np.ogrid[:64, :64]
    expected = (y - 30.5) ** 2 + (x - 30.5) ** 2 <= 400
    np.testing.assert_array_equal(pixels(labels), np.where(expected, 3, 0))
    assert edit.area == expected.sum()
    assert len(disc.drawn) > 20
    assert max((box[2] - box[0]) * (box[3] - box[1]) for box in disc.drawn) <= 64


def test_a_candidate_is_painted_as_its_mask_shows_it_and_into_its_own_plane() -> None:
    y, x = np.mgrid[:32, :32]
    logits = (8 - np.hypot(y - 20, x - 11)).astype(np.float32)[None]
    window = Window((0.0, 0.0), (2.0, 2.0), 32)
    candidate = Candidates(logits, np.ones(1, np.float32), window, (1,), (64, 64))[0]
    labels = np.zeros((2, 64, 64), np.uint8)
    edit = paint(labels, candidate, value=1)
    top, left = candidate.origin
    height, width = candidate.mask.shape
    assert edit.area == candidate.mask.sum() > 0
    assert not labels[0].any()
    np.testing.assert_array_equal(
        labels[1, top : top + height, left : left + width], candidate.mask.astype(int)
    )


def test_an_edit_of_a_large_object_stays_small() -> None:
    labels = np.zeros((1500, 1500), np.uint32)
    labels[700:710] = 4
    paint(labels, Disc(750, 700), value=1)
    edit = erase(labels, np.ones((1500, 1500), bool), (0, 0))
    stored = sum(len(p.bits) + p.values.nbytes + p.runs.nbytes for p in edit.before)
    assert edit.area > 1_500_000
    assert stored < 20_000


def test_nothing_is_changed_by_planning() -> None:
    labels = np.zeros((9, 9), np.uint8)
    edit = plan(labels, np.ones((2, 2), bool), (1, 1), value=3)
    assert not labels.any()
    redo(labels, edit)
    assert labels.sum() == 12


@pytest.mark.parametrize(("mask", "message"), [(True, "other objects"), (False, "no pixels")])
def test_an_object_without_pixels_of_its_own_is_refused(
    make: Make, mask: bool, message: str
) -> None:
    labels = make((4, 4))
    paint(labels, np.ones((4, 4), bool), (0, 0), 3)
    with pytest.raises(InputError, match=message):
        paint(labels, np.full((2, 2), mask), (0, 0), 4)
    assert (pixels(labels) == 3).all()


def test_an_empty_candidate_is_refused() -> None:
    empty = Disc(5, 2)
    empty.draw = lambda box: np.zeros((box[2] - box[0], box[3] - box[1]), bool)  # type: ignore[method-assign]
    with pytest.raises(InputError, match="no pixels"):
        paint(np.zeros((9, 9), int), empty, value=1)


def test_erasing_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to erase"):
        erase(np.zeros((4, 4), int), np.ones((2, 2), bool), (0, 0))


def test_an_id_too_large_for_the_labels_is_refused_and_nothing_painted(make: Make) -> None:
    labels = make((4, 4))
    with pytest.raises(InputError, match=r"65536 does not fit labels of type uint16.*uint32"):
        paint(labels, np.ones((2, 2), bool), (0, 0), 65536)
    assert not pixels(labels).any()


def test_an_id_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="id 0: expected 1 or more"):
        paint(np.zeros((4, 4), int), np.ones((2, 2), bool), (0, 0))


@pytest.mark.parametrize("origin", [(3, 0), (0, 3), (-1, 0)])
def test_a_mask_outside_the_labels_is_refused(make: Make, origin: tuple[int, int]) -> None:
    labels = make((4, 4))
    with pytest.raises(InputError, match=r"does not lie within labels of shape \(4, 4\)"):
        paint(labels, np.ones((2, 2), bool), origin, 1)
    assert not pixels(labels).any()


@pytest.mark.parametrize("plane", [(), (2,), (-1,), (0, 0)])
def test_a_plane_that_is_not_there_is_refused(plane: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"no plane .* in labels of shape \(2, 4, 4\)"):
        paint(np.zeros((2, 4, 4), int), np.ones((2, 2), bool), (0, 0), 1, plane=plane)


def test_an_image_is_not_taken_for_labels() -> None:
    with pytest.raises(InputTypeError, match="labels hold float64"):
        paint(np.zeros((4, 4)), np.ones((2, 2), bool), (0, 0), 1)


def test_labels_opened_for_reading_are_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(4, 4), dtype="uint8")
    frozen = np.zeros((4, 4), int)
    frozen.flags.writeable = False
    for labels in (frozen, zarr.open_array(tmp_path / "a", mode="r")):
        with pytest.raises(InputError, match="for reading only"):
            paint(labels, np.ones((2, 2), bool), (0, 0), 1)


def test_a_fresh_id_is_above_all_others(make: Make) -> None:
    labels = make((3, 3, 3))
    assert next_id(labels) == 1
    paint(labels, np.ones((1, 1), bool), (2, 1), 7, plane=(2,))
    paint(labels, np.ones((2, 2), bool), (0, 0), 3, plane=(0,))
    assert next_id(labels) == 8


def test_a_full_disk_is_one_sentence_and_leaves_no_half_of_an_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_blocks, "BLOCK", 8)
    labels = LabelPyramid.create(tmp_path / "labels.zarr", (32, 32), chunk=8)
    paint(labels, np.ones((3, 3), bool), (0, 0), 1)
    before = pixels(labels)
    write, room = zarr.storage.LocalStore.set, 4

    async def write_while_there_is_room(store: Any, key: str, value: Any) -> None:
        nonlocal room
        room -= not key.endswith("zarr.json")
        if room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        await write(store, key, value)

    with monkeypatch.context() as full:
        full.setattr(zarr.storage.LocalStore, "set", write_while_there_is_room)
        message = r"labels.zarr.*No space left on device.*make room"
        with pytest.raises(StoreError, match=message) as refused:
            paint(labels, Disc(20, 10), value=2)
    assert str(refused.value).startswith(str(tmp_path / "labels.zarr")), "no file://"
    assert (pixels(labels)[:3, :3] == 1).all()
    np.testing.assert_array_equal(pixels(labels) == 1, before == 1)
    assert next_id(labels) == 3
    paint(labels, Disc(20, 10), value=next_id(labels))
    assert (pixels(labels) == 3).sum() > 300


def test_a_flipped_bit_is_found_and_said_in_one_sentence(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "labels.zarr", (64, 64))
    paint(labels, Disc(30, 20), value=1)
    chunk = tmp_path / "labels.zarr" / "0" / "c" / "0" / "0"
    whole = chunk.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        chunk.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"0 could not be read in the box") as refused:
            paint(labels, np.ones((9, 9), bool), (1, 1), 2)
        assert str(refused.value).startswith(str(tmp_path / "labels.zarr" / "0")), "no file://"


@pytest.mark.parametrize("stored", [{"chunks": (300, 300)}, {"chunks": (100, 50)}])
def test_blocks_follow_the_chunks(stored: dict[str, Any]) -> None:
    array = zarr.create_array(store={}, shape=(5000, 7000), dtype="uint8", **stored)
    boxes = list(label_blocks.blocks(array, (10, 20, 4990, 6990)))
    assert sum((y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in boxes) == 4980 * 6970
    for y0, x0, y1, x1 in boxes:
        assert (y1 - y0) <= label_blocks.BLOCK >= (x1 - x0)
        assert y0 == 10 or y0 % stored["chunks"][0] == 0
        assert x0 == 20 or x0 % stored["chunks"][1] == 0


def test_blocks_follow_the_shards_where_chunks_are_stored_together() -> None:
    shape = (5000, 5000)
    array = zarr.create_array(
        store={}, shape=shape, dtype="uint8", chunks=(50, 50), shards=(1500, 1500)
    )
    boxes = list(label_blocks.blocks(array, (0, 0, *shape)))
    assert all(box[0] % 1500 == box[1] % 1500 == 0 for box in boxes)


def test_a_chunk_as_wide_as_the_image_does_not_make_blocks_as_wide() -> None:
    shape = (5000, 60_000)
    array = zarr.create_array(store={}, shape=shape, dtype="uint8", chunks=(1, 60_000))
    boxes = label_blocks.blocks(array, (0, 0, *shape))
    assert max(box[3] - box[1] for box in boxes) == label_blocks.BLOCK
