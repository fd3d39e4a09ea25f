"""Where sessions are kept, and which there are of an image."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from napari_sam.errors import StoreError
from napari_sam.segmentation.session.history import History
from napari_sam.segmentation.session.journal_contents import read_journal
from napari_sam.segmentation.session.journal_format import JOURNAL_FILE
from napari_sam.segmentation.session.journal_lock import is_in_use

if TYPE_CHECKING:
    from napari_sam.segmentation.session.journal_format import ImageIdentity

__all__ = ["FoundSession", "new_session_folder", "sessions_folder", "sessions_of"]

VARIABLE = "NAPARI_SAM_SESSIONS"
"""Environment variable that says where sessions are kept instead."""

LONGEST_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSession:
    """A session of before.

    Attributes
    ----------
    folder : Path
        `Annotator.reopen` brings it back.
    created, changed : datetime
        First and last step, with time zone.
    objects : int
        How many there are.
    in_use : bool
        Whether a process has it open.
    """

    folder: Path
    created: datetime
    changed: datetime
    objects: int
    in_use: bool


def sessions_folder() -> Path:
    """Folder that holds the sessions of this user."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    return user_data_path("napari-sam-tiles", appauthor=False) / "sessions"


def new_session_folder(image_name: str, place: Path | None = None) -> Path:
    """Choose the folder of a new session; makes nothing.

    Parameters
    ----------
    image_name : str
        Name or path of the image.
    place : Path, optional
        Folder to choose in, `sessions_folder` when not given.
    """
    name = re.sub(r"[^\w.-]+", "-", Path(image_name).name).strip("-.")[:LONGEST_NAME] or "image"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    place = sessions_folder() if place is None else place
    folder, number = place / stem, 1
    while folder.exists():
        number += 1
        folder = place / f"{stem}-{number}"
    return folder


def sessions_of(image: ImageIdentity, place: Path | None = None) -> list[FoundSession]:
    """List the sessions of an image, those that changed last first.

    Journals that are damaged or of a newer version are left out. Reads them all: on a worker.

    Parameters
    ----------
    image : ImageIdentity
        Its name does not matter.
    place : Path, optional
        Folder to look in, `sessions_folder` when not given.
    """
    place = sessions_folder() if place is None else place
    found = []
    for path in place.glob(f"*/{JOURNAL_FILE}"):
        try:
            session = _look(path.parent, image)
        except StoreError:
            continue
        if session is not None:
            found.append(session)
    return sorted(found, key=lambda session: session.changed, reverse=True)


def _look(folder: Path, image: ImageIdentity) -> FoundSession | None:
    contents = read_journal(folder)
    if not contents.header.image.is_same(image):
        return None
    history = History.read(contents)
    history.count_rows()
    last = contents.entries[-1]["at"] if contents.entries else contents.header.created
    return FoundSession(
        folder=folder,
        created=datetime.fromisoformat(contents.header.created),
        changed=datetime.fromisoformat(last),
        objects=len(history.rows),
        in_use=is_in_use(folder),
    )
