"""The README works where it is shown outside of the repository, and says what is true of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

import napari_sam
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOME = PROJECT["urls"]["Homepage"]
RAW = HOME.replace("https://github.com/", "https://raw.githubusercontent.com/")


def addresses() -> list[str]:
    """Every link and picture of the README."""
    inline = [token for token in MarkdownIt().parse(README) if token.type == "inline"]
    found = [child.attrGet("href") or child.attrGet("src") for t in inline for child in t.children]
    return [str(address) for address in found if address]


def test_links_are_absolute() -> None:
    assert addresses()
    assert [address for address in addresses() if not address.startswith("https://")] == []


def test_links_into_the_repository_lead_somewhere() -> None:
    inside = [
        address.removeprefix(start)
        for address in addresses()
        for start in (f"{HOME}/blob/main/", f"{RAW}/main/")
        if address.startswith(start)
    ]
    assert "docs/architecture.md" in inside
    assert [path for path in inside if not (REPOSITORY / path).is_file()] == []


def test_the_repository_has_one_address() -> None:
    pages = [
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        REPOSITORY / "CITATION.cff",
        REPOSITORY / "pyproject.toml",
    ]
    name = HOME.rsplit("/", 1)[1]
    for page in pages:
        for address in re.findall(rf"https://[^\s)\"]*/{name}\b", page.read_text("utf-8")):
            assert address in {HOME, RAW}, page


def test_headings_begin_at_the_second_level() -> None:
    levels = [token.tag for token in MarkdownIt().parse(README) if token.type == "heading_open"]
    assert levels[0] == "h1"
    assert set(levels[1:]) == {"h2"}


@pytest.mark.parametrize("page", ["README.md", "docs/models.md"])
def test_every_model_is_in_the_tables(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert f"`{DEFAULT_MODEL}` (default)" in text
    for name in REGISTRY:
        short = name.replace("micro_sam_2023", "...")
        assert f"`{name}`" in text or f"`{short}`" in text, name


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == napari_sam.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation.get("repository-code", HOME) == HOME  # there is none before it is published


def test_numbers_of_speed_and_size_are_those_of_the_performance_page() -> None:
    section = README.partition("## How large, how fast")[2].partition("\n## ")[0]
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    measured = re.findall(r"\d[\d.]*(?: to [\d.]+)? (?:ms|s|MB)\b", section)
    assert len(measured) >= 5
    assert [number for number in measured if number not in page] == []
