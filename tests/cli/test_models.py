"""`napari-sam models`: the registry, downloads, and files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_sam.errors import DownloadError
from napari_sam.model import checkpoints
from napari_sam.model import download as downloads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(checkpoint: checkpoints.Checkpoint, progress: object = None) -> Path:
        raise DownloadError(
            f"{checkpoint.name} could not be downloaded: no network; get it by hand"
        )

    monkeypatch.setattr(downloads, "download", refuse)
    monkeypatch.setattr(checkpoints, "download", refuse)


def test_the_list_names_every_model_of_the_registry(run: Run) -> None:
    listed = json.loads(run("models", "list", "--json").stdout)
    assert [entry["name"] for entry in listed] == list(checkpoints.REGISTRY)
    assert all(len(entry["sha256"]) == 64 and entry["licence"] for entry in listed)
    carried = [entry["name"] for entry in listed if entry["package"] or not entry["urls"]]
    assert checkpoints.DEFAULT_MODEL in carried, "it comes with the plugin"
    assert all(entry["path"] is None for entry in listed if entry["name"] not in carried)


def test_the_list_is_a_table_too(run: Run) -> None:
    lines = run("models", "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["name", "variant", "MB"]
    assert [line.split()[0] for line in lines[2:]] == list(checkpoints.REGISTRY)


def test_the_default_model_is_in_the_help(run: Run) -> None:
    assert f"[default: {checkpoints.DEFAULT_MODEL}]" in run("predict", "--help").stdout


def test_a_download_shows_progress_and_prints_the_path(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(
        checkpoint: checkpoints.Checkpoint, progress: Callable[[int, int], None] | None = None
    ) -> Path:
        assert progress is not None
        for done in range(0, checkpoint.size_bytes + 1, checkpoint.size_bytes // 4):
            progress(done, checkpoint.size_bytes)
        return tmp_path / checkpoint.file_name

    monkeypatch.setattr(downloads, "download", download)
    result = run("models", "download", "mobile_sam")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(tmp_path / checkpoints.REGISTRY["mobile_sam"].file_name)
    assert "downloading mobile_sam" in result.stderr


def test_a_model_that_is_here_is_not_downloaded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.setattr(checkpoints, "find_checkpoint", lambda name: tmp_path / name)
    result = run("models", "download", "mobile_sam")
    assert result.exit_code == 0
    assert result.stdout.strip() == str(tmp_path / "mobile_sam")


@pytest.mark.usefixtures("no_network")
def test_no_network_is_exit_code_2_and_one_sentence(run: Run, disc: Path) -> None:
    for arguments in (
        ("models", "download", "mobile_sam"),
        ("predict", disc, "--point", 30, 40, "--model", "mobile_sam"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.splitlines()[-1] == (
            "napari-sam: error: mobile_sam could not be downloaded: no network; get it by hand"
        )


def test_a_wrong_device_is_said_before_anything_is_downloaded(
    run: Run, disc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "download", lambda *_: pytest.fail("downloaded"))
    result = run("predict", disc, "--point", 1, 1, "--model", "mobile_sam", "--device", "abacus")
    assert result.exit_code == 2


@pytest.mark.parametrize("command", ["download", "info"])
def test_an_unknown_name_is_exit_code_2(command: str, run: Run) -> None:
    result = run("models", command, "sam_of_atlantis")
    assert result.exit_code == 2
    assert "sam_of_atlantis" in result.stderr


def test_info_of_a_file_says_what_it_holds(run: Run, tiny_model: Path) -> None:
    said = json.loads(run("models", "info", tiny_model, "--json").stdout)
    sam = checkpoints.load_model(tiny_model, device="cpu")
    assert said["variant"] == sam.config.variant
    assert said["parameters"] == sum(parameter.numel() for parameter in sam.parameters())
    assert said["path"] == str(tiny_model)
    assert said["tile_pixels"] == 128
    assert said["prompts"] == ["box", "mask", "point"]
    assert said["sha256"] == sam.sha256


def test_info_of_a_name_needs_no_file(run: Run) -> None:
    result = run("models", "info", "sam_vit_b")
    assert result.exit_code == 0
    assert checkpoints.REGISTRY["sam_vit_b"].sha256 in result.stdout
