"""A run on disk: whole or not there, and only for its own run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.sam import build_sam
from napari_sam.training.finetune import finetune
from napari_sam.training.optimizer import choose_trainable, make_optimizer
from napari_sam.training.state import TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe


@pytest.fixture
def path(tmp_path: Path, images: list[AnnotatedImage], recipe: Recipe) -> Path:
    """Return the state of a run after two steps."""
    path = tmp_path / "run.state.pt"
    run = finetune(build_sam("tiny_tiny_vit", seed=0), images, recipe, state=path)
    next(run)
    next(run)
    run.close()
    return path


def test_a_run_goes_on_from_its_own_state(
    path: Path, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    steps = [p.step for p in finetune(build_sam("tiny_tiny_vit", 0), images, recipe, state=path)]
    assert steps == [3, 4, 5]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"seed": 4}, "(seed: 3 there, 4 here)"),
        ({"steps": 6}, "(steps: 5 there, 6 here)"),
        ({"train": "all"}, "(train: decoder there, all here)"),
    ],
)
def test_the_state_of_another_recipe_is_refused(
    path: Path, images: list[AnnotatedImage], recipe: Recipe, other: dict[str, Any], says: str
) -> None:
    whole = path.read_bytes()
    with pytest.raises(InputError) as refusal:
        next(finetune(build_sam("tiny_tiny_vit", 0), images, replace(recipe, **other), state=path))
    assert str(refusal.value).startswith(f"{path} belongs to another run ")
    assert says in str(refusal.value)
    assert path.read_bytes() == whole


def test_the_state_of_other_images_or_another_model_is_refused(
    path: Path, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    labels = images[0].labels.copy()
    labels[0, 0] = 99
    corrected = [replace(images[0], labels=labels), *images[1:]]
    with pytest.raises(InputError, match=r"another run \(set of images: "):
        next(finetune(build_sam("tiny_tiny_vit", 0), corrected, recipe, state=path))
    with pytest.raises(InputError, match=r"another run \(starting model: "):
        next(finetune(build_sam("tiny_tiny_vit", 1), images, recipe, state=path))


def test_a_file_that_is_no_state_is_refused(
    path: Path, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    whole = path.read_bytes()
    other = {**torch.load(path, weights_only=True), "format": 2}
    for content in (whole[:1000], b"something else", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{path} is no training state, or a damaged one"):
            next(finetune(build_sam("tiny_tiny_vit", 0), images, recipe, state=path))
    torch.save({"weights": {}}, path)
    with pytest.raises(InputError, match="is no training state"):
        next(finetune(build_sam("tiny_tiny_vit", 0), images, recipe, state=path))
    torch.save(other, path)
    with pytest.raises(InputError, match=f"^{path} was written by another version"):
        next(finetune(build_sam("tiny_tiny_vit", 0), images, recipe, state=path))


def test_a_full_disk_leaves_the_state_that_was_there(
    path: Path, images: list[AnnotatedImage], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = path.read_bytes()

    def fill(_content: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    sam = build_sam("tiny_tiny_vit", 0)
    choose_trainable(sam, recipe)
    state = TrainingState(sam, make_optimizer(sam, recipe), recipe, images)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fill)
        with pytest.raises(InputError, match=r"could not be written to .*No space left"):
            state.save(path, 4)
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]
    state.save(path, 4)
    assert path.read_bytes() != whole


def test_a_state_is_on_the_disk_before_it_gets_its_name(
    path: Path, images: list[AnnotatedImage], recipe: Recipe, disk_events: list[str]
) -> None:
    run = finetune(build_sam("tiny_tiny_vit", seed=0), images, recipe, state=path)
    assert disk_events == []
    next(run)
    run.close()
    assert disk_events[:2] == ["sync", f"name {path.name}"]
