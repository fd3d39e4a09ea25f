"""A finder that knows the synthetic slide: tiles of its exact masks, found as a model would.

The tests and ``benchmarks/merging.py`` load this file with `runpy.run_path`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileGrid
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.point_grid import tile_points
from napari_sam.segmentation.automatic.run_lengths import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from napari_sam.images.synthetic import SyntheticSlide
    from napari_sam.images.tiles import TileIndex
    from napari_sam.segmentation.automatic.records import Records

    Labels = npt.NDArray[Any]

SPACING = 8.0
"""Level-0 pixels between points at sampling 1: every nucleus holds one."""

MOST_POINTS = 4
"""Points of a nucleus that a tile asks."""


def identity(shape: tuple[int, int], tile: int = 1024) -> StoreIdentity:
    """What records of a slide are for."""
    return StoreIdentity(
        image_shape=shape,
        image_dtype="uint16",
        image_axes="YX",
        image_channels=(),
        image_colors=(),
        image_fingerprint="slide",
        limits=(),
        model_name="known",
        model_sha256="known",
        tile=tile,
        cell=tile // 64,
        core=tile // 4 * 3,
        embedding_shape=(256, 64, 64),
    )


def tiles(grid: TileGrid) -> Iterator[tuple[float, TileIndex]]:
    """Tiles at two samplings: some nuclei are larger than the halo."""
    for sampling in (1.0, 2.0):
        for tile in TileGrid(grid.plane_shape, sampling, grid.size, grid.halo):
            yield sampling, tile


def find(slide: SyntheticSlide, records: Records, sampling: float, tile: TileIndex) -> FoundMasks:
    """Masks of the nuclei that the points in a tile's core hit, and of their upper halves.

    Each point gives the exact mask with a score of its own, and its upper half with a lower one
    (or, of few nuclei, with a score that does not pass). A mask that the window cuts is left out;
    above sampling 1 also one that was whole below.
    """
    grid = records.grid(sampling)
    height, width = slide.shape
    window = grid.window(tile)
    y0, x0 = (int(start) for start in window.origin)
    side = int(window.size * sampling)
    y1, x1 = min(y0 + side, height), min(x0 + side, width)
    labels = slide.labels((y0, x0, y1, x1))
    points = tile_points(grid, tile, SPACING / sampling)
    at = np.round(points).astype(np.int64) - (y0, x0)
    hit = labels[at[:, 0], at[:, 1]]
    ids = np.unique(hit[hit > 0])
    if not len(ids):
        return FoundMasks.empty()
    place = np.minimum(np.searchsorted(ids, labels), len(ids) - 1)
    place = np.where(ids[place] == labels, place + 1, 0)
    rows = []
    for value, box in zip(ids.tolist(), ndimage.find_objects(place), strict=True):
        top, left, bottom, right = box[0].start, box[1].start, box[0].stop, box[1].stop
        cut = (top == 0 and y0 > 0) or (left == 0 and x0 > 0)
        cut |= (bottom == y1 - y0 and y1 < height) or (right == x1 - x0 and x1 < width)
        if cut or (sampling > 1 and max(bottom - top, right - left) < grid.halo * sampling / 2):
            continue
        whole = labels[box] == value
        masks = []
        for mask, loss in ((whole, 0.0), (whole[: len(whole) // 2 + 1], (0.4, 0.05)[value % 2])):
            corner = (y0 + top, x0 + left, y0 + top + mask.shape[0], x0 + left + mask.shape[1])
            rle = encode(mask)
            masks.append((corner, rle, int(mask.sum()), 0.95 - loss))
        for prompt in np.flatnonzero(hit == value)[:MOST_POINTS].tolist():
            noise = hash((value, prompt, sampling, *tile)) % 1000 / 1e5
            for token, (corner, rle, area, score) in enumerate(masks, start=1):
                rows.append((corner, rle, score + noise, area, points[prompt], prompt, token))
    if not rows:
        return FoundMasks.empty()
    boxes, rles, scores, areas, asked, prompts, tokens = zip(*rows, strict=True)
    texts = np.empty(len(rows), np.object_)
    texts[:] = rles
    return FoundMasks(
        boxes=np.array(boxes, np.int64),
        rles=texts,
        scores=np.array(scores, np.float32),
        stability=np.full(len(rows), 0.95, np.float32),
        areas=np.array(areas, np.int64),
        points=np.array(asked, np.float64),
        prompts=np.array(prompts, np.int64),
        tokens=np.array(tokens, np.uint8),
        samplings=np.full(len(rows), sampling, np.float64),
        tiles=np.tile(np.array(tile, np.int64), (len(rows), 1)),
    )


def share_matched(blocks: Iterable[tuple[Labels, Labels]]) -> float:
    """AP at IoU 0.5 of labels, block by block: objects that match among all that there are."""
    shared: Counter[int] = Counter()
    for truth, labels in blocks:
        pairs = (truth.astype(np.int64) << 32) + labels.astype(np.int64)
        values, counts = np.unique(pairs, return_counts=True)
        shared.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    areas: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    for pair, count in shared.items():
        for area, value in zip(areas, divmod(pair, 1 << 32), strict=True):
            area[value] += count
    matched = 0
    for pair, count in shared.items():
        truth, label = divmod(pair, 1 << 32)
        matched += truth and label and 2 * count >= areas[0][truth] + areas[1][label] - count
    n_objects = sum(len(area) - (0 in area) for area in areas)
    return matched / max(1, n_objects - matched)
