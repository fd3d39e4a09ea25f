"""`napari-sam demo`: the files, the table, and when a window opens."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from napari_sam.cli.demo import why_no_window
from napari_sam.cli.demo_run import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

IMAGES = {"coins": data.coins, "cell": data.cell}
WINDOW = {"DISPLAY": ":0"}


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.usefixtures("no_display")
def test_the_demo_writes_images_labels_and_an_overlay(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "demo"
    result = run("demo", "-o", folder, "--model", tiny_model)
    assert result.exit_code == 0

    written = {path.name for path in folder.iterdir()}
    assert written == {f"{name}{end}" for name in IMAGES for end in (".png", "_labels.tif")} | {
        "overlay.png"
    }
    for name, load in IMAGES.items():
        pixels = load()
        np.testing.assert_array_equal(np.asarray(Image.open(folder / f"{name}.png")), pixels)
        labels = tifffile.imread(folder / f"{name}_labels.tif")
        assert labels.shape == pixels.shape
        assert labels.dtype == np.uint16
        assert set(np.unique(labels)) <= {0, 1, 2}
        assert (labels == 1).any(), "a click finds something, even with random weights"
    with Image.open(folder / "overlay.png") as overlay:
        assert overlay.mode == "RGB"
        assert overlay.width > overlay.height > 600


@pytest.mark.usefixtures("no_display")
def test_the_table_has_a_row_for_every_candidate(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    result = run("demo", "-o", tmp_path, "--model", tiny_model)
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines[2:10]] == [
        ["coins", "click", "1"],
        ["coins", "click", "2"],
        ["coins", "click", "3"],
        ["coins", "box", "1"],
        ["cell", "box", "1"],
        ["cell", "click", "1"],
        ["cell", "click", "2"],
        ["cell", "click", "3"],
    ]
    assert "there is no display, so napari was not opened" in lines[-1]
    assert f"napari_sam.ui.show_demo {tmp_path}" in lines[-1]


def test_every_prompt_lies_in_its_image() -> None:
    for example in EXAMPLES:
        pixels = example.load()
        for prompt in example.prompts.values():
            assert prompt.inside(pixels.shape).extent() == prompt.extent()


def test_the_real_model_finds_the_coins_and_the_cell(run: Run, tmp_path: Path) -> None:
    assert run("demo", "-o", tmp_path, "--no-show").exit_code == 0
    coins = tifffile.imread(tmp_path / "coins_labels.tif")
    cell = tifffile.imread(tmp_path / "cell_labels.tif")
    # A coin of 58 pixels across has about 2,600; the cell of 132 about 13,700.
    assert 2300 < np.count_nonzero(coins == 1) < 2900
    assert 2200 < np.count_nonzero(coins == 2) < 2800
    assert 500 < np.count_nonzero(cell == 1) < 900
    assert 11000 < np.count_nonzero(cell == 2) < 13500


def test_no_show_opens_nothing(
    run: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("opened"))
    result = run("demo", "-o", tmp_path, "--model", tiny_model, "--no-show")
    assert result.exit_code == 0
    assert "napari" not in result.stdout


@pytest.mark.parametrize("returncode", [0, -6])
def test_with_a_display_napari_is_opened_on_the_folder(
    returncode: int, run: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    def started(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, returncode)

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setattr(subprocess, "run", started)
    monkeypatch.setattr("napari_sam.cli.demo.find_spec", lambda name: object())
    result = run("demo", "-o", tmp_path, "--model", tiny_model)
    assert commands == [[sys.executable, "-m", "napari_sam.ui.show_demo", str(tmp_path)]]
    assert result.exit_code == 0
    assert ("exit code -6" in result.stderr) == (returncode == -6)


@pytest.mark.parametrize(
    ("environment", "platform", "reason"),
    [
        ({}, "linux", "there is no display"),
        ({"DISPLAY": ""}, "linux", "there is no display"),
        (WINDOW, "linux", None),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", None),
        ({}, "darwin", None),
        ({}, "win32", None),
        ({**WINDOW, "QT_QPA_PLATFORM": "offscreen"}, "linux", "QT_QPA_PLATFORM"),
    ],
)
def test_a_window_needs_a_display(
    environment: dict[str, str], platform: str, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.cli.demo.find_spec", lambda name: object())
    said = why_no_window(environment, platform)
    assert (said is None) if reason is None else (said is not None and reason in said)


@pytest.mark.parametrize("missing", [("napari",), ("PyQt6", "PySide6", "PyQt5", "PySide2")])
def test_a_window_needs_napari_and_qt(
    missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_sam.cli.demo.find_spec", lambda name: None if name in missing else object()
    )
    said = why_no_window(WINDOW, "linux")
    assert said is not None
    assert "not installed" in said


def test_a_folder_that_cannot_be_made_is_exit_code_2(
    run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = run("demo", "-o", tmp_path / "file" / "demo", "--model", tiny_model)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
