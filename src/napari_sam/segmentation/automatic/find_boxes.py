"""From the boxes of a detector to recorded masks: one mask for each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.automatic.enlarge import enlarge
from napari_sam.segmentation.automatic.find_masks import FoundTile
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.prompt import Prompt
from napari_sam.segmentation.sampling import choose_sampling, window_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam.images.tiles import TileIndex
    from napari_sam.segmentation.automatic.detector_boxes import DetectorBoxes
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.candidates import Candidate
    from napari_sam.segmentation.predict import Segmenter

    Place = tuple[float, TileIndex]

__all__ = ["boxes_by_tile", "find_by_boxes"]

TOGETHER = 32
"""Boxes answered at once: two full batches of the decoder, and 8 MB of logits."""


def boxes_by_tile(
    segmenter: Segmenter, boxes: DetectorBoxes, plane: tuple[int, ...]
) -> dict[Place, list[int]]:
    """Put the boxes of a plane to the tiles that answer them, in the order of the tiles.

    Returns
    -------
    dict of (sampling, TileIndex) to list of int
        Numbers of the boxes.
    """
    config, plane_shape = segmenter.model.config, segmenter.image.plane_shape
    groups: defaultdict[Place, list[int]] = defaultdict(list)
    for number in np.flatnonzero((boxes.planes == plane).all(axis=1)).tolist():
        prompt = Prompt(box=boxes.boxes[number])
        sampling = choose_sampling(prompt, config.image_size, segmenter.usual_sampling)
        window = window_for(prompt, plane_shape, sampling, config)
        y0, x0, y1, x1 = boxes.boxes[number].tolist()
        grid = segmenter.store.grid(window.sampling[0])
        groups[grid.sampling, grid.tile_at(((y0 + y1) / 2, (x0 + x1) / 2))].append(number)
    return dict(sorted(groups.items()))


def find_by_boxes(
    segmenter: Segmenter, records: Records, boxes: DetectorBoxes, plane: tuple[int, ...]
) -> Iterator[FoundTile]:
    """Find the mask of each box in a plane and record it; what is recorded is not done again.

    An object that a tile would cut is looked at again, as for any prompt.

    Yields
    ------
    FoundTile
        After each tile with boxes.

    Raises
    ------
    InputError
        When the model was not trained for boxes, or the image holds values that are not finite.
    StoreError
        When the records cannot be written or read.
    """
    groups = boxes_by_tile(segmenter, boxes, plane)
    for (sampling, tile), numbers in groups.items():
        record = None
        if records.has(plane, sampling, tile):
            record = records.get(plane, sampling, tile)
        if record is not None:
            yield FoundTile(record.found, len(groups))
            continue
        parts = []
        for start in range(0, len(numbers), TOGETHER):
            some = numbers[start : start + TOGETHER]
            prompts = [Prompt(box=boxes.boxes[number], plane=plane) for number in some]
            answers = segmenter.predict_many(prompts)
            for number, prompt, candidates in zip(some, prompts, answers, strict=True):
                parts.append(_found(candidates[0], number, prompt, sampling, tile))
        found = FoundMasks.together(parts)
        records.add(plane, sampling, tile, found)
        yield FoundTile(found, len(groups), asked=len(numbers), is_new=True)


def _found(
    candidate: Candidate, number: int, prompt: Prompt, sampling: float, tile: TileIndex
) -> FoundMasks:
    """One row, or none of an empty mask."""
    drawn = enlarge(candidate.logits, candidate.window, candidate.candidates.plane_shape)
    if drawn is None:
        return FoundMasks.empty()
    rles = np.empty(1, np.object_)
    rles[0] = drawn.rle
    y0, x0, y1, x1 = prompt.box
    return FoundMasks(
        boxes=np.array([drawn.box], np.int64),
        rles=rles,
        scores=np.array([candidate.score], np.float32),
        stability=np.array([candidate.stability], np.float32),
        areas=np.array([drawn.area]),
        points=np.array([((y0 + y1) / 2, (x0 + x1) / 2)]),
        prompts=np.array([number]),
        tokens=np.zeros(1, np.uint8),
        samplings=np.array([sampling]),
        tiles=np.array([tile], np.int64),
    )
