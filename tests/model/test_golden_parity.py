"""The official MobileSAM weights give what the official code gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image

from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.model.sam import Sam, build_sam
from napari_sam.model.tiny_vit import CLASSIFIER_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

Golden = dict[str, Any]

# In pixel indices of the original image, (x, y); its long side of 384 becomes 1024.
POINTS = {
    "point": ([(180, 250)], [1]),
    "points": ([(180, 250), (190, 240), (20, 20)], [1, 1, 0]),
    "box_point": ([(180, 250)], [1]),
}
BOX = (150, 215, 215, 280)
ORIGINAL, RESIZED = (303, 384), (808, 1024)


@pytest.fixture(scope="module")
def golden(reference_folder: Path) -> Golden:
    """Return the outputs of the reference implementation."""
    with np.load(reference_folder / "golden" / "mobile_sam_coins.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def sam(reference_folder: Path) -> Sam:
    """Return MobileSAM with the official weights."""
    state = torch.load(reference_folder / "checkpoints" / "mobile_sam.pt", weights_only=True)
    sam = build_sam("tiny_vit", seed=0)
    sam.load_state_dict({k: v for k, v in state.items() if k not in CLASSIFIER_KEYS}, strict=True)
    return sam.requires_grad_(False)


@pytest.fixture(scope="module")
def embedding(sam: Sam) -> torch.Tensor:
    """Return our embedding of the coins, preprocessed as by the reference."""
    resized = Image.fromarray(skimage.data.coins()).resize(RESIZED[::-1], Image.Resampling.BILINEAR)
    rgb = torch.from_numpy(np.array(resized)).expand(1, 3, -1, -1)
    with torch.inference_mode():
        return sam.encode(sam.preprocess(rgb))


def in_model(xy: object) -> torch.Tensor:
    """Scale pixel indices as the reference does; it adds half a pixel later, ours does not."""
    scale = torch.tensor([RESIZED[1] / ORIGINAL[1], RESIZED[0] / ORIGINAL[0]])
    return torch.tensor(xy, dtype=torch.float32).reshape(1, -1, 2) * scale + 0.5


def prompts(case: str) -> PromptTensors:
    """Make the prompt of one case of the golden file."""
    has_points, has_box = case in POINTS, case.startswith("box")
    return PromptTensors(
        points=in_model(POINTS[case][0]) if has_points else None,
        labels=torch.tensor([POINTS[case][1]]) if has_points else None,
        boxes=in_model(BOX).flatten(1) if has_box else None,
    )


def drawn(logits: torch.Tensor) -> npt.NDArray[np.bool_]:
    """Draw low-resolution logits (1, n, 256, 256) at the size of the original, as (n, h, w)."""
    model = F.interpolate(logits, (1024, 1024), mode="bilinear", align_corners=False)
    model = model[..., : RESIZED[0], : RESIZED[1]]
    return (F.interpolate(model, ORIGINAL, mode="bilinear", align_corners=False)[0] > 0).numpy()


def check(golden: Golden, case: str, logits: torch.Tensor, iou: torch.Tensor) -> None:
    """Compare with one case of the golden file."""
    low = torch.from_numpy(golden[f"{case}_low"]).float()
    torch.testing.assert_close(logits[0], low, atol=0.02, rtol=1e-3)  # float16 in the file
    torch.testing.assert_close(iou[0], torch.from_numpy(golden[f"{case}_iou"]), atol=1e-3, rtol=0)
    ours = drawn(logits)
    theirs = np.unpackbits(golden[f"{case}_mask"], count=ours.size).reshape(ours.shape) > 0
    for mine, expected in zip(ours, theirs, strict=True):
        assert expected.any()
        assert (mine & expected).sum() >= 0.999 * (mine | expected).sum()


def test_the_embedding_is_the_references(golden: Golden, embedding: torch.Tensor) -> None:
    expected = torch.from_numpy(golden["embedding"]).float()[None]
    torch.testing.assert_close(embedding, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("mode", ["multi", "single"])
@pytest.mark.parametrize("case", ["point", "points", "box", "box_point"])
@torch.inference_mode()
def test_masks_and_scores_are_the_references(
    golden: Golden, sam: Sam, embedding: torch.Tensor, case: str, mode: str
) -> None:
    logits, iou = sam.decode(embedding, prompts(case), multimask=mode == "multi")
    check(golden, f"{case}_{mode}", logits, iou)


@torch.inference_mode()
def test_a_mask_prompt_gives_the_references_mask_and_score(
    golden: Golden, sam: Sam, embedding: torch.Tensor
) -> None:
    points = prompts("points")
    mask = torch.from_numpy(golden["point_single_low"]).float()[None]
    with_mask = PromptTensors(points=points.points, labels=points.labels, masks=mask)
    logits, iou = sam.decode(embedding, with_mask, multimask=False)
    check(golden, "points_mask_prompt", logits, iou)
