"""A folder in which the documentation's code runs: small images and a tiny model that answers."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

from napari_sam.cli import train_run
from napari_sam.model.checkpoints import REGISTRY
from napari_sam.model.sam import Sam, build_sam
from napari_sam.model.tile_decoder import TileAnswers, TileDecoder
from napari_sam.model.weights import file_sha256, save_safetensors
from napari_sam.training import finetune

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_sam.model.mask_decoder import Outputs
    from napari_sam.model.prompt_encoder import PromptTensors
    from napari_sam.model.tile_decoder import DecoderTile
    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.finetune import TrainingProgress
    from napari_sam.training.recipe import Recipe

train = finetune.finetune

RADIUS = 10.0
"""Of the answer to a click, in model pixels."""

SCORES = (0.94, 0.97, 0.91, 0.89)


class DiscDecoder(TileDecoder):
    """Answers a point with discs of three sizes, and a box with the ellipse in it."""

    def ask(self, tile: DecoderTile, prompts: PromptTensors, multimask: Outputs) -> TileAnswers:
        """Keep middle and half sides of each ellipse where the real one keeps filters."""
        self._sam.check_kinds(prompts)
        p, n = prompts.count, 3 if multimask else 1
        scores = torch.tensor(SCORES[1:] if multimask else SCORES[:1])
        if prompts.boxes is not None:
            corners = prompts.boxes.view(p, 2, 2)
            middle, half = corners.mean(1), (corners[:, 1] - corners[:, 0]) / 2
            ellipses = torch.cat([middle, half], 1)[:, None].expand(p, n, 4)
        elif prompts.points is not None:
            radii = RADIUS * torch.tensor([1.0, 1.5, 0.7])[:n, None].expand(p, n, 2)
            ellipses = torch.cat([prompts.points[:, :1].expand(p, n, 2), radii], 2)
        else:
            ellipses = torch.full((p, n, 4), RADIUS)
        return TileAnswers(scores.expand(p, n), ellipses, tile.bare.expand(p, -1, -1))

    def masks(self, answers: TileAnswers) -> torch.Tensor:
        """Draw the ellipses with steep edges, so that they are stable."""
        side = self._sam.config.mask_size
        centres = (torch.arange(side) + 0.5) * self._sam.config.image_size / side
        x, y, half_x, half_y = answers.filters[..., None, None].unbind(2)
        inside = 1 - torch.hypot((centres - x) / half_x, (centres[:, None] - y) / half_y)
        return 100 * inside


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a tiny model with random weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_safetensors(build_sam("tiny_tiny_vit", seed=0), path)
    return path


def train_shortly(
    sam: Sam, images: Sequence[AnnotatedImage], recipe: Recipe, **options: Any
) -> Iterator[TrainingProgress]:
    """Train as `finetune` does, but for two steps."""
    short = replace(recipe, steps=2, views=2, corrections=1, warm_up=1)
    return train(sam, images, short, **options)


@pytest.fixture
def workshop(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with the files that the documentation speaks of.

    Every registered name is the tiny model, which answers with discs.
    """
    registered = {"sha256": file_sha256(tiny_weights), "file_name": tiny_weights.name}
    for name, checkpoint in REGISTRY.items():
        tiny = replace(
            checkpoint,
            **registered,
            variant="tiny_tiny_vit",
            size_bytes=tiny_weights.stat().st_size,
            size_is_exact=True,
            package=None,
        )
        monkeypatch.setitem(REGISTRY, name, tiny)
    monkeypatch.setattr(Sam, "tile_decoder", lambda sam: DiscDecoder(sam))
    for module in (finetune, train_run):
        monkeypatch.setattr(module, "finetune", train_shortly)
    monkeypatch.setenv("NAPARI_SAM_CHECKPOINTS", str(tiny_weights.parent))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")  # the demo opens no window
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "workshop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    make_images(folder)
    make_tables(folder)
    make_datasets(folder)
    return folder


def discs(shape: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """Bright discs, 30 pixels wide and 60 apart, and their labels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    near = np.hypot(y % 60 - 30, x % 60 - 30) < 15
    labels = np.where(near, y // 60 * 100 + x // 60 + 1, 0).astype(np.uint16)
    return np.where(near, 180 + labels % 50, 40 + (x + y) % 20).astype(np.uint8), labels


def make_images(folder: Path) -> None:
    cells, _ = discs((180, 200))
    for name in ("cells.tif", "new.tif"):
        tifffile.imwrite(folder / name, cells)
    Image.fromarray(cells).save(folder / "cells.png")
    stack = np.stack([cells[:110, :120]] * 8)
    for name, axes in (("stack.tif", "ZYX"), ("movie.tif", "TYX")):
        metadata = {"axes": axes}
        tifffile.imwrite(folder / name, stack, photometric="minisblack", metadata=metadata)
    (folder / "slides").mkdir()
    write_ome_zarr(folder / "slide.zarr", discs((240, 260))[0])
    for name in ("a", "b"):
        write_ome_zarr(folder / "slides" / f"{name}.zarr", discs((120, 180))[0])


def write_ome_zarr(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write an OME-Zarr image of two levels."""
    group = zarr.create_group(path, zarr_format=3)
    datasets = []
    for level, factor in enumerate((1, 2)):
        group.create_array(str(level), data=pixels[::factor, ::factor], chunks=(128, 128))
        steps = [
            {"type": "scale", "scale": [factor, factor]},
            {"type": "translation", "translation": [(factor - 1) / 2] * 2},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    axes = [{"name": name, "type": "space"} for name in "yx"]
    multiscale = {"axes": axes, "datasets": datasets}
    group.update_attributes({"ome": {"version": "0.5", "multiscales": [multiscale]}})


def make_tables(folder: Path) -> None:
    middles = [(y, x) for y in (30, 90, 150) for x in (30, 90, 150)]
    points = [f"{y},{x}" for y, x in middles]
    (folder / "nuclei.csv").write_text("\n".join(["y,x", *points]) + "\n", encoding="utf-8")
    boxes = [f"{y - 15.5},{x - 15.5},{y + 14.5},{x + 14.5}" for y, x in middles]
    (folder / "detected.csv").write_text("\n".join(["y0,x0,y1,x1", *boxes]) + "\n", "utf-8")
    tissue = np.zeros((60, 65), np.uint8)
    tissue[10:40, 10:50] = 1
    Image.fromarray(tissue).save(folder / "tissue.png")


def make_datasets(folder: Path) -> None:
    pixels, labels = discs((180, 180))
    lines = ["source,name,axes,gt"]
    for name in ("my_cells", "annotated", "all_cells/wells"):
        for kind, array in (("images", pixels), ("labels", labels)):
            (folder / name / kind).mkdir(parents=True)
            tifffile.imwrite(folder / name / kind / "a.tif", array)
    lines.append("wells,a,YX,manual")
    (folder / "all_cells" / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "results").mkdir()
    tifffile.imwrite(folder / "results" / "a.tif", labels)


@pytest.fixture
def bash_path(tmp_path: Path) -> str:
    """Return a PATH on which `napari-sam` notes its arguments, and other programs are missing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "napari-sam"
    # Null between arguments, newline between calls: neither is in the documentation's arguments.
    program.write_text('#!/bin/bash\nprintf "%s\\0" "$@" >> "$CALLS"\necho >> "$CALLS"\n')
    program.chmod(0o755)
    return os.fspath(folder)
