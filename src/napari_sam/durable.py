"""Files that outlive a crash: whole, and on the disk before they get their name."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PARTIAL", "sync", "sync_folder", "whole_file"]

PARTIAL = ".partial"
"""How the names of files end that are not finished; a process that was killed leaves them."""


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to; it gets the file's name when the block has ended well.

    Until then, and for good if it does not end well, a file of that name is as it was.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            sync(file)  # before the rename, or a crash could leave an empty file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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
