"""One process at a time adds to a journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from napari_sam.errors import StoreError
from napari_sam.segmentation.session.journal_format import LOCK_FILE, OWNER_FILE
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JournalLock", "is_in_use"]


class JournalLock:
    """The right to add to a journal, until `release`; that of a process that died is free.

    Parameters
    ----------
    folder : Path
        Made when it is not there.

    Raises
    ------
    StoreError
        When somebody else has it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._owner = folder / OWNER_FILE
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                raise StoreError(
                    f"the session in {folder} is open already{_owner(self._owner)}: close it there "
                    "first"
                ) from None
            try:
                self._owner.write_text(str(os.getpid()), encoding="ascii")
            except OSError:
                self._lock.release()
                raise

    @property
    def is_held(self) -> bool:
        """Whether it was not released."""
        return self._lock.is_locked

    def release(self) -> None:
        """Let others have it."""
        if self._lock.is_locked:
            self._owner.unlink(missing_ok=True)
            self._lock.release()


def is_in_use(folder: Path) -> bool:
    """Whether a process may add to the journal in a folder."""
    if not (folder / LOCK_FILE).exists():
        return False
    lock = _lock(folder)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # nobody can write there
        return False
    lock.release()
    return False


def _lock(folder: Path) -> FileLock:
    # A session may be opened in one thread and closed in another.
    return FileLock(folder / LOCK_FILE, thread_local=False)


def _owner(path: Path) -> str:
    try:
        number = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ""
    return " here" if number == os.getpid() else f" in another program (process {number})"
