"""The journal of a session: every step in a file, on the disk before the labels are touched."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.durable import sync
from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.segmentation.labels.edits import next_id
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.durable import write_durably
from napari_sam.segmentation.session.journal_contents import JournalContents, read_journal
from napari_sam.segmentation.session.journal_format import (
    BASE_FILE,
    JOURNAL_FILE,
    NO_BASE,
    RUNS_FOLDER,
    TORN_FILE,
    Header,
    pack_line,
    relative_to,
)
from napari_sam.segmentation.session.journal_lock import JournalLock
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.session.journal_format import ImageIdentity

__all__ = ["Journal", "new_records_folder"]


class Journal:
    """A journal that this process may add to; `create` makes a new one, `open` takes one up.

    Attributes
    ----------
    folder : Path
    header : Header
    dropped : str or None
        What an unfinished last line said when the journal was opened. Its step was not accepted:
        the process or the computer stopped before.
    """

    def __init__(self, contents: JournalContents, lock: JournalLock) -> None:
        self.folder = contents.folder
        self.header = contents.header
        self.dropped = contents.dropped
        self._lock = lock
        self._path = contents.folder / JOURNAL_FILE
        self._number = len(contents.entries)
        self._end = self._before = contents.end

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        labels: Labels,
        image: ImageIdentity,
        made_with: Mapping[str, Any],
        *,
        are_empty: bool = False,
    ) -> Self:
        """Begin a journal of labels as they are now.

        Parameters
        ----------
        folder : path
            New, or without a journal.
        labels : ndarray, zarr array or LabelPyramid
            Those in memory are kept in the folder when they are not empty.
        image : ImageIdentity
        made_with : mapping
            See `napari_sam.segmentation.session.journal_format.made_with`.
        are_empty : bool
            Whether labels in memory are known to hold no object, and need not be read.

        Raises
        ------
        InputError
            When there is a journal already.
        StoreError
            When the folder cannot be written, or another process uses it.
        """
        folder = Path(folder)
        path = folder / JOURNAL_FILE
        lock = JournalLock(folder)
        try:
            if path.exists():
                raise InputError(
                    f"{folder} holds a session already: bring it back, or choose another folder"
                )
            header = Header(
                created=_now(),
                image=image,
                shape=tuple(labels.shape),
                dtype=str(np.dtype(labels.dtype)),
                labels=_place(labels, folder),
                highest=0 if are_empty else next_id(labels) - 1,
                base=None if are_empty else _keep_base(labels, folder),
                made_with=dict(made_with),
            )
            line = pack_line({"n": 0, **header.to_json()})
            write_durably(path, line)
        except BaseException:
            lock.release()
            raise
        return cls(JournalContents(folder, header, [], len(line), b""), lock)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> tuple[Self, JournalContents]:
        """Go on with a journal; what was not finished of its last line goes into another file.

        Returns
        -------
        journal : Journal
        contents : JournalContents

        Raises
        ------
        StoreError
            When there is none, it is damaged, another process uses it, or it cannot be written.
        """
        folder = Path(folder)
        read_journal(folder)  # says what is wrong with it before a lock is made there
        lock = JournalLock(folder)
        try:
            contents = read_journal(folder)
            journal = cls(contents, lock)
            if contents.torn:
                with writing(folder / TORN_FILE), (folder / TORN_FILE).open("ab") as file:
                    file.write(contents.torn + b"\n")
                    sync(file)
                with writing(journal._path):
                    journal._cut(contents.end)
        except BaseException:
            lock.release()
            raise
        return journal, contents

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line; when this returns it is on the disk.

        Raises
        ------
        StoreError
            When it cannot be written; the journal is then as it was.
        """
        if not self._lock.is_held:
            raise StoreError(f"the session in {self.folder} was closed: bring it back first")
        number = self._number + 1
        line = pack_line({"n": number, "at": _now(), **entry})
        with writing(self._path):
            if self._path.stat().st_size != self._end:  # an earlier try left something
                self._cut(self._end)
            try:
                with self._path.open("ab") as file:
                    file.write(line)
                    sync(file)
            except OSError:
                with contextlib.suppress(OSError):
                    self._cut(self._end)
                raise
        self._number, self._before, self._end = number, self._end, self._end + len(line)

    def withdraw(self) -> None:
        """Take the line back that was added last, of a step that could not be done.

        Raises
        ------
        StoreError
            When the file cannot be written.
        """
        if self._before == self._end:
            return
        with writing(self._path):
            self._cut(self._before)
        self._number, self._end = self._number - 1, self._before

    def close(self) -> None:
        """Let others use it."""
        with contextlib.suppress(OSError):
            self._lock.release()

    def _cut(self, end: int) -> None:
        with self._path.open("r+b") as file:
            file.truncate(end)
            sync(file)


def new_records_folder(folder: Path) -> Path:
    """Choose a folder for the records of the next automatic run: ``runs/<n>``; makes nothing."""
    taken = [int(e.name) for e in (folder / RUNS_FOLDER).glob("*") if e.name.isdecimal()]
    return folder / RUNS_FOLDER / str(max(taken, default=0) + 1)


def _place(labels: Labels, folder: Path) -> str | None:
    """Where labels are on disk, inside the folder or absolute; None of those in memory."""
    if isinstance(labels, np.ndarray):
        return None
    if not isinstance(labels, LabelPyramid):
        raise InputTypeError(
            f"labels are a {type(labels).__name__}: a session keeps numpy arrays or a LabelPyramid"
        )
    return relative_to(labels.path, folder)


def _keep_base(labels: Labels, folder: Path) -> str | None:
    """Keep labels that were there before the first step, as far as they are in memory."""
    if not isinstance(labels, np.ndarray):
        return None if next_id(labels) == 1 else NO_BASE
    if not labels.any():
        return None
    file = io.BytesIO()
    np.savez_compressed(file, labels=labels)
    write_durably(folder / BASE_FILE, file.getvalue())
    return BASE_FILE


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
