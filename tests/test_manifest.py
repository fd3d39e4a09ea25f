"""napari finds the plugin, and its manifest says nothing that nobody reads."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from npe2 import PluginManifest
from npe2.manifest.utils import import_python_name

from napari_sam.ui.preferences import Computing

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "napari-sam-tiles"
PACKAGED = Path(str(files("napari_sam"))) / "napari.yaml"
ROOT_LINK = Path(__file__).resolve().parents[1] / "napari.yaml"


def values_of(key: str, node: object) -> Iterator[str]:
    """Find every value of a key in nested mappings and lists."""
    if isinstance(node, dict):
        if isinstance(node.get(key), str):
            yield node[key]
        for child in node.values():
            yield from values_of(key, child)
    elif isinstance(node, list):
        for child in node:
            yield from values_of(key, child)


def unread_keys(raw: object, parsed: object, path: str = "") -> Iterator[str]:
    """Find the keys of the YAML file that the manifest model dropped."""
    if isinstance(raw, dict):
        known = parsed if isinstance(parsed, dict) else {}
        for key, value in raw.items():
            if key in known:
                yield from unread_keys(value, known[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}".removeprefix(".")
    elif isinstance(raw, list) and isinstance(parsed, list):
        for index, (value, other) in enumerate(zip(raw, parsed, strict=True)):
            yield from unread_keys(value, other, f"{path}[{index}]")


def parse(raw: dict[str, Any]) -> dict[str, Any]:
    """Return what npe2 understands of a manifest, in the form of the file."""
    return PluginManifest(**raw).model_dump(mode="json", by_alias=True, exclude_unset=True)


@pytest.fixture
def raw() -> dict[str, Any]:
    return yaml.safe_load(PACKAGED.read_text(encoding="utf-8"))


def test_napari_finds_the_manifest_of_the_installed_distribution(raw: dict[str, Any]) -> None:
    manifest = PluginManifest.from_distribution(NAME)
    assert manifest.name == raw["name"] == NAME
    assert manifest.display_name == raw["display_name"]
    assert manifest.package_metadata is not None
    assert manifest.package_metadata.name == NAME


def test_the_link_in_the_root_shows_the_packaged_file(raw: dict[str, Any]) -> None:
    if not ROOT_LINK.is_symlink():
        pytest.skip("no symbolic link here: an sdist, or a checkout without links")
    assert yaml.safe_load(ROOT_LINK.read_text(encoding="utf-8")) == raw


def test_every_python_name_is_something_to_call(raw: dict[str, Any]) -> None:
    names = list(values_of("python_name", raw))
    assert names
    for name in names:
        assert callable(import_python_name(name)), name


def test_every_contribution_runs_a_declared_command(raw: dict[str, Any]) -> None:
    contributions = dict(raw["contributions"])
    declared = list(values_of("id", contributions.pop("commands")))
    assert len(declared) == len(set(declared))
    assert set(values_of("command", contributions)) <= set(declared)


def test_no_key_of_the_manifest_is_dropped(raw: dict[str, Any]) -> None:
    assert list(unread_keys(raw, parse(raw))) == []


def test_a_key_that_npe2_does_not_know_would_be_noticed(raw: dict[str, Any]) -> None:
    raw["contributions"]["command"] = raw["contributions"].pop("commands")
    assert list(unread_keys(raw, parse(raw))) == ["contributions.command"]


def test_every_setting_is_one_that_the_code_knows_with_the_same_default(
    raw: dict[str, Any],
) -> None:
    (settings,) = raw["contributions"]["configurations"].values()
    defaults = {name: each["default"] for name, each in settings["properties"].items()}
    assert defaults == asdict(Computing())
    for each in settings["properties"].values():
        assert each["title"]
        assert each["description"]
