"""What the page on architecture sends people to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_sam.images.store import EmbeddingStore
from napari_sam.segmentation.predict import Segmenter

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "napari_sam"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")

SPOKEN_OF = {"Segmenter": Segmenter, "EmbeddingStore": EmbeddingStore}


def named_files(text: str) -> set[str]:
    """Files and folders of the package that a page names with their room."""
    return set(
        re.findall(r"`((?:cli|evaluate|images|model|segmentation|training|ui)/[\w/.]*)`", text)
    )


@pytest.mark.parametrize("text", [PAGE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_every_file_that_is_named_is_there(text: str) -> None:
    assert "model/vit.py" in named_files(text)
    assert [name for name in named_files(text) if not (PACKAGE / name).exists()] == []


def test_every_name_of_a_class_is_there() -> None:
    names = re.findall(r"`([A-Z]\w+)(?:\.(\w+))?`", PAGE)
    members = [(known, member) for known, member in names if known in SPOKEN_OF and member]
    assert ("Segmenter", "_pending") in members
    assert [m for known, m in members if not hasattr(SPOKEN_OF[known], m)] == []


def test_every_room_is_on_the_page() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {"model", "ui"} <= rooms
    assert [room for room in sorted(rooms) if f"| `{room}/` |" not in PAGE] == []


@pytest.mark.parametrize(
    "heading", ["## Where a click goes", "## Where tiles are stored", "## Where to add"]
)
def test_what_people_look_for_has_a_heading(heading: str) -> None:
    assert f"\n{heading}\n" in PAGE
