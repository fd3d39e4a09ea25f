"""Merge known masks of synthetic slides: exactness, memory, resuming, and how soon labels change.

No model: a finder that knows the slide stands in for it. Each step runs in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.segmentation.automatic.merge import ResolvedObjects, resolve
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.paint import draw_labels, paint
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.seam_audit import audit_seams
from napari_sam.segmentation.labels.blocks import blocks, read, whole_plane
from napari_sam.segmentation.labels.pyramid import LabelPyramid

KNOWN = runpy.run_path(
    str(Path(__file__).parents[1] / "tests/segmentation/automatic/slide_finder.py")
)
ORDERS = 5
VIEW = 50_000


def memory(peak: bool) -> int:
    """Resident memory of this process in MB, now or at most so far (Linux)."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+)", status, re.MULTILINE)
    return 0 if found is None else int(found[1]) >> 10


def records_of(size: int, folder: Path | None) -> Records:
    """Make or open the records of a slide, in a folder or in memory."""
    return Records(KNOWN["identity"]((size, size)), {}, (size, size), folder)


def find(size: int, folder: Path, _: Path) -> dict[str, Any]:
    """Find the masks of all tiles."""
    records, slide = records_of(size, folder), SyntheticSlide((size, size))
    rows = 0
    for sampling, tile in KNOWN["tiles"](records.grid(1.0)):
        found = KNOWN["find"](slide, records, sampling, tile)
        records.add((), sampling, tile, found)
        rows += len(found)
    return {"objects": slide.n_objects, "candidates": rows}


def label(size: int, folder: Path, path: Path) -> dict[str, Any]:
    """Resolve and paint into a label pyramid."""
    records, before = Records.open(folder), memory(peak=True)
    shape = (size, size)
    labels = LabelPyramid.open(path) if path.exists() else LabelPyramid.create(path, shape)
    begin, cpu = time.perf_counter(), time.process_time()
    for progress in paint(resolve(records.batches(()), MergeRules(), shape), labels):
        if progress.done in (1, progress.total // 2):
            print("painted", progress.done, file=sys.stderr, flush=True)
    return {
        "label_s": time.perf_counter() - begin,
        "label_cpu_s": time.process_time() - cpu,
        "peak_MB_beyond_imports": memory(peak=True) - before,
    }


def check(size: int, folder: Path, path: Path) -> dict[str, Any]:
    """Compare labels with the truth, look for seams, and give a digest of all levels."""
    labels, slide = LabelPyramid.open(path), SyntheticSlide((size, size))
    finest = labels.levels[0]
    boxes = list(blocks(finest, whole_plane(finest)))
    ap = KNOWN["share_matched"]((slide.labels(box), read(finest, (), box)) for box in boxes)
    digest = hashlib.sha256()
    for level in labels.levels:
        for box in blocks(level, whole_plane(level)):
            digest.update(np.ascontiguousarray(read(level, (), box)).tobytes())
    records = Records.open(folder)
    seams = {id_ for s in (1.0, 2.0) for id_ in audit_seams(labels, records.grid(s))}
    return {"AP50": ap, "seams": len(seams), "digest": digest.hexdigest()[:16]}


def orders(size: int, folder: Path, _: Path) -> dict[str, Any]:
    """Resolve the masks of all tiles, added in several orders."""
    known = Records.open(folder)
    tiles = list(KNOWN["tiles"](known.grid(1.0)))
    digests = set()
    for seed in range(ORDERS):
        records = records_of(size, None)
        for index in np.random.default_rng(seed).permutation(len(tiles)).tolist():
            record = known.get((), *tiles[index])
            if record is not None:
                records.add((), *tiles[index], record.found)
        digest = hashlib.sha256()
        for part in resolve(records.batches(()), MergeRules(), (size, size)):
            for column in (part.ids, part.found.boxes, part.found.scores, part.found.tiles):
                digest.update(column.tobytes())
            digest.update(b" ".join(part.found.rles))
        digests.add(digest.hexdigest())
    return {"orders": ORDERS, "different_results": len(digests)}


def view(size: int, folder: Path, _: Path) -> dict[str, Any]:
    """Change a threshold for the middle of the slide, where 50,000 candidates lie."""
    records = Records.open(folder)
    boxes = np.concatenate([batch.found.boxes for batch in records.batches(())])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.sort(abs(centres - size / 2).max(axis=1))
    half = int(away[min(VIEW, len(away)) - 1])
    box = (size // 2 - half, size // 2 - half, size // 2 + half, size // 2 + half)
    seconds, cpu = [], []
    for score in (0.9, 0.6, 0.88):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        batches = list(records.batches((), box))
        parts = list(resolve(batches, MergeRules(min_score=score), (size, size)))
        draw_labels(ResolvedObjects.together(parts), box)
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - cpu_begin)
    inside = sum(len(batch.found) for batch in batches)
    return {
        "view_pixels": 2 * half,
        "view_candidates": inside,
        "view_s": sorted(seconds)[1],
        "view_cpu_s": sorted(cpu)[1],
    }


STEPS = {step.__name__: step for step in (find, label, check, orders, view)}


def run(step: str, size: int, folder: Path, path: Path, kill_at: str = "") -> dict[str, Any]:
    """Run a step in another process; kill it when it says something."""
    command = [sys.executable, __file__, "--step", step, "--sizes", str(size)]
    command += ["--folder", str(folder), "--labels", str(path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        if kill_at:
            said = iter(process.stderr.readline, "")
            next((line for line in said if line.startswith(kill_at)), None)
            process.send_signal(signal.SIGKILL)
        out, errors = process.communicate()
    if kill_at:
        return {"killed": process.returncode == -signal.SIGKILL}
    if process.returncode:
        raise SystemExit(errors)
    return json.loads(out)


def main() -> None:
    """Measure each size and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8192, 30_000])
    parser.add_argument("--folder", type=Path, help="keep masks and labels here")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--labels", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step = STEPS[arguments.step]
        print(json.dumps(step(arguments.sizes[0], arguments.folder, arguments.labels)))
        return
    table = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.folder or Path(temporary)) / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            records, labels = folder / "records", folder / "labels.zarr"
            row: dict[str, Any] = {"size": size}
            for step in STEPS:
                row |= run(step, size, records, labels)
            again = folder / "killed.zarr"
            row |= run("label", size, records, again, kill_at="painted")
            run("label", size, records, again)
            row["resumed_equal"] = run("check", size, records, again)["digest"] == row["digest"]
        table.append(row)
        print("\n".join(f"{name:>24}  {value}" for name, value in row.items()), flush=True)
        print()
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
