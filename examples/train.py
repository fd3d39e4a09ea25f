"""Train on a few annotated images, and measure on others whether the model became better.

python examples/train.py [FOLDER [STEPS]]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tifffile

import napari_sam as ns
from napari_sam.evaluate.interactive import evaluate_prompts
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.model.weights import save_safetensors
from napari_sam.training.dataset import read_dataset
from napari_sam.training.finetune import finetune
from napari_sam.training.recipe import Recipe

SIDE = 256
"""Pixels along a side of an annotated image."""


def make_dataset(folder: Path, seed: int, images: int) -> Path:
    """Write crops of a synthetic slide with exact labels, in the layout of `read_dataset`."""
    slide = SyntheticSlide((20_000, 20_000), seed=seed)
    for number in range(images):
        y = x = 10_000 + 500 * number
        box = (y, x, y + SIDE, x + SIDE)
        pixels = slide.levels[0][y : y + SIDE, x : x + SIDE]
        for kind, array in (("images", pixels), ("labels", slide.labels(box))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(folder / kind / f"{number}.tif", np.asarray(array))
    return folder


def iou_of_clicks(checkpoint: str | Path, dataset: Path) -> float:
    """Mean IoU of the best-scored mask for one click on each object."""
    model = ns.load_model(checkpoint)
    return float(
        np.mean(
            [
                result.click_iou
                for image in read_dataset(dataset)
                for result in evaluate_prompts(model, image.pixels, image.labels, at_most=12)
            ]
        )
    )


def main(folder: Path, steps: int) -> None:
    """Train a model, write it, and compare it with the one that it came from."""
    training = make_dataset(folder / "annotated", seed=1, images=3)
    others = make_dataset(folder / "others", seed=2, images=2)

    model = ns.load_model()
    recipe = Recipe(steps=steps, views=8, warm_up=min(20, steps // 2))
    for progress in finetune(model, list(read_dataset(training)), recipe):
        if progress.step % 10 == 0 or progress.step == steps:
            print(f"step {progress.step}: IoU of a click {progress.click_iou:.2f}", flush=True)
    model.name = "my_model"
    save_safetensors(model, folder / "my_model.safetensors")

    before = iou_of_clicks("microscopy", others)
    after = iou_of_clicks(folder / "my_model.safetensors", others)
    print(f"IoU of a click on other images: {before:.2f} before, {after:.2f} after")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "out"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 60,
    )
