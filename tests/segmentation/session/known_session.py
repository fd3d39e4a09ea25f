"""Sessions whose objects are known, and a process that keeps accepting them until it is killed.

Tests take the functions with `runpy`; as a program it reads ``kind folder delay`` from each line
of its input, lets a child accept objects in that folder, kills it ``delay`` seconds after its
first one and says how many it had accepted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileIndex
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.labels import metadata as label_metadata
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.journal import Journal
from napari_sam.segmentation.session.journal_format import ImageIdentity

if TYPE_CHECKING:
    import numpy.typing as npt

SHAPE = (80, 100)
MOST = 300
IMAGE = ImageIdentity(
    name="cells.tif", shape=SHAPE, dtype="uint8", axes="YX", fingerprint="0123abcd"
)


@dataclass
class Blob:
    """A disc that can be accepted."""

    centre: tuple[float, float]
    radius: float
    plane: tuple[int, ...] = ()
    score: float = 0.75
    stability: float = 0.5

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        (y, x), r = self.centre, self.radius
        y0, x0 = max(0, int(y - r)), max(0, int(x - r))
        return y0, x0, min(SHAPE[0], int(y + r) + 2), min(SHAPE[1], int(x + r) + 2)

    def draw(self, box: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
        y, x = np.mgrid[box[0] : box[2], box[1] : box[3]]
        return np.asarray(np.hypot(y - self.centre[0], x - self.centre[1]) <= self.radius)


def blob(seed: int, plane: tuple[int, ...] = ()) -> Blob:
    """Return a disc somewhere."""
    rng = np.random.default_rng(seed)
    centre = float(rng.uniform(0, SHAPE[0])), float(rng.uniform(0, SHAPE[1]))
    return Blob(centre, float(rng.uniform(1, 8)), plane)


def show(annotator: Annotator, candidate: Blob) -> None:
    """Show one candidate."""
    annotator.show([candidate])  # type: ignore[arg-type]


def begin(folder: Path, labels: Any = None, image: ImageIdentity = IMAGE) -> Annotator:
    """Begin a session with a journal, in memory when no labels are given."""
    labels = np.zeros(SHAPE, np.uint16) if labels is None else labels
    journal = Journal.create(folder, labels, image, {"model": "known"})
    return Annotator(None, labels, journal)


def pyramid(folder: Path, shape: tuple[int, ...] = SHAPE) -> LabelPyramid:
    """Make labels on disk where a session has them."""
    with patch.object(label_metadata, "LARGEST_TOP", 16):  # several levels
        return LabelPyramid.create(folder / "labels.zarr", shape, chunk=32)


def accept_next(annotator: Annotator, seed: int) -> bool:
    """Accept a disc, unless all its pixels belong to others."""
    show(annotator, blob(seed))
    try:
        annotator.accept()
    except ValueError:
        return False
    return True


def records(seeds: list[int], planes: list[tuple[int, ...]], folder: Path | None = None) -> Records:
    """Return records of discs that an automatic run has found."""
    identity = StoreIdentity(
        image_shape=SHAPE,
        image_dtype="uint8",
        image_axes="YX",
        image_channels=(0,),
        image_colors=((255.0, 255.0, 255.0),),
        image_fingerprint="",
        limits=((0.0, 255.0),),
        model_name="finder",
        model_sha256="",
        tile=128,
        cell=16,
        core=96,
        embedding_shape=(8, 8, 8),
    )
    kept = Records(identity, {"points": 1}, SHAPE, folder)
    for plane in planes:
        kept.add(plane, 1.0, TileIndex(0, 0), _found(seeds))
    return kept


def _found(seeds: list[int]) -> FoundMasks:
    discs = [blob(seed) for seed in seeds]
    masks = [disc.draw(disc.bounds) for disc in discs]
    rles = np.empty(len(discs), np.object_)
    rles[:] = [encode(mask) for mask in masks]
    n = len(discs)
    return FoundMasks(
        boxes=np.array([disc.bounds for disc in discs], np.int64).reshape(-1, 4),
        rles=rles,
        scores=np.linspace(0.9, 1, n, dtype=np.float32),
        stability=np.ones(n, np.float32),
        areas=np.array([mask.sum() for mask in masks], np.int64),
        points=np.array([disc.centre for disc in discs]).reshape(-1, 2),
        prompts=np.arange(n),
        tokens=np.zeros(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )


def _accept_on(kind: str, folder: Path, accepted: int) -> None:
    annotator = begin(folder, pyramid(folder) if kind == "disk" else None)
    for seed in range(MOST):
        if accept_next(annotator, seed):
            os.write(accepted, b".")
    time.sleep(60)


def _kill_one(kind: str, folder: Path, delay: float) -> int:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _accept_on(kind, folder, writing)
    os.close(writing)
    count = len(os.read(reading, 1))
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while part := os.read(reading, 4096):
        count += len(part)
    os.close(reading)
    return count


if __name__ == "__main__":
    for line in sys.stdin:
        how, where, seconds = line.split()
        print(_kill_one(how, Path(where), float(seconds)), flush=True)  # noqa: T201
