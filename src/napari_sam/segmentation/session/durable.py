"""Files of a session: on the disk, with their name, before anybody counts on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.durable import sync_folder, whole_file
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_durably"]


def write_durably(path: Path, contents: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            unfinished.write_bytes(contents)
        sync_folder(path.parent)
