"""Found masks on disk: one file a tile, whole or not there."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from napari_sam.durable import PARTIAL, whole_file
from napari_sam.errors import StoreError
from napari_sam.images.store_format import sampling_key
from napari_sam.segmentation.automatic.records_format import (
    IDENTITY_FILE,
    RecordsIdentity,
    named_tile,
    pack,
    tile_name,
    unpack,
)
from napari_sam.segmentation.labels.blocks import write_failed

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.tiles import TileIndex
    from napari_sam.segmentation.automatic.records_format import TileRecord

PARTIAL_AGE = 600.0
"""Seconds after which an unfinished file is left over from a killed process, not being written."""


class RecordFiles:
    """The part of records that outlives the process.

    A file is written under another name and renamed; the checksums inside find what happens to it
    later. Several processes may use one folder.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    identity : RecordsIdentity
        What the masks are made from and with; an existing folder must agree.

    Raises
    ------
    StoreError
        When the folder holds something else, or cannot be read or written.
    """

    def __init__(self, folder: Path, identity: RecordsIdentity) -> None:
        self.folder = folder
        _open(folder, identity)
        self._sweep()

    def read(self, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> TileRecord | None:
        """Record of a tile; None when it is missing.

        Raises
        ------
        StoreError
            When it is there and cannot be read, or is damaged: nothing is left out silently.
        """
        path = self._path(plane, sampling, tile)
        contents = _contents(path)
        if contents is None:
            return None
        record = unpack(contents, sampling, tile)
        if record is None:
            raise StoreError(
                f"{path} is damaged: run the segmentation again with the same folder, and the "
                "masks of this tile are found anew"
            )
        return record

    def has(self, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> bool:
        """Whether the record of a tile is there and not damaged; reads it."""
        contents = _contents(self._path(plane, sampling, tile))
        return contents is not None and unpack(contents, sampling, tile) is not None

    def write(
        self, plane: tuple[int, ...], sampling: float, tile: TileIndex, record: TileRecord
    ) -> None:
        """Keep the record of a tile.

        Raises
        ------
        StoreError
            When it cannot be written; what is there stays valid.
        """
        path = self._path(plane, sampling, tile)
        try:
            path.parent.mkdir(exist_ok=True)
            _write_whole(path, pack(record))
        except OSError as error:
            raise write_failed(path, error) from error

    def samplings(self) -> list[float]:
        """List the samplings of which there may be tiles."""
        found = []
        for entry in self.folder.iterdir():
            with contextlib.suppress(ValueError):
                found.append(float(entry.name))
        return sorted(found)

    def tiles(self, plane: tuple[int, ...], sampling: float) -> list[TileIndex]:
        """List the tiles of a plane that have a record, in no order.

        Raises
        ------
        StoreError
            When the folder cannot be read.
        """
        folder = self.folder / sampling_key(sampling)
        try:
            names = [file.name for file in folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _not_read(folder, error) from error
        named = (named_tile(name) for name in names)
        return [tile for found, tile in filter(None, named) if found == plane]

    def _path(self, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> Path:
        return self.folder / sampling_key(sampling) / tile_name(plane, tile)

    def _sweep(self) -> None:
        """Remove what killed processes left half written."""
        limit = time.time() - PARTIAL_AGE
        for file in self.folder.rglob(f"*{PARTIAL}"):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime < limit:
                    file.unlink()


def read_identity(folder: Path) -> RecordsIdentity:
    """Say what the masks in a folder were made from and with.

    Raises
    ------
    StoreError
        When it holds no found masks that this program reads.
    """
    attributes = _attributes(folder)
    try:
        return RecordsIdentity.from_attributes(attributes)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the folder {folder} cannot be used ({error}): give one that a segmentation with "
            "records wrote"
        ) from error


def _attributes(folder: Path) -> dict[str, Any]:
    path = folder / IDENTITY_FILE
    contents = _contents(path)
    if contents is None:
        raise StoreError(
            f"there are no found masks in {folder} (no {IDENTITY_FILE}): check the path"
        )
    try:
        return dict(json.loads(contents))
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{path} is damaged ({error}): give another folder, or delete this one"
        ) from error


def _contents(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_read(path, error) from error


def _not_read(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path} could not be read ({error.strerror or error}): is the disk there?")


def _write_whole(path: Path, contents: bytes) -> None:
    with whole_file(path) as unfinished:
        unfinished.write_bytes(contents)


def _open(folder: Path, identity: RecordsIdentity) -> None:
    """Make sure that a folder holds records that agree with `identity`, or nothing yet."""
    path = folder / IDENTITY_FILE
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file: give a folder to keep found masks in")
    if folder.is_dir() and not path.exists() and any(e.suffix != PARTIAL for e in folder.iterdir()):
        raise StoreError(
            f"the folder {folder} holds other files and no found masks: give an empty or new folder"
        )
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, json.dumps(identity.to_attributes(), indent=2).encode())
    except OSError as error:
        raise write_failed(folder, error) from error
    differences = identity.differences(_attributes(folder))
    if differences:
        raise StoreError(
            f"the masks in {folder} were found for something else: {'; '.join(differences)}. Give "
            "another folder, or delete this one"
        )
