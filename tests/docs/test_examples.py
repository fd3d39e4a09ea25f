"""The examples run as a user runs them, on less."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from PIL import Image

import napari_sam as ns
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def run_example(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a script of `examples` with arguments."""

    def run(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    return run


def test_first_mask(run_example: Callable[..., None], workshop: Path) -> None:
    run_example("first_mask.py", "out")
    with Image.open(workshop / "out" / "first_mask.png") as picture:
        assert (255, 204, 0) in {color for _, color in picture.getcolors(2**16)}


def test_whole_slide(
    run_example: Callable[..., None], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("whole_slide.py", "out", "300")
    table = pd.read_csv(workshop / "out" / "nuclei.csv")
    assert len(table) > 0
    labels = LabelPyramid.open(workshop / "out" / "nuclei.zarr")
    assert labels.shape == (300, 300)
    assert f"{len(table)} nuclei" in capsys.readouterr().out


def test_training(
    run_example: Callable[..., None], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("train.py", "out", "2")
    assert ns.load_model("out/my_model.safetensors").name == "my_model"
    assert "IoU of a click on other images" in capsys.readouterr().out


def test_every_example_is_listed_and_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"first_mask.py", "whole_slide.py", "train.py"}
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in listed for name in names)
