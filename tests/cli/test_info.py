from __future__ import annotations

import json
import platform
from importlib import metadata
from typing import TYPE_CHECKING

import napari_sam
from napari_sam.cli.info import PACKAGES
from napari_sam.model.checkpoints import REGISTRY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.cli.conftest import Run


def test_info_holds_what_a_bug_report_needs(run: Run) -> None:
    said = json.loads(run("info", "--json").stdout)
    assert said["napari_sam"] == napari_sam.__version__
    assert said["python"] == platform.python_version()
    assert said["torch"] == metadata.version("torch")
    assert said["device"].split(":")[0] in {"cpu", "cuda", "mps"}
    assert said["cores"] >= 1
    assert said["threads"] >= 1
    assert said["cache_folder"]
    assert "mobile_sam" not in said["checkpoints"]


def test_info_names_the_checkpoints_that_are_here(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / REGISTRY["mobile_sam"].file_name
    weights.touch()
    monkeypatch.setenv("NAPARI_SAM_CHECKPOINTS", str(tmp_path))
    assert json.loads(run("info", "--json").stdout)["checkpoints"]["mobile_sam"] == str(weights)
    assert f"checkpoints   mobile_sam: {weights}" in run("info").stdout


def test_info_names_the_variables_that_are_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QT_API", raising=False)
    assert "QT_API" not in json.loads(run("info", "--json").stdout)["environment"]
    monkeypatch.setenv("QT_API", "pyside6")
    assert json.loads(run("info", "--json").stdout)["environment"]["QT_API"] == "pyside6"


def test_info_prints_one_fact_per_line(run: Run) -> None:
    lines = run("info").stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["napari_sam", "python", "platform"]


def test_a_package_that_is_not_installed_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    said = json.loads(run("info", "--json").stdout)
    assert [said[package] for package in PACKAGES] == [None] * len(PACKAGES)
