"""Make `src/napari_sam/weights/microscopy.safetensors` again: the recipe of the shipped model.

python scripts/train_microscopy.py DATASET START OUTPUT --state STATE

DATASET is a folder that `napari_sam.training.dataset` reads, START the checkpoint of MobileSAM.
A run that was stopped goes on from STATE, which gets the number of the stage as a suffix. Progress
goes to stderr, and one JSON line per step beside the state.
"""

from __future__ import annotations

import argparse
import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from napari_sam.model.checkpoints import load_model
from napari_sam.model.weights import save_safetensors
from napari_sam.training.dataset import read_dataset
from napari_sam.training.finetune import finetune
from napari_sam.training.recipe import Recipe
from napari_sam.training.scores import fit_scores

STAGES = (
    # Everything learns from everything: all scales, turns, intensities.
    Recipe(
        steps=1100,
        train="all",
        images_per_step=3,
        prompts_per_image=6,
        corrections=3,
        learning_rate=2e-4,
        encoder_rate=1e-4,
        warm_up=30,
        average=0.995,
        crop_cells=(28, 42, 64),
        crop_chances=(0.55, 0.38, 0.07),
        seed=1,
    ),
    # Images more as they are, and more of them whole tiles: scores learn to mean what they say.
    Recipe(
        steps=900,
        train="all",
        images_per_step=2,
        prompts_per_image=6,
        corrections=3,
        learning_rate=1.5e-4,
        encoder_rate=1e-4,
        warm_up=20,
        average=0.99,
        crop_cells=(28, 42, 64),
        crop_chances=(0.25, 0.5, 0.25),
        variety=0.5,
        seed=2,
    ),
)

# The head that predicts IoU, alone, on images as users see them.
SCORES = Recipe(
    steps=600,
    views=300,
    prompts_per_image=24,
    learning_rate=1e-4,
    crop_cells=(64,),
    variety=0.2,
    as_shown=0.8,
    seed=3,
)

TRAINED = 0.85
"""Share of the trained weights in the shipped ones; the rest are those they started from (Wortsman
et al. 2022, robust fine-tuning). Microscopy loses nothing by it, natural images gain much."""


def main() -> None:
    """Train stage after stage, and write the averaged weights in half precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()

    images = list(read_dataset(options.dataset))
    sam = load_model(options.start)
    started_as, start = sam.sha256, deepcopy(sam.state_dict())
    for number, recipe in enumerate(STAGES, start=1):
        state = options.state.with_suffix(f".{number}.pt")
        with state.with_suffix(".jsonl").open("a") as log:
            run = finetune(sam, images, recipe, state=state)
            for progress in tqdm(run, total=recipe.steps, mininterval=60, maxinterval=120):
                log.write(json.dumps(asdict(progress)) + "\n")
                log.flush()
    for _ in tqdm(fit_scores(sam, images, SCORES), total=SCORES.views + SCORES.steps):
        pass
    for name, weights in sam.state_dict().items():
        if weights.is_floating_point():
            weights.copy_(torch.lerp(start[name], weights, TRAINED))
    sam.name = "microscopy"
    told = {
        "licence": "Apache-2.0",
        "trained from": f"mobile_sam, sha256 {started_as}",
        "trained by": "scripts/train_microscopy.py",
    }
    save_safetensors(sam.to(torch.float16), options.output, told)


if __name__ == "__main__":
    main()
