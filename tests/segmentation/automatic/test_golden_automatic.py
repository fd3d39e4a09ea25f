"""Automatic masks of a window against those of the reference's own generator.

By default at the points that its masks came from, on two images; ``NAPARI_SAM_GOLDEN=all`` asks
the full grid on all of them, minutes on two cores.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import napari_sam as ns
from napari_sam.images.tiles import TileIndex, window_to_fit
from napari_sam.segmentation.automatic.duplicates import distinct
from napari_sam.segmentation.automatic.point_grid import window_points
from napari_sam.segmentation.automatic.run_lengths import decode
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import POINTS_TOGETHER, find_in_tile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam.model.sam import Sam

    Golden = dict[str, np.ndarray]

# How the golden files were made: these thresholds, and nothing that the paper's generator lacks.
SETTINGS = AutomaticSettings(
    min_score=0.80,
    min_stability=0.90,
    keep_score=0.80,
    keep_stability=0.90,
    max_share=1.0,
    region_area=0.0,
    skip=False,
)
QUICK = ("coins", "dsb2018_colour__4d14a3629b6a")


@pytest.fixture(scope="module")
def model(reference_folder: Path) -> Sam:
    model = ns.load_model(reference_folder / "checkpoints" / "mobile_sam.pt", device="cpu")
    model.precision = "float32"  # as the golden files
    return model


@torch.inference_mode()
def matched(model: Sam, golden: Golden, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say which of our masks at some points are the reference's, and which of its masks ours."""
    count, *shape = golden["shape"].tolist()
    image = ns.open_image(golden["image"], limits=(0, 255))
    window = window_to_fit(image.plane_shape, model.config.image_size)
    pixels = torch.from_numpy(image.render(window, ())[np.newaxis].copy())
    decoder = model.tile_decoder()
    finding = find_in_tile(
        decoder,
        decoder.prepare(model.encode(model.preprocess(pixels))[0]),
        window,
        # The reference takes points for pixel indices and adds half a model pixel to them.
        points + 0.5 * np.array(window.sampling),
        SETTINGS,
        image.plane_shape,
        tile_index=TileIndex(0, 0),
        batch=POINTS_TOGETHER[model.device.type],
    )
    assert finding.asked == len(points)
    found = distinct(finding.found, SETTINGS)
    ours = np.zeros((len(found), *shape), np.bool_)
    for mask, (y0, x0, y1, x1), rle in zip(ours, found.boxes, found.rles, strict=True):
        mask[y0:y1, x0:x1] = decode(rle, (y1 - y0, x1 - x0))
    pixels_of_all = count * shape[0] * shape[1]
    theirs = np.unpackbits(golden["masks"])[:pixels_of_all].reshape(count, -1)
    a, b = ours.reshape(len(ours), -1).astype(np.float32), theirs.astype(np.float32)
    both = a @ b.T
    good = both >= 0.9 * (a.sum(1)[:, np.newaxis] + b.sum(1) - both)
    return good.any(axis=1), good.any(axis=0)


def check(model: Sam, folder: Path, names: Any, points: Callable[[Golden], np.ndarray]) -> None:
    """Compare with golden files: 95 % of the masks of all of them agree, either way."""
    ours, theirs = [], []
    for name in names:
        with np.load(folder / "golden" / f"automatic_{name}.npz") as file:
            golden = dict(file)
        mine, expected = matched(model, golden, points(golden))
        ours.append(mine)
        theirs.append(expected)
    assert np.concatenate(ours).mean() >= 0.95
    assert np.concatenate(theirs).mean() >= 0.95


def test_the_references_masks_come_from_the_same_points(model: Sam, reference_folder: Path) -> None:
    check(model, reference_folder, QUICK, lambda golden: golden["point"][:, ::-1] - 0.5)


@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.environ.get("NAPARI_SAM_GOLDEN") != "all", reason="takes minutes")
def test_the_full_grid_gives_the_references_masks(model: Sam, reference_folder: Path) -> None:
    names = [
        path.stem.removeprefix("automatic_")
        for path in sorted((reference_folder / "golden").glob("automatic_*.npz"))
    ]
    assert len(names) >= 5
    check(
        model,
        reference_folder,
        names,
        lambda golden: window_points(tuple(golden["image"].shape[:2]), 32),
    )
