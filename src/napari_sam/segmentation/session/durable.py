"""Files that outlive a crash: on the disk, whole, before anybody counts on them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from napari_sam.errors import StoreError
from napari_sam.segmentation.labels.blocks import write_failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["sync", "sync_folder", "write_durably", "writing"]


def sync(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names of new files are on the disk; Windows needs no such thing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, contents: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                file.write(contents)
                sync(file)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a place into one sentence.

    Raises
    ------
    StoreError
        When anything in the block cannot be written.
    """
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise write_failed(path, error) from error
