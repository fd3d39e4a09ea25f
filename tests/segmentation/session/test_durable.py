"""Files of a session that outlive a crash: on the disk, then named, then the name on the disk."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from napari_sam.errors import StoreError
from napari_sam.segmentation.session.durable import write_durably

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not synced there")
def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, disk_events: list[str]
) -> None:
    write_durably(tmp_path / "new" / "file", b"contents")
    assert disk_events == ["sync", "name file", "sync"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write_durably(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
