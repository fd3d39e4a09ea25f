"""The public way, from an array to masks, against outputs of the reference implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data

import napari_sam as ns

if TYPE_CHECKING:
    from pathlib import Path

# The reference was asked in (x, y); ours are (y, x).
CASES = {
    "point": {"points": [(250, 180)]},
    "points": {"points": [(250, 180), (240, 190), (20, 20)], "labels": [1, 1, 0]},
    "box": {"box": (215, 150, 280, 215)},
    "box_point": {"box": (215, 150, 280, 215), "points": [(250, 180)]},
}
SHAPE = (303, 384)


@pytest.fixture(scope="module")
def segmenter(reference_folder: Path) -> ns.Segmenter:
    model = ns.load_model(reference_folder / "checkpoints" / "mobile_sam.pt")
    return ns.Segmenter(model, ns.open_image(skimage.data.coins(), limits=(0, 255)))


@pytest.fixture(scope="module")
def golden(reference_folder: Path) -> dict[str, np.ndarray]:
    with np.load(reference_folder / "golden" / "mobile_sam_coins.npz") as stored:
        return dict(stored)


def whole(candidate: ns.Candidate) -> np.ndarray:
    plane = np.zeros(SHAPE, bool)
    (y, x), (height, width) = candidate.origin, candidate.mask.shape
    plane[y : y + height, x : x + width] = candidate.mask
    return plane


@pytest.mark.parametrize("mode", ["multi", "single"])
@pytest.mark.parametrize("case", CASES)
def test_the_reference_is_reproduced_from_an_array(
    segmenter: ns.Segmenter, golden: dict[str, np.ndarray], case: str, mode: str
) -> None:
    found = segmenter.predict(**CASES[case], sampling="fit", multimask=mode == "multi")
    scores = golden[f"{case}_{mode}_iou"]
    order = np.argsort(-scores)
    np.testing.assert_allclose(found.scores, scores[order], atol=5e-3)
    count = len(scores) * SHAPE[0] * SHAPE[1]
    masks = np.unpackbits(golden[f"{case}_{mode}_mask"])[:count].reshape(-1, *SHAPE).astype(bool)
    for candidate, expected in zip(found, masks[order], strict=True):
        mask = whole(candidate)
        assert (mask & expected).sum() / (mask | expected).sum() >= 0.97
