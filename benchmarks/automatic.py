"""Automatic masks of one window: ours beside the reference's own generator, in one run.

python benchmarks/automatic.py --image image.png --json automatic.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import reference
import skimage.data
import torch
from PIL import Image

import napari_sam as ns
from napari_sam.images.tiles import TileIndex, window_to_fit
from napari_sam.model.precision import resolve_precision
from napari_sam.segmentation.automatic.duplicates import distinct
from napari_sam.segmentation.automatic.point_grid import window_points
from napari_sam.segmentation.automatic.run_lengths import decode
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import POINTS_TOGETHER, find_in_tile
from napari_sam.segmentation.encoding import encode

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.automatic.found import FoundMasks

    Masks = npt.NDArray[np.bool_]
    Numbers = dict[str, Any]

SCORE, STABILITY = 0.80, 0.90
"""MobileSAM is not sure of much on microscopy: with the paper's 0.88 and 0.92 little is left."""


def nms(boxes: torch.Tensor, scores: torch.Tensor, _: torch.Tensor, iou_threshold: float) -> Any:
    """Stand in for torchvision's batched_nms with one category."""
    order = torch.argsort(scores, descending=True)
    boxes, kept = boxes[order], []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    gone = torch.zeros(len(order), dtype=torch.bool)
    for i in range(len(order)):
        if not gone[i]:
            kept.append(i)
            low = torch.maximum(boxes[i, :2], boxes[:, :2])
            high = torch.minimum(boxes[i, 2:], boxes[:, 2:])
            both = (high - low).clamp(min=0).prod(dim=1)
            gone |= both / (areas[i] + areas - both) > iou_threshold
    return order[torch.tensor(kept, dtype=torch.long)]


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Stand in for torchvision's resize of a PIL image."""
    return image.resize(size[::-1], Image.Resampling.BILINEAR)


def reference_generator(sam: Sam, points: int) -> Any:
    """Build the reference's automatic generator with the weights of ours."""
    if sam.config.variant == "tiny_vit":
        encoder = reference.tiny_vit_encoder(sam)
    else:
        encoder = reference.vit_encoder(sam)
    encoder.img_size = sam.config.image_size  # which the predictor goes by
    prompts, masks = reference.decoder(sam)
    generator: ModuleType = importlib.import_module("segment_anything.automatic_mask_generator")
    transforms = importlib.import_module("segment_anything.utils.transforms")
    generator.__dict__["batched_nms"] = nms
    transforms.__dict__.update(resize=resize, to_pil_image=Image.fromarray)
    modeling = importlib.import_module("segment_anything.modeling")
    model = modeling.Sam(
        encoder, prompts, masks, list(sam.config.pixel_mean), list(sam.config.pixel_std)
    )
    return generator.SamAutomaticMaskGenerator(
        model.eval(), points, pred_iou_thresh=SCORE, stability_score_thresh=STABILITY
    )


def ours(sam: Sam, pixels: npt.NDArray[np.uint8], points: int, **options: Any) -> SimpleNamespace:
    """Find the masks of a window, from pixels to run lengths."""
    settings = AutomaticSettings(
        min_score=SCORE, min_stability=STABILITY, max_share=1.0, region_area=0.0, **options
    )
    start = time.perf_counter()
    image = ns.open_image(pixels, limits=(0, 255))
    window = window_to_fit(image.plane_shape, sam.config.image_size)
    decoder = sam.tile_decoder()
    embedding = torch.from_numpy(encode(sam, [image.render(window, ())])[0])
    encoded = time.perf_counter()
    finding = find_in_tile(
        decoder,
        decoder.prepare(embedding),
        window,
        window_points(image.plane_shape, points) + 0.5 * np.array(window.sampling),
        settings,
        image.plane_shape,
        tile_index=TileIndex(0, 0),
        batch=POINTS_TOGETHER[sam.device.type],
    )
    found = distinct(finding.found, settings)
    end = time.perf_counter()
    return SimpleNamespace(
        seconds=end - start, encoding=encoded - start, finding=finding, found=found
    )


def drawn(found: FoundMasks, shape: tuple[int, int]) -> Masks:
    """Draw masks on the plane, (n, h, w)."""
    masks = np.zeros((len(found), *shape), np.bool_)
    for mask, (y0, x0, y1, x1), rle in zip(masks, found.boxes, found.rles, strict=True):
        mask[y0:y1, x0:x1] = decode(rle, (y1 - y0, x1 - x0))
    return masks


def matched(some: Masks, others: Masks) -> float:
    """Share of some masks that others have too, at IoU 0.9."""
    a, b = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (some, others))
    both = a @ b.T
    good = both >= 0.9 * (a.sum(1)[:, np.newaxis] + b.sum(1) - both)
    return float(good.any(axis=1).mean()) if len(some) else 1.0


def measure(sam: Sam, pixels: npt.NDArray[np.uint8], points: int) -> dict[str, Numbers]:
    """Run the reference and ours on an image."""
    shape = pixels.shape[:2]
    same = {"keep_score": SCORE, "keep_stability": STABILITY}
    variants = {
        "full grid": {**same, "skip": False},
        "full grid, all kept": {"skip": False},
        "skipping": {**same, "skip": True},
        "skipping, all kept": {"skip": True},
    }
    ours(sam, pixels, 2)  # warm
    runs = {name: ours(sam, pixels, points, **options) for name, options in variants.items()}
    generator = reference_generator(sam, points)
    start = time.perf_counter()
    theirs = generator.generate(pixels)
    seconds = time.perf_counter() - start
    expected = np.array([each["segmentation"] for each in theirs]).reshape(-1, *shape)
    full = drawn(runs["full grid"].found, shape)
    table: dict[str, Numbers] = {
        "reference": {"seconds": seconds, "asked": points**2, "masks": len(expected), "times": 1}
    }
    for name, run in runs.items():
        masks = drawn(run.found, shape)
        table[name] = {
            "seconds": run.seconds,
            "encoding": run.encoding,
            "asked": run.finding.asked,
            "kept": len(run.finding.found),
            "masks": len(masks),
            "times": seconds / run.seconds,
            "of the reference's": matched(expected, masks),
            "the reference has": matched(masks, expected),
            "of the full grid's": matched(full, masks),
        }
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobile_sam")
    parser.add_argument("--image", type=Path, help="an RGB or grey image; coins when not given")
    parser.add_argument("--points", type=int, default=32, help="along a side")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    pixels = skimage.data.coins() if arguments.image is None else _read(arguments.image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    sam = ns.load_model(arguments.model, device="cpu")  # the reference's code runs there
    precision = str(resolve_precision(sam.precision, sam.device)).removeprefix("torch.")
    print(
        f"{sam.name}, {precision}, {torch.get_num_threads()} threads, {pixels.shape[0]} x "
        f"{pixels.shape[1]} pixels, {arguments.points} x {arguments.points} points"
    )
    table = measure(sam, pixels, arguments.points)
    for name, numbers in table.items():
        print(name)
        for key, value in numbers.items():
            print(
                f"    {key:20} {value:.3f}" if isinstance(value, float) else f"    {key:20} {value}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps({"precision": precision, **table}))


def _read(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image, or the one inside a golden file."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return np.asarray(file["image"])
    return np.asarray(Image.open(path))


if __name__ == "__main__":
    main()
