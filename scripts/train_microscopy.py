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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from napari_sam.model.checkpoints import load_model
from napari_sam.model.weights import save_safetensors
from napari_sam.training.dataset import read_dataset
from napari_sam.training.finetune import finetune
from napari_sam.training.recipe import Recipe

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Average:
    """Weights between those of several models (Wortsman et al. 2022: model soups).

    Attributes
    ----------
    shares
        Of MobileSAM (0) and of the end of each stage (1, 2, ...); they add up to one.
    head
        The model whose head predicts IoU: a mean of heads knows nobody's masks.
    """

    shares: dict[int, float]
    head: int

    def of(self, ends: list[Weights]) -> Weights:
        """Average the weights of MobileSAM and of the stages so far."""
        mixed = dict(ends[self.head])
        for name, own in mixed.items():
            if own.is_floating_point() and "iou_prediction_head" not in name:
                parts = [share * ends[end][name] for end, share in self.shares.items()]
                mixed[name] = torch.stack(parts).sum(0)
        return mixed


@dataclass(frozen=True)
class Stage:
    """Training from where earlier ones ended."""

    start: Average
    recipe: Recipe


FIRST = Recipe(
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
)
"""Everything learns from everything: all scales, turns, intensities."""

WHOLE_TILES = replace(
    FIRST,
    steps=900,
    images_per_step=2,
    learning_rate=1.5e-4,
    warm_up=20,
    average=0.99,
    crop_chances=(0.25, 0.5, 0.25),
    variety=0.5,
    seed=2,
)
"""Images more as they are, and more of them whole tiles: scores learn to mean what they say."""

AS_SHOWN = Recipe(
    steps=800,
    train="all",
    images_per_step=6,
    prompts_per_image=12,
    corrections=3,
    followed=1 / 3,
    score_weight=2.0,
    learning_rate=1.2e-4,
    encoder_rate=8e-5,
    average=0.995,
    crop_cells=(28, 42, 64),
    crop_chances=(0.68, 0.26, 0.06),
    variety=0.5,
    as_shown=0.6,
    seed=7,
)
"""Larger steps, most objects as large as users see them, most of them clicked on only once."""

STAGES = (
    Stage(Average({0: 1.0}, head=0), FIRST),
    Stage(Average({1: 1.0}, head=1), WHOLE_TILES),
    Stage(Average({2: 1.0}, head=2), AS_SHOWN),
    # Less as users see them: axons, of which there are two images, gain by all scales.
    Stage(
        Average({0: 0.15, 2: 0.85}, head=2),
        replace(
            AS_SHOWN,
            steps=1000,
            crop_chances=(0.66, 0.28, 0.06),
            variety=0.8,
            as_shown=0.2,
            seed=21,
        ),
    ),
)

SHIPPED = Average({0: 0.19, 2: 0.28, 3: 0.28, 4: 0.25}, head=3)
"""Better than each of them: what one stage forgot (natural images, axons) another remembers."""


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
    started_as, ends = sam.sha256, [deepcopy(sam.state_dict())]
    for number, stage in enumerate(STAGES, start=1):
        sam.load_state_dict(stage.start.of(ends))
        state = options.state.with_suffix(f".{number}.pt")
        with state.with_suffix(".jsonl").open("a") as log:
            run = finetune(sam, images, stage.recipe, state=state)
            for progress in tqdm(run, total=stage.recipe.steps, mininterval=60, maxinterval=120):
                log.write(json.dumps(asdict(progress)) + "\n")
                log.flush()
        ends.append(deepcopy(sam.state_dict()))
    sam.load_state_dict(SHIPPED.of(ends))
    sam.name = "microscopy"
    told = {
        "licence": "Apache-2.0",
        "trained from": f"mobile_sam, sha256 {started_as}",
        "trained by": "scripts/train_microscopy.py",
    }
    save_safetensors(sam.to(torch.float16), options.output, told)


if __name__ == "__main__":
    main()
