"""Every nucleus of a slide: OME-Zarr labels and a table.

python examples/whole_slide.py [FOLDER [SIDE]]

The slide is procedural, SIDE x SIDE pixels; with 100,000 it takes a graphics card. Stop it with
Ctrl-C and start it again: it goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.segmentation.automatic.objects_table import write_objects


def main(folder: Path, side: int) -> None:
    """Segment the slide and write labels and table."""
    folder.mkdir(parents=True, exist_ok=True)
    slide = ns.open_image(SyntheticSlide((side, side)).levels)  # or the path of your own
    session = ns.Segmenter(ns.load_model(), slide, diameter=40)

    for progress in session.segment_progress(folder / "nuclei.zarr"):
        print(f"{progress.done} of {progress.total} tiles, {progress.objects} objects", flush=True)
    result = progress.result
    write_objects(result.objects, folder / "nuclei.csv")
    print(len(result), "nuclei,", len(result.seams), "of them cut by a line between tiles")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "out"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 1_000,
    )
