"""First and warm clicks on synthetic slides of growing size: time, memory, tiles encoded, IoU."""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.segmentation import predict

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam


def resident() -> int:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def overlap(slide: SyntheticSlide, object_id: int, area: int, found: ns.Candidates) -> float:
    """IoU of the best candidate with the exact object."""
    mask, (y, x) = found.masks[0], found.origin
    truth = slide.labels((y, x, y + mask.shape[0], x + mask.shape[1])) == object_id
    both = np.count_nonzero(truth & mask)
    return both / (area + np.count_nonzero(mask) - both)


def measure(model: Sam, size: int, clicks: int) -> dict[str, float]:
    """Open a slide of ``size`` pixels a side, click once cold and ``clicks`` times warm."""
    slide = SyntheticSlide((size, size), seed=0)
    start = max(0, size // 2 - 400)
    objects = slide.objects((start, start, start + 800, start + 800))
    encoded = 0
    encode = predict.encode

    def counted(model, images):  # type: ignore[no-untyped-def]
        nonlocal encoded
        encoded += len(images)
        return encode(model, images)

    predict.encode = counted  # type: ignore[assignment]
    before, begin = resident(), time.perf_counter()
    segmenter = ns.Segmenter(model, ns.open_image(slide.levels))
    segmenter.predict(points=[objects.centres[0]]).masks  # noqa: B018
    first, first_encoded = time.perf_counter() - begin, encoded
    times, overlaps = [], []
    for index in range(1, clicks + 1):
        pick = index % len(objects.ids)
        begin = time.perf_counter()
        found = segmenter.predict(points=[objects.centres[pick]])
        found.masks  # noqa: B018
        times.append(time.perf_counter() - begin)
        overlaps.append(overlap(slide, objects.ids[pick], objects.areas[pick], found))
    predict.encode = encode
    return {
        "size": size,
        "first_s": first,
        "first_tiles": first_encoded,
        "warm_p50_ms": 1000 * float(np.median(times)),
        "warm_p95_ms": 1000 * float(np.percentile(times, 95)),
        "peak_mb": resident() - before,
        "mean_iou": float(np.mean(overlaps)),
    }


def main() -> None:
    """Measure each size, the largest last, so that peak memory is that size's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobile_sam")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = ns.load_model(arguments.model)
    measure(model, 1_000, 3)  # threads and kernels warm up
    rows = [measure(model, size, arguments.clicks) for size in sorted(arguments.sizes)]
    print("   size  first s  tiles  p50 ms  p95 ms  peak MB   IoU  p50 ratio")
    for row in rows:
        print(
            f"{row['size']:7d} {row['first_s']:8.2f} {row['first_tiles']:6d} "
            f"{row['warm_p50_ms']:7.1f} {row['warm_p95_ms']:7.1f} {row['peak_mb']:8d} "
            f"{row['mean_iou']:5.3f} {row['warm_p50_ms'] / rows[0]['warm_p50_ms']:10.2f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
