"""Models and images for the panel: one model in memory, images kept as long as they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import CheckpointError, InputError
from napari_sam.model.download import cache_folder
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY, Checkpoint
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import save_safetensors
from napari_sam.ui.backend import SEGMENTERS_KEPT, ImageInput, SamBackend
from napari_sam.ui.effort import Effort
from napari_sam.ui.preferences import Computing

if TYPE_CHECKING:
    from pathlib import Path


class Kept:
    """Preferences that nobody writes anywhere."""

    def __init__(self) -> None:
        self.computing = Computing(device="cpu", precision="float32")

    def keep(self, computing: Computing) -> None:
        self.computing = computing


@pytest.fixture
def backend() -> SamBackend:
    kept: Any = Kept()
    return SamBackend(kept)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "random.safetensors"
    save_safetensors(build_sam("tiny_tiny_vit", seed=0), path)
    return path


def image(key: object = 0, limits: tuple[float, float] = (0, 255)) -> ImageInput:
    data = np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8)
    return ImageInput((key, limits), data, "YX", limits)


def say_nothing(text: str) -> None:
    del text


def test_a_model_is_loaded_once_and_says_so(backend: SamBackend, weights: Path) -> None:
    said: list[str] = []
    first = backend.segmenter(weights, image(1), said.append)
    second = backend.segmenter(weights, image(2), said.append)
    assert first is not second
    assert first.model is second.model
    assert said == ["Loading random.safetensors …"]
    assert backend.segmenter(weights, image(1), said.append) is first


def test_the_images_used_longest_ago_are_let_go(backend: SamBackend, weights: Path) -> None:
    first = backend.segmenter(weights, image(0), say_nothing)
    for key in range(1, SEGMENTERS_KEPT):
        backend.segmenter(weights, image(key), say_nothing)
    assert backend.segmenter(weights, image(0), say_nothing) is first
    backend.segmenter(weights, image("new"), say_nothing)
    assert backend.segmenter(weights, image(0), say_nothing) is first
    assert backend.effort(weights, image(0)) == Effort(0, None)


def test_it_tells_how_many_tiles_a_model_has_looked_at_and_how_long_that_takes(
    backend: SamBackend, weights: Path
) -> None:
    assert backend.effort(weights, image()).tiles == 0
    segmenter = backend.segmenter(weights, image(), say_nothing)
    segmenter.predict(points=[(40, 40)])
    effort = backend.effort(weights, image())
    assert effort.tiles >= 1
    assert effort.seconds_per_tile > 0
    assert effort.seconds == effort.tiles * effort.seconds_per_tile
    assert backend.effort(weights, image(limits=(0, 9))).tiles == 0


def test_another_precision_is_another_model_and_is_used(backend: SamBackend, weights: Path) -> None:
    first = backend.segmenter(weights, image(), say_nothing)
    assert first.model.precision == "float32"
    backend.set_computing(Computing("cpu", "bfloat16"))
    second = backend.segmenter(weights, image(), say_nothing)
    assert second is not first
    assert second.model.precision == "bfloat16"


def test_more_memory_holds_for_images_that_are_open_and_loads_nothing_anew(
    backend: SamBackend, weights: Path
) -> None:
    first = backend.segmenter(weights, image(), say_nothing)
    assert first.store.memory_limit == 256 * 2**20
    backend.set_computing(Computing("cpu", "float32", memory=32))
    assert backend.segmenter(weights, image(), say_nothing) is first
    assert first.store.memory_limit == 32 * 2**20


def test_a_device_that_is_not_there_is_refused_in_a_sentence(
    backend: SamBackend, weights: Path
) -> None:
    backend.set_computing(Computing(device="mps"))
    with pytest.raises(InputError, match="choose from auto"):
        backend.segmenter(weights, image(), say_nothing)


def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(
    backend: SamBackend, weights: Path, tmp_path: Path
) -> None:
    backend.check(weights)
    text = tmp_path / "notes.pth"
    text.write_text("not weights", encoding="utf-8")
    with pytest.raises(CheckpointError, match="give a checkpoint"):
        backend.check(text)


def test_the_default_model_is_offered_first_with_size_and_licence(backend: SamBackend) -> None:
    choices = backend.choices()
    assert choices[0].model == DEFAULT_MODEL
    assert {choice.model for choice in choices} == set(REGISTRY)
    for choice in choices:
        assert choice.size == REGISTRY[choice.model].size_bytes
        assert choice.licence
        assert choice.details


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ({}, "shipped"),
        ({"urls": ("https://example.org/x",)}, "download"),
        ({"package": "no-such-package==1"}, "package"),
    ],
)
def test_it_says_where_weights_are(
    backend: SamBackend,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    source: dict[str, Any],
    state: str,
) -> None:
    made = Checkpoint(
        name="made",
        variant="tiny",
        sha256="0",
        size_bytes=3,
        licence="CC0",
        file_name="made.pt",
        description="made for this test",
        **source,
    )
    monkeypatch.setitem(REGISTRY, "made", made)
    monkeypatch.delenv("NAPARI_SAM_CHECKPOINTS", raising=False)
    assert backend.state("made") == state
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "made.pt").write_bytes(b"abc")
    monkeypatch.setenv("NAPARI_SAM_CHECKPOINTS", str(folder))
    assert backend.state("made") == ("shipped" if state == "shipped" else "here")
    assert backend.state(tmp_path / "own.pt") == "file"
    assert cache_folder()  # where a download would go
