"""The weights that come with the package: they load, they segment, and nature is not forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skimage.data

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.model.checkpoints import DEFAULT_MODEL, SHIPPED, find_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.model.sam import Sam

# Level-0 (y, x); what a person would point at, chosen by looking at the pictures.
NATURE: dict[str, list[dict[str, Any]]] = {
    "astronaut": [
        {"points": [(100, 220)]},
        {"points": [(300, 400)]},
        {"box": (0, 390, 130, 440)},
    ],
    "coffee": [
        {"points": [(150, 280)]},
        {"points": [(120, 290)]},
        {"box": (50, 130, 330, 450)},
    ],
    "chelsea": [
        {"points": [(115, 165)]},
        {"box": (30, 70, 290, 370)},
        {"box": (85, 130, 145, 200)},
    ],
}


@pytest.fixture(scope="module")
def shipped() -> Sam:
    return ns.load_model(device="cpu")


def whole(candidates: ns.Candidates, shape: tuple[int, ...]) -> np.ndarray:
    """Best mask on the whole plane."""
    plane = np.zeros(shape[:2], bool)
    (y, x), mask = candidates.origin, candidates.masks[0]
    plane[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return plane


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))


def test_the_default_model_comes_with_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NAPARI_SAM_CHECKPOINTS", raising=False)
    path = find_checkpoint(DEFAULT_MODEL)
    assert path is not None
    assert path.parent == SHIPPED
    assert path.stat().st_size < 25e6
    assert ns.load_model(device="cpu").name == "microscopy"


def test_a_click_has_three_candidates_and_the_single_mask_may_be_one(shipped: Sam) -> None:
    assert shipped.single_for_click
    session = ns.Segmenter(shipped, skimage.data.coins())
    single = session.predict(points=[(44, 334)], multimask=False)
    candidates = session.predict(points=[(44, 334)])
    assert len(candidates) == 3
    assert np.isclose(candidates.scores, single.scores[0], atol=0.02).any()


def test_one_click_finds_a_nucleus_and_the_score_is_honest(shipped: Sam) -> None:
    slide = SyntheticSlide((512, 512), seed=4)
    truth = slide.labels((0, 0, 512, 512))
    objects = slide.objects((0, 0, 512, 512))
    whole_ones = [row for row in range(len(objects)) if objects.areas[row] > 200][:12]
    assert len(whole_ones) >= 8
    session = ns.Segmenter(shipped, slide.levels)
    found, scores = [], []
    for row in whole_ones:
        answer = session.predict(points=[objects.centres[row]], sampling=0.5)
        found.append(iou(whole(answer, truth.shape), truth == objects.ids[row]))
        scores.append(float(answer.scores[0]))
    assert np.mean(found) > 0.8
    assert abs(np.mean(scores) - np.mean(found)) < 0.15


def test_a_real_coin_and_a_real_cell_are_found(shipped: Sam) -> None:
    coins = ns.Segmenter(shipped, skimage.data.coins())
    coin = coins.predict(points=[(44, 334)])
    assert 900 < coin[0].area < 3000
    assert coin.scores[0] > 0.6


@pytest.mark.parametrize("name", NATURE)
def test_natural_images_are_segmented_as_by_the_model_it_began_as(
    shipped: Sam, reference_folder: Path, name: str
) -> None:
    image = getattr(skimage.data, name)()
    before = ns.load_model(reference_folder / "checkpoints" / "mobile_sam.pt", device="cpu")
    sessions = ns.Segmenter(before, image), ns.Segmenter(shipped, image)
    for prompt in NATURE[name]:
        theirs, ours = (whole(s.predict(**prompt), image.shape) for s in sessions)
        assert theirs.any()
        assert iou(theirs, ours) >= 0.8
