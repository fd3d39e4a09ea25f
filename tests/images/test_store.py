from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from napari_sam.errors import StoreError
from napari_sam.images.store import EmbeddingStore
from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileIndex, Window

if TYPE_CHECKING:
    from pathlib import Path

PLANE_SHAPE = (400, 700)
IDENTITY = StoreIdentity(
    image_shape=(2, *PLANE_SHAPE),
    image_dtype="uint8",
    image_axes="ZYX",
    image_channels=(0,),
    image_colors=((255, 255, 255),),
    image_fingerprint="ab12",
    limits=((0.0, 255.0),),
    model_name="tiny",
    model_sha256="cd34",
    tile=128,
    cell=16,
    core=96,
    embedding_shape=(4, 8, 8),
)


def open_store(
    folder: Path | None, identity: StoreIdentity = IDENTITY, **limits: int
) -> EmbeddingStore:
    return EmbeddingStore(identity, (2,), PLANE_SHAPE, folder, **limits)


def embedding(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 8, 8)).astype(np.float16)


def window(store: EmbeddingStore, row: int, column: int, sampling: float = 1.0) -> Window:
    return store.grid(sampling).window(TileIndex(row, column))


def chunk_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/embeddings/c.*"))


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddingStore:
    return open_store(tmp_path / "store" if request.param == "disk" else None)


def test_what_was_put_in_comes_out_and_nothing_else(store: EmbeddingStore) -> None:
    store.put((1,), window(store, 0, 2), embedding(1))
    store.put((0,), window(store, 0, 2), embedding(2))
    store.put((0,), window(store, 0, 2, 0.5), embedding(3))
    np.testing.assert_array_equal(store.get((1,), window(store, 0, 2)), embedding(1))
    np.testing.assert_array_equal(store.get((0,), window(store, 0, 2)), embedding(2))
    np.testing.assert_array_equal(store.get((0,), window(store, 0, 2, 0.5)), embedding(3))
    assert store.get((0,), window(store, 1, 2)) is None
    assert store.get((1,), window(store, 0, 2, 0.5)) is None


def test_states(store: EmbeddingStore) -> None:
    store.put((0,), window(store, 0, 0), embedding(1))
    store.mark_constant((0,), window(store, 0, 1))
    states = [store.state((0,), window(store, 0, column)) for column in range(3)]
    assert states == ["ready", "constant", "missing"]


def test_windows_between_the_tiles_are_kept_in_memory(store: EmbeddingStore) -> None:
    between = Window((10.0, 3.0), (1.0, 1.0), 128)
    store.put((0,), between, embedding(1))
    np.testing.assert_array_equal(store.get((0,), between), embedding(1))


def test_what_comes_out_cannot_be_changed(store: EmbeddingStore) -> None:
    store.put((0,), window(store, 0, 0), embedding(1))
    found = store.get((0,), window(store, 0, 0))
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[:] = 0


def test_memory_is_bounded_and_the_least_recently_used_goes_first() -> None:
    store = open_store(None, memory=3 * embedding(0).nbytes)
    for column in (0, 1, 2):
        store.put((0,), window(store, 0, column), embedding(column))
    store.get((0,), window(store, 0, 0))
    store.put((0,), window(store, 0, 3), embedding(3))
    kept = [store.get((0,), window(store, 0, column)) is not None for column in range(4)]
    assert kept == [True, False, True, True]


def test_another_process_finds_the_tiles_on_disk(tmp_path: Path) -> None:
    first = open_store(tmp_path / "store")
    first.put((1,), window(first, 3, 6), embedding(1))
    first.mark_constant((1,), window(first, 0, 0))
    second = open_store(tmp_path / "store")
    np.testing.assert_array_equal(second.get((1,), window(second, 3, 6)), embedding(1))
    assert second.state((1,), window(second, 0, 0)) == "constant"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_fingerprint": "other"}, "image content"),
        ({"image_shape": (2, 400, 701)}, "image shape"),
        ({"image_dtype": "uint16"}, "image dtype"),
        ({"image_colors": ((255, 0, 255),)}, "image colors"),
        ({"limits": ((0.0, 200.0),)}, "limits"),
        ({"model_sha256": "other"}, "model"),
        ({"core": 64}, "core"),
    ],
)
def test_a_store_of_something_else_is_refused_and_says_what_differs(
    tmp_path: Path, change: dict, words: str
) -> None:
    store = open_store(tmp_path / "store")
    store.put((0,), window(store, 0, 0), embedding(1))
    with pytest.raises(StoreError, match=words):
        open_store(tmp_path / "store", replace(IDENTITY, **change))
    assert open_store(tmp_path / "store").state((0,), window(store, 0, 0)) == "ready"


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    zarr.open_group(tmp_path / "store").attrs["version"] = 99
    with pytest.raises(StoreError, match="version is 99"):
        open_store(tmp_path / "store")


def test_another_zarr_group_is_refused(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "other", attributes={"multiscales": []})
    with pytest.raises(StoreError, match="not a store of embeddings"):
        open_store(tmp_path / "other")


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(StoreError, match="other files"):
        open_store(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        open_store(tmp_path / "file")


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_chunk_is_never_used(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path / "store")
    store.put((0,), window(store, 0, 0), embedding(1))
    (file,) = chunk_files(tmp_path / "store")
    data = bytearray(file.read_bytes())
    data[37] ^= 4
    file.write_bytes({"flip": bytes(data), "truncate": bytes(data[:100]), "empty": b""}[damage])
    again = open_store(tmp_path / "store")
    assert again.state((0,), window(store, 0, 0)) == "ready"  # nobody has looked yet
    assert again.get((0,), window(store, 0, 0)) is None
    assert again.state((0,), window(store, 0, 0)) == "missing"


def test_verify_finds_the_damaged_among_the_good(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    for column in range(4):
        store.put((0,), window(store, 0, column), embedding(column))
    files = chunk_files(tmp_path / "store")
    files[2].write_bytes(files[2].read_bytes()[:-1])
    reports = list(open_store(tmp_path / "store").verify())
    assert [report.done for report in reports] == [1, 2, 3, 4]
    assert [report.damaged for report in reports if report.damaged] == [files[2].name]
    assert not files[2].exists()
    assert all(report.damaged is None for report in open_store(tmp_path / "store").verify())


def test_the_least_recently_used_are_evicted_beyond_the_quota(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", quota=4 * 520, memory=0)
    for column in range(4):
        store.put((0,), window(store, 0, column), embedding(column))
        file = chunk_files(tmp_path / "store")[-1]
        old = time.time() - 100 + column
        os.utime(file, (old, old))
    assert store.get((0,), window(store, 0, 0)) is not None  # used again
    store.put((0,), window(store, 0, 4), embedding(4))
    states = [store.state((0,), window(store, 0, column)) for column in range(5)]
    assert states == ["ready", "missing", "missing", "ready", "ready"]


def test_a_chunk_evicted_under_a_reader_is_missing_not_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "store")
    store.put((0,), window(store, 0, 0), embedding(1))
    again = open_store(tmp_path / "store")
    for file in chunk_files(tmp_path / "store"):
        file.unlink()
    monkeypatch.setattr("pathlib.Path.exists", lambda path: True)  # it was there a moment ago
    assert again.get((0,), window(store, 0, 0)) is None


def test_a_full_disk_is_one_sentence_and_leaves_a_valid_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "store")
    store.put((0,), window(store, 0, 0), embedding(1))

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("zarr.storage._local._put", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.put((0,), window(store, 0, 1), embedding(2))
    again = open_store(tmp_path / "store")
    np.testing.assert_array_equal(again.get((0,), window(store, 0, 0)), embedding(1))
    assert again.state((0,), window(store, 0, 1)) == "missing"


def test_what_a_killed_process_left_half_written_is_swept(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    store.put((0,), window(store, 0, 0), embedding(1))
    folder = chunk_files(tmp_path / "store")[0].parent
    left, in_flight = folder / "c.0.0.1.0.0.aa.partial", folder / "c.0.0.2.0.0.bb.partial"
    left.write_bytes(b"half")
    in_flight.write_bytes(b"half")
    hours_ago = time.time() - 7200
    os.utime(left, (hours_ago, hours_ago))
    again = open_store(tmp_path / "store")
    assert not left.exists()
    assert in_flight.exists()
    assert [report.damaged for report in again.verify()] == [None]
