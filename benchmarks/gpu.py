"""Encoders, decoder and a whole slide on a graphics card, as shares of what the card can do.

python benchmarks/gpu.py --json gpu.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.model.sam import build_sam
from napari_sam.model.tile_encoder import TileEncoder
from napari_sam.segmentation.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.model.sam import Sam

ENCODERS = ("vit_h", "vit_b", "tiny_vit")
BATCHES = (1, 2, 4, 8, 16, 32)


def seconds(run: Callable[[], object], repeats: int = 7) -> float:
    """Median time, the card's queue emptied before and after."""
    run()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak() -> float:
    """Floating-point operations per second of a large product of matrices in bfloat16."""
    side = 8192
    a = torch.randn(side, side, device="cuda", dtype=torch.bfloat16)
    return 2 * side**3 / seconds(lambda: a @ a)


def encoders(card: float) -> list[dict[str, object]]:
    """Encode batches of tiles, with and without torch.compile."""
    rows: list[dict[str, object]] = []
    for variant in ENCODERS:
        sam = build_sam(variant, seed=0).to("cuda")
        encoder = TileEncoder(sam, torch.bfloat16)
        one = torch.zeros(1, 3, 1024, 1024, device="cuda")
        with FlopCounterMode(display=False) as counter:
            encoder(one)
        flops = counter.get_total_flops()
        for compiled in (False, True):
            run: Callable[[torch.Tensor], object] = torch.compile(encoder) if compiled else encoder
            for batch in BATCHES:
                images = one.expand(batch, -1, -1, -1).contiguous()
                try:
                    taken = seconds(lambda run=run, images=images: run(images))  # type: ignore[misc]
                except torch.OutOfMemoryError:
                    break
                rows.append(
                    {
                        "encoder": variant,
                        "compiled": compiled,
                        "batch": batch,
                        "tiles per second": batch / taken,
                        "share of the card's peak": flops * batch / taken / card,
                    }
                )
                print(rows[-1], flush=True)
    return rows


def prompts(sam: Sam) -> dict[str, float]:
    """Ask for one object and for 1,024 on one tile."""
    image = SyntheticSlide((1024, 1024), seed=0).levels[0][:, :]
    session = ns.Segmenter(sam, image)
    points = np.random.default_rng(0).integers(10, 1000, (1024, 2))
    asked = [ns.Prompt(points=[point]) for point in points]
    one = seconds(lambda: session.predict_many(asked[:1]))
    many = seconds(lambda: session.predict_many(asked), repeats=3)
    return {"1 prompt, ms": 1000 * one, "1,024 prompts, ms": 1000 * many}


def slide(sam: Sam, side: int = 16_384) -> dict[str, float]:
    """Embed a whole slide: reading, encoding and keeping beside encoding alone."""
    block = SyntheticSlide((1024, 1024), seed=0).levels[0][:, :]
    session = ns.Segmenter(sam, np.tile(block, (side // 1024, side // 1024)))
    start = time.perf_counter()
    for progress in session.embed(sampling=1.0):
        encoded = progress.encoded
    whole = time.perf_counter() - start
    batch = sam.tile_encoder().batch
    images = [np.zeros((3, 1024, 1024), np.uint8)] * batch
    alone = seconds(lambda: encode(sam, images)) * encoded / batch
    return {"tiles": encoded, "seconds": whole, "share of encoding alone": alone / whole}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device on this machine: nothing was measured")
    card = peak()
    name = torch.cuda.get_device_name()
    print(f"{name}: {card / 1e12:.0f} TFLOP/s measured in bfloat16")
    sam = build_sam("tiny_vit", seed=0).to("cuda")
    results = {
        "card": name,
        "peak": card,
        "encoders": encoders(card),
        "prompts": prompts(sam),
        "slide": slide(sam),
    }
    print(results["prompts"], results["slide"])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
