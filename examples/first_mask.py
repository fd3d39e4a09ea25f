"""One click and one box on an image of coins: candidates, scores, a picture.

python examples/first_mask.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from skimage import data
from skimage.io import imsave
from skimage.segmentation import mark_boundaries

import napari_sam as ns


def main(folder: Path) -> None:
    """Segment two coins and write what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = data.coins()
    session = ns.Segmenter(ns.load_model(), ns.open_image(pixels))

    clicked = session.predict(points=[(44, 334)])
    for candidate in clicked:  # best first
        print(f"predicted IoU {candidate.score:.2f}, {candidate.area:,} pixels")
    boxed = session.predict(box=(230.5, 15.5, 289.5, 76.5))

    labels = np.zeros(pixels.shape, np.uint16)
    for number, candidate in enumerate((clicked[0], boxed[0]), start=1):
        y, x = candidate.origin
        height, width = candidate.mask.shape
        labels[y : y + height, x : x + width][candidate.mask] = number
    picture = mark_boundaries(pixels, labels, color=(1, 0.8, 0))
    imsave(folder / "first_mask.png", (picture * 255).astype(np.uint8))
    print("written:", folder / "first_mask.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
