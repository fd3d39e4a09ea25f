"""A tiny random model on disk, a small image, and the program run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from napari_sam.cli import main
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import save_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


class Run(Protocol):
    """Run the program with arguments, each turned into a string."""

    def __call__(self, *arguments: object) -> Result: ...


@pytest.fixture
def run() -> Run:
    """Run the program; a bug's traceback reaches pytest."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a tiny model with random weights."""
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_safetensors(build_sam("tiny", seed=0), path)
    return path


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """Return a PNG, 60 x 90, with a bright disc around (30, 40)."""
    y, x = np.mgrid[:60, :90]
    path = tmp_path / "disc.png"
    Image.fromarray(np.where((y - 30) ** 2 + (x - 40) ** 2 < 15**2, 200, 50).astype(np.uint8)).save(
        path
    )
    return path
