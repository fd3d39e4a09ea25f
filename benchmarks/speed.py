"""Encoder, decoder, clicks, start and memory, beside the reference implementation in one run.

python benchmarks/speed.py --model mobile_sam --json speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import reference
import skimage.data
import torch
import torch.nn.functional as F

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.model.sam import build_sam
from napari_sam.model.tile_decoder import TileDecoder
from napari_sam.model.tile_encoder import TileEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.model.sam import Sam

Numbers = dict[str, float]


def interleaved(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time several things in turn, so that all of them meet the same disturbances, in ms."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


def medians(times: dict[str, list[float]], first: str) -> Numbers:
    """Medians, and how many times faster each is than the first."""
    middle = {name: statistics.median(values) for name, values in times.items()}
    ratios = {f"{name}, times": middle[first] / value for name, value in middle.items()}
    return {**middle, **{name: value for name, value in ratios.items() if first not in name}}


def picture(size: int) -> torch.Tensor:
    """Coins, as large as the model's image."""
    coins = torch.from_numpy(skimage.data.coins()).float()[None, None]
    return F.interpolate(coins, (size, size), mode="bilinear").expand(1, 3, -1, -1)


def encoder(sam: Sam, theirs: torch.nn.Module, repeats: int) -> Numbers:
    """Encode one tile."""
    image = sam.preprocess(picture(sam.config.image_size))
    exact, short = TileEncoder(sam), TileEncoder(sam, torch.bfloat16)
    with torch.inference_mode():
        times = interleaved(
            {
                "reference": lambda: theirs(image),
                "ours, float32": lambda: exact(image),
                "ours, bfloat16": lambda: short(image),
            },
            repeats,
        )
    return {**medians(times, "reference"), "largest difference": difference(sam, theirs, image)}


def difference(sam: Sam, theirs: torch.nn.Module, image: torch.Tensor) -> float:
    """Largest difference of the embedding in single precision."""
    with torch.inference_mode():
        return float((theirs(image) - TileEncoder(sam)(image)).abs().max())


def nuclei() -> np.ndarray:
    """512 x 512 pixels of a synthetic slide."""
    return SyntheticSlide((2048, 2048), seed=0).levels[0][700:1212, 700:1212]


def prompts(count: int, size: int) -> PromptTensors:
    """One point each."""
    points = torch.rand(count, 1, 2, generator=torch.Generator().manual_seed(0)) * size
    return PromptTensors(points=points, labels=torch.ones(count, 1))


def decoder(sam: Sam, repeats: int) -> Numbers:
    """Decode prompts on one tile, three masks each; time for one prompt."""
    embedding = TileEncoder(sam)(sam.preprocess(picture(sam.config.image_size)))[0]
    their_prompts, their_masks = reference.decoder(sam)
    positions = their_prompts.get_dense_pe()

    def theirs(asked: PromptTensors) -> object:
        sparse, dense = their_prompts(points=(asked.points, asked.labels), boxes=None, masks=None)
        return their_masks(
            image_embeddings=embedding[None],
            image_pe=positions,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )

    def ours(made: TileDecoder) -> Callable[[], object]:
        tile = made.prepare(embedding)
        return lambda: made.decode(tile, one, multimask=True)

    def scored(made: TileDecoder) -> Callable[[], object]:
        tile = made.prepare(embedding)
        return lambda: made.ask(tile, one, multimask=True)

    one, many = prompts(1, sam.config.image_size), prompts(16, sam.config.image_size)
    exact, short = TileDecoder(sam), TileDecoder(sam, torch.bfloat16)
    with torch.inference_mode():
        times = interleaved(
            {
                "reference, 16 at once": lambda: theirs(many),
                "reference, alone": lambda: theirs(one),
                "ours, float32": ours(exact),
                "ours, bfloat16": ours(short),
                "ours, bfloat16, scores alone": scored(short),
            },
            repeats,
        )
    times["reference, 16 at once"] = [value / 16 for value in times["reference, 16 at once"]]
    return medians(times, "reference, 16 at once")


def agreement(sam: Sam) -> Numbers:
    """IoU of masks in half precision with those in single precision, on real pictures.

    Points of a grid, so most of them lie on background, where a model that knows its trade draws
    something vague and says so by a low score. Counted apart: what a user would be shown as found.
    """
    overlaps, scores, apart = [], [], []
    for image in (skimage.data.coins(), skimage.data.cell(), nuclei()):
        height, width = image.shape
        asked = [
            ns.Prompt(points=[(y, x)])
            for y in range(10, height - 10, 20)
            for x in range(10, width - 10, 20)
        ]
        answers = []
        for precision in ("float32", "bfloat16"):
            sam.precision = precision  # type: ignore[assignment]
            answers.append(ns.Segmenter(sam, image).predict_many(asked, multimask=False))
        for exact, short in zip(*answers, strict=True):
            if exact.window != short.window:
                continue  # beyond the tile in one of them: asked again elsewhere
            a, b = exact.logits[0] > 0, short.logits[0] > 0
            if a.any():
                overlaps.append(np.count_nonzero(a & b) / np.count_nonzero(a | b))
                scores.append(exact.scores[0])
                apart.append(abs(float(exact.scores[0] - short.scores[0])))
    sam.precision = "auto"
    numbers: Numbers = {"mean score difference": float(np.mean(apart))}
    known = np.array(scores)
    for name, some in {
        "score below 0.4": known < 0.4,
        "0.4 to 0.6": (known >= 0.4) & (known < 0.6),
        "0.6 and above": known >= 0.6,
    }.items():
        chosen = np.array(overlaps)[some]
        if len(chosen):
            numbers[f"{name}: prompts"] = len(chosen)
            numbers[f"{name}: mean IoU"] = float(chosen.mean())
            numbers[f"{name}: IoU above 0.99"] = float(np.mean(chosen > 0.99))
    return numbers


def clicks(sam: Sam, count: int = 60) -> Numbers:
    """Warm clicks through `Segmenter.predict`, masks drawn, in ms."""
    session = ns.Segmenter(sam, nuclei())
    points = np.random.default_rng(0).integers(5, 500, (count, 2))
    session.predict(points=[points[0]])
    times = []
    for point in points:
        start = time.perf_counter()
        session.predict(points=[point]).masks  # noqa: B018
        times.append(1000 * (time.perf_counter() - start))
    return {"p50": float(np.quantile(times, 0.5)), "p95": float(np.quantile(times, 0.95))}


def growth(sam: Sam) -> Numbers:
    """Time for one prompt and for one tile, in ms, against how many are asked for at once."""
    session = ns.Segmenter(sam, nuclei())
    points = np.random.default_rng(0).integers(5, 500, (10_000, 2))
    session.predict(points=[points[0]])
    found = {}
    for count in (1, 10, 100, 1000, 10_000):
        start = time.perf_counter()
        session.predict_many([ns.Prompt(points=[point]) for point in points[:count]])
        found[f"{count} prompts, ms for one"] = 1000 * (time.perf_counter() - start) / count
    for size in (1_024, 4_096, 65_536):
        middle = (size / 2 - 2_048, size / 2 - 2_048, size / 2 + 2_048, size / 2 + 2_048)
        start = time.perf_counter()
        slide = ns.Segmenter(sam, ns.open_image(SyntheticSlide((size, size), seed=0).levels))
        for progress in slide.embed(middle if size > 4_096 else None, sampling=1):
            tiles = progress.done
        found[f"{size} pixels, tiles"] = tiles
        found[f"{size} pixels, ms for a tile"] = 1000 * (time.perf_counter() - start) / tiles
        found[f"{size} pixels, peak MB so far"] = peak()
    return found


def peak() -> float:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


FIRST_MASK = """
import skimage.data, napari_sam as ns
model = ns.load_model({model!r}, device="cpu")
ns.Segmenter(model, skimage.data.coins()).predict(points=[(180, 250)]).masks
"""

ENCODE_HUGE = """
import resource, torch
from napari_sam.model.sam import build_sam
from napari_sam.model.tile_encoder import TileEncoder
encoder = TileEncoder(build_sam("vit_h", seed=0))
encoder(torch.zeros(1, 3, 1024, 1024))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def fresh(*command: str) -> tuple[float, str]:
    """Run a command in a process of its own: seconds, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def start(model: str) -> Numbers:
    """Seconds from nothing to the first mask, and to the help text."""
    mask = [fresh(sys.executable, "-c", FIRST_MASK.format(model=model))[0] for _ in range(3)]
    command = str(Path(sys.executable).with_name("napari-sam"))
    text = [fresh(command, "--help")[0] for _ in range(5)]
    return {"first mask, s": statistics.median(mask), "--help, s": statistics.median(text)}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobile_sam", help="name or path of a TinyViT model")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", metavar="PART")
    options = parser.parse_args()
    sam, repeats = ns.load_model(options.model, device="cpu"), options.repeats

    def vit_b() -> Numbers:
        large = build_sam("vit_b", seed=0)
        return encoder(large, reference.vit_encoder(large), max(2, repeats // 3))

    parts: dict[str, Callable[[], Numbers]] = {
        "tiny_vit": lambda: encoder(sam, reference.tiny_vit_encoder(sam), repeats),
        "vit_b": vit_b,
        "decoder": lambda: decoder(sam, repeats),
        "agreement": lambda: agreement(sam),
        "clicks": lambda: clicks(sam),
        "growth": lambda: growth(sam),
        "start": lambda: start(options.model),
        "vit_h_memory": lambda: {"peak, GiB": float(fresh(sys.executable, "-c", ENCODE_HUGE)[1])},
    }
    machine: dict[str, Any] = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
    print(machine)
    results: dict[str, Any] = {"machine": machine}
    for name, measure in parts.items():
        if options.only and name not in options.only:
            continue
        results[name] = measure()
        print(f"\n{name}")
        for what, value in results[name].items():
            print(f"  {what:32} {value:10.4g}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
