from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.images.source import open_image
from napari_sam.segmentation.session.folders import (
    new_session_folder,
    sessions_folder,
    sessions_of,
)
from napari_sam.segmentation.session.journal_format import ImageIdentity

if TYPE_CHECKING:
    import pytest

KNOWN = runpy.run_path(str(Path(__file__).with_name("known_session.py")))


def test_a_folder_is_named_after_the_time_and_the_image(tmp_path: Path) -> None:
    first = new_session_folder("/data/Ünsere Zellen (2).ome.tif", tmp_path)
    assert first.parent == tmp_path
    assert first.name.endswith("-Ünsere-Zellen-2-.ome.tif")
    assert not first.exists()
    first.mkdir()
    again = new_session_folder("/data/Ünsere Zellen (2).ome.tif", tmp_path)
    assert again != first
    assert not again.exists()
    assert new_session_folder("///", tmp_path).name.endswith("-image")


def test_sessions_lie_where_the_user_wants_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NAPARI_SAM_SESSIONS", str(tmp_path))
    assert sessions_folder() == tmp_path
    monkeypatch.delenv("NAPARI_SAM_SESSIONS")
    assert sessions_folder().parts[-2:] == ("napari-sam-tiles", "sessions")


def test_the_sessions_of_an_image_are_listed_whatever_it_is_called(tmp_path: Path) -> None:
    mine = replace(KNOWN["IMAGE"], name="renamed.tif")
    other = replace(KNOWN["IMAGE"], fingerprint="ffff")
    assert sessions_of(mine, tmp_path / "nothing") == []
    for name, image, seeds in (("a", mine, [1, 2, 3]), ("b", other, [1]), ("c", mine, [])):
        annotator = KNOWN["begin"](tmp_path / name, image=image)
        for seed in seeds:
            assert KNOWN["accept_next"](annotator, seed)
        if name == "a":
            annotator.undo()
            annotator.close()
    damaged = tmp_path / "d" / "journal.jsonl"
    damaged.parent.mkdir()
    damaged.write_bytes(b"nothing\n")
    empty, full = sessions_of(KNOWN["IMAGE"], tmp_path)
    assert (full.folder.name, full.objects, full.in_use) == ("a", 2, False)
    assert (empty.folder.name, empty.objects, empty.in_use) == ("c", 0, True)
    assert full.created <= full.changed <= empty.changed


def test_the_objects_of_a_run_are_counted(tmp_path: Path) -> None:
    annotator = KNOWN["begin"](tmp_path / "a")
    list(annotator.add_run(KNOWN["records"]([1, 2, 3], [()])))
    (session,) = sessions_of(KNOWN["IMAGE"], tmp_path)
    assert session.objects == len(annotator.rows) > 0


def test_an_image_is_known_by_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 80), np.uint8)
    image = ImageIdentity.of(open_image(pixels), "mine")
    assert image.name == "mine"
    assert image.is_same(ImageIdentity.of(open_image(pixels.copy())))
    pixels[5, 5] ^= 1
    assert not image.is_same(ImageIdentity.of(open_image(pixels)))
