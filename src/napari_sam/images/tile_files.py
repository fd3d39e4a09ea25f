"""Tiles on disk: a zarr group with one chunk file for each, complete or not there."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec
from zarr.errors import ContainsArrayError, ContainsGroupError

from napari_sam.errors import StoreError
from napari_sam.images.store_format import (
    CONSTANT,
    EMBEDDINGS,
    StoreIdentity,
    chunk_name,
    sampling_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from napari_sam.images.tiles import TileGrid, TileIndex

LOGGER = logging.getLogger(__name__)

PARTIAL_AGE = 600.0
"""Seconds after which an unfinished file is left over from a killed process, not being written."""


class TileFiles:
    """The part of a store that outlives the process.

    zarr writes each chunk to a partial file and renames it, so a chunk is whole or not there; its
    checksum finds what happens to it later. A chunk that is damaged is removed when it is read:
    it counts as missing and will be encoded again.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    identity : StoreIdentity
        What the store is for; an existing one must agree.
    planes : tuple of int
        Lengths of the image's leading axes.
    quota : int, optional
        Bytes of embeddings to keep; the least recently used go first.

    Raises
    ------
    StoreError
        When the folder holds something else, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        identity: StoreIdentity,
        planes: tuple[int, ...],
        quota: int | None = None,
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.quota = quota
        self._planes = planes
        self._group = _open_group(folder, identity)
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._lock = Lock()
        self._used: int | None = None  # bytes on disk, as far as this process knows
        self._sweep()

    def read(
        self, plane: tuple[int, ...], grid: TileGrid, tile: TileIndex
    ) -> npt.NDArray[np.float16] | None:
        """Embedding (C, G, G) of a tile; None when it is missing or damaged."""
        file = self._file(plane, grid, tile)
        if not file.exists():
            return None
        try:
            embedding = np.asarray(self._array(grid, EMBEDDINGS)[(*plane, *tile)])
        except ValueError:  # zarr's word for a wrong checksum, whatever was cut or flipped
            LOGGER.debug("removed %s, which was damaged", file)
            self._remove(file)
            return None
        if np.isnan(embedding[0, 0, 0]):  # evicted meanwhile: zarr fills what is missing
            return None
        with contextlib.suppress(OSError):
            os.utime(file)  # for the eviction of the least recently used
        return embedding

    def write(
        self,
        plane: tuple[int, ...],
        grid: TileGrid,
        tile: TileIndex,
        embedding: npt.NDArray[np.float16],
    ) -> None:
        """Keep the embedding of a tile.

        Raises
        ------
        StoreError
            When it cannot be written; the store stays valid.
        """
        with _writing(self.folder):
            self._array(grid, EMBEDDINGS)[(*plane, *tile)] = embedding
        if self.quota is not None:
            self._evict(self.quota, written=embedding.nbytes)

    def exists(self, plane: tuple[int, ...], grid: TileGrid, tile: TileIndex) -> bool:
        """Whether a tile's chunk is there."""
        return self._file(plane, grid, tile).exists()

    def mark_constant(self, plane: tuple[int, ...], grid: TileGrid, tile: TileIndex) -> None:
        """Remember that a tile shows nothing, so that no later run has to look again."""
        with _writing(self.folder):
            self._array(grid, CONSTANT)[(*plane, *tile)] = 1

    def is_constant(self, plane: tuple[int, ...], grid: TileGrid, tile: TileIndex) -> bool:
        """Whether a tile was found to show nothing."""
        name = chunk_name(plane, tile, trailing=0)
        return (self._folder_of(grid.sampling, CONSTANT) / name).exists()

    def verify(self) -> Iterator[tuple[Path, bool]]:
        """Read every embedding; yield its file and whether it was good. Bad ones are removed."""
        for file in self.chunks():
            sampling = file.parent.parent.name
            array: Any = self._group[f"{sampling}/{EMBEDDINGS}"]
            indices = tuple(int(part) for part in file.name.split(".")[1:])
            try:
                good = bool(np.isfinite(array[indices[:-3]]).all())
            except ValueError:
                good = False
            if not good:
                self._remove(file)
            yield file, good

    def chunks(self) -> list[Path]:
        """Files of all embeddings, in no particular order."""
        return [
            file for file in self.folder.glob(f"*/{EMBEDDINGS}/c.*") if file.suffix != ".partial"
        ]

    def _array(self, grid: TileGrid, name: str) -> zarr.Array[Any]:
        path = f"{sampling_key(grid.sampling)}/{name}"
        with self._lock:
            if path not in self._arrays:
                self._arrays[path] = self._make_array(path, grid, name)
            return self._arrays[path]

    def _make_array(self, path: str, grid: TileGrid, name: str) -> zarr.Array[Any]:
        leading = (*self._planes, *grid.shape)
        inner = self.identity.embedding_shape if name == EMBEDDINGS else ()
        with _writing(self.folder):
            try:
                return self._group.create_array(
                    path,
                    shape=leading + inner,
                    chunks=(1,) * len(leading) + inner,
                    dtype="float16" if name == EMBEDDINGS else "uint8",
                    # a missing chunk must not look like an embedding
                    fill_value=np.nan if name == EMBEDDINGS else 0,
                    # raw, compression saves 7 %; but zarr does not notice a flipped bit by itself
                    compressors=[Crc32cCodec()],
                    chunk_key_encoding={"name": "default", "separator": "."},
                )
            except ContainsArrayError:
                array: Any = self._group[path]
                return array  # type: ignore[no-any-return]

    def _folder_of(self, sampling: float, name: str) -> Path:
        return self.folder / sampling_key(sampling) / name

    def _file(self, plane: tuple[int, ...], grid: TileGrid, tile: TileIndex) -> Path:
        return self._folder_of(grid.sampling, EMBEDDINGS) / chunk_name(plane, tile, trailing=3)

    def _evict(self, quota: int, written: int) -> None:
        """Remove the least recently used embeddings beyond the quota.

        A twentieth more goes with them, so that the folder is not listed for every tile.
        """
        if self._used is not None:
            self._used += written
            if self._used <= quota:
                return
        stats = []
        for file in self.chunks():
            with contextlib.suppress(FileNotFoundError):  # another process may evict as well
                stat = file.stat()
                stats.append((stat.st_mtime, stat.st_size, file))
        self._used = sum(size for _, size, _ in stats)
        target = quota if self._used <= quota else quota - quota // 20
        for _, size, file in sorted(stats)[:-1]:  # never the one that was just written
            if self._used <= target:
                break
            self._remove(file)
            self._used -= size

    def _sweep(self) -> None:
        """Remove what killed processes left half written."""
        limit = time.time() - PARTIAL_AGE
        for file in self.folder.rglob("*.partial"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < limit:
                    file.unlink()

    @staticmethod
    def _remove(file: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def _open_group(folder: Path, identity: StoreIdentity) -> zarr.Group:
    """Open the group of a store that agrees with `identity`, or make it."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"the store {folder} is a file: give a folder")
    if folder.is_dir() and not (folder / "zarr.json").exists() and any(folder.iterdir()):
        raise StoreError(
            f"the folder {folder} holds other files and no store of embeddings: give an empty or "
            "new folder"
        )
    with _writing(folder):
        if not (folder / "zarr.json").exists():
            with contextlib.suppress(ContainsGroupError):  # made by another process this moment
                return zarr.create_group(folder, attributes=identity.to_attributes())
    try:
        group = zarr.open_group(folder, mode="r+")
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise StoreError(
            f"the folder {folder} is no store of embeddings ({error}): give another folder"
        ) from error
    differences = identity.differences(dict(group.attrs))
    if differences:
        raise StoreError(
            f"the store {folder} was made for something else: {'; '.join(differences)}. "
            "Give another folder, or delete this one"
        )
    return group


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the store {folder} cannot be written ({error.strerror or error}): make room or check "
            "the permissions; what is in the store stays valid, and a later run goes on from there"
        ) from error
