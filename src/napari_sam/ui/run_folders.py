"""Where the records of automatic runs lie: in the journal, whose steps refer to them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.segmentation.session.annotator import Annotator

__all__ = ["RunFolders", "copy_records", "records_for"]


class RunFolders:
    """Folders of one panel's runs, and which of them must stay as they are."""

    def __init__(self) -> None:
        self._made: list[Path] = []
        self._temporary: list[Path] = []
        self._kept: set[Path] = set()

    def new(self, annotator: Annotator) -> Path:
        """Choose a folder in the annotator's journal; without one, one for the time being."""
        from napari_sam.segmentation.session.journal import new_records_folder

        if annotator.journal is not None:
            self._made.append(new_records_folder(annotator.journal.folder))
        else:
            self._temporary.append(Path(tempfile.mkdtemp(prefix="napari-sam-")))
            self._made.append(self._temporary[-1] / "records")
        return self._made[-1]

    def keep(self, folder: Path) -> None:
        """Note that objects are made of these records: a journal may refer to them."""
        self._kept.add(folder)

    def is_kept(self, folder: Path) -> bool:
        """Whether nothing may be added to these records any more."""
        return folder in self._kept

    def close(self) -> None:
        """Remove what was found and not kept, and all that lies in no journal."""
        for folder in (*self._temporary, *(each for each in self._made if not self.is_kept(each))):
            shutil.rmtree(folder, ignore_errors=True)


def records_for(annotator: Annotator, folder: Path) -> Path:
    """Give the records, copied into the annotator's journal if they lie elsewhere.

    They do when they were found for other labels of the image.

    Raises
    ------
    StoreError
        When they cannot be copied.
    """
    from napari_sam.segmentation.session.journal import new_records_folder

    journal = annotator.journal
    if journal is None or folder.is_relative_to(journal.folder):
        return folder
    own = new_records_folder(journal.folder)
    copy_records(folder, own)
    return own


def copy_records(source: Path, target: Path) -> None:
    """Copy a folder of records.

    Raises
    ------
    StoreError
        When that is not possible.
    """
    from napari_sam.segmentation.labels.blocks import write_failed

    try:
        shutil.copytree(source, target)
    except OSError as error:  # and shutil's own, which is one
        shutil.rmtree(target, ignore_errors=True)
        raise write_failed(target, error) from error
