"""An automatic run, step by step: find the masks of a plane, make them objects, then the next."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.segmentation.automatic.find_boxes import boxes_by_tile, find_by_boxes
from napari_sam.segmentation.automatic.find_masks import find_by_grid, tiles_of
from napari_sam.segmentation.automatic.merge import Batch, ResolvedObjects, resolve
from napari_sam.segmentation.automatic.objects_table import ObjectRows
from napari_sam.segmentation.automatic.result import Labelling, SegmentResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from napari_sam.segmentation.automatic.detector_boxes import DetectorBoxes
    from napari_sam.segmentation.automatic.find_masks import FoundTile, OnPoints
    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.automatic.output import LabelTarget
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.automatic.settings import AutomaticSettings
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.regions import Region

__all__ = ["SegmentProgress", "SegmentRun"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentProgress:
    """Where an automatic run stands.

    Attributes
    ----------
    stage : "find", "label" or "done"
        Tiles are looked at, plane by plane; then their objects become labels.
    plane : tuple of int
    done, total : int
        Tiles that are recorded, of those that are known to be needed; there are more where objects
        turn out larger than a tile.
    objects : int
        Objects so far; while tiles are looked at an estimate, as they are not merged yet.
    masks : int
        Masks found so far, all of what is recorded.
    asked, skipped : int
        Prompts that this run has decoded, and those that it needed not decode.
    new : int
        Tiles that this run has looked at; the others were recorded before.
    seconds : float
        Since this run began.
    latest : ResolvedObjects, optional
        Objects of the tile just finished, before they are merged with those of others.
    box : (y0, x0, y1, x1), optional
        Part of the labels that was just written.
    result : SegmentResult, optional
        In the last report.
    """

    stage: Literal["find", "label", "done"]
    plane: tuple[int, ...]
    done: int
    total: int
    objects: int
    masks: int
    asked: int
    skipped: int
    new: int
    seconds: float
    latest: ResolvedObjects | None = None
    box: Box | None = None
    result: SegmentResult | None = None

    @property
    def rate(self) -> float:
        """Tiles per second of this run, 0 before the first."""
        return self.new / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the last tile is done; None before the first."""
        return (self.total - self.done) / self.rate if self.new else None


@dataclass(slots=True, kw_only=True)
class SegmentRun:
    """An automatic run, everything checked."""

    segmenter: Segmenter
    settings: AutomaticSettings
    rules: MergeRules
    region: Region
    boxes: DetectorBoxes | None
    planes: list[tuple[int, ...]]
    records: Records
    on_points: OnPoints | None = None
    _tiles: list[int] = field(init=False, default_factory=list)  # of each plane, as far as known
    _begin: float = field(init=False, default=0.0)

    def find(self) -> Iterator[SegmentProgress]:
        """Record masks only; see `napari_sam.segmentation.automatic.segment.find_progress`."""
        now = self._start()
        yield now
        for index in range(len(self.planes)):
            for step in self._find_plane(index, now):
                now = step
                yield now
        yield replace(now, stage="done", seconds=time.monotonic() - self._begin, latest=None)

    def label(self, target: LabelTarget) -> Iterator[SegmentProgress]:
        """Make labels; see `napari_sam.segmentation.automatic.segment.segment_progress`."""
        image = self.segmenter.image
        leading = "".join(image.axes.names[axis].lower() for axis in image.axes.leading)
        rows = ObjectRows(leading, of_boxes=self.boxes is not None)
        labelling = Labelling(self.records, self.rules, target, rows)
        now = self._start()
        yield now
        for index, plane in enumerate(self.planes):
            new = now.new
            for step in self._find_plane(index, now):
                now, box = step, None
                if now.new > new and now.latest is not None:
                    box = labelling.preview(plane, now.latest)
                new = now.new
                yield replace(now, box=box)
            for painted in labelling.paint(plane):
                seconds = time.monotonic() - self._begin
                now = replace(now, stage="label", plane=plane, box=painted.box, latest=None)
                yield replace(now, seconds=seconds)
            now = replace(now, objects=len(rows), box=None)
        result = labelling.finish(image, self.planes)
        seconds = time.monotonic() - self._begin
        yield replace(now, stage="done", objects=len(rows), seconds=seconds, result=result)

    def _start(self) -> SegmentProgress:
        self._begin = time.monotonic()
        self._tiles = self._expected()
        return SegmentProgress(
            stage="find",
            plane=self.planes[0] if self.planes else (),
            done=0,
            total=sum(self._tiles),
            objects=0,
            masks=0,
            asked=0,
            skipped=0,
            new=0,
            seconds=0.0,
        )

    def _find_plane(self, index: int, now: SegmentProgress) -> Iterator[SegmentProgress]:
        """Record the tiles of a plane."""
        plane = self.planes[index]
        for tile in self._find(plane):
            self._tiles[index] = tile.total
            latest = self._objects_of(tile)
            now = replace(
                now,
                stage="find",
                plane=plane,
                done=now.done + 1,
                total=sum(self._tiles),
                objects=now.objects + _own(latest, tile),
                masks=now.masks + len(tile.found),
                asked=now.asked + tile.asked,
                skipped=now.skipped + tile.skipped,
                new=now.new + tile.is_new,
                seconds=time.monotonic() - self._begin,
                latest=latest,
            )
            yield now

    def _expected(self) -> list[int]:
        """Tiles of each plane, as far as is known before."""
        segmenter = self.segmenter
        if self.boxes is not None:
            return [len(boxes_by_tile(segmenter, self.boxes, plane)) for plane in self.planes]
        config, sampling = segmenter.model.config, segmenter.usual_sampling
        spacing = self.settings.spacing(sampling, config.image_size, segmenter.diameter)
        tiles = tiles_of(segmenter.store.grid(sampling), self.region, spacing)
        return [len(tiles)] * len(self.planes)

    def _find(self, plane: tuple[int, ...]) -> Iterator[FoundTile]:
        if self.boxes is not None:
            return find_by_boxes(self.segmenter, self.records, self.boxes, plane)
        return find_by_grid(
            self.segmenter, self.records, self.settings, plane, self.region, self.on_points
        )

    def _objects_of(self, tile: FoundTile) -> ResolvedObjects:
        batch = Batch(tile.found, math.inf)
        parts = list(resolve([batch], self.rules, self.records.plane_shape))
        return ResolvedObjects.together(parts, self.rules.level)


def _own(objects: ResolvedObjects, tile: FoundTile) -> int:
    """Count objects of a tile that no other one should count: their middle lies in its core."""
    boxes = objects.found.boxes
    if tile.core is None:
        return len(objects)
    middles = (boxes[:, :2] + boxes[:, 2:] - 1) / 2
    inside = (middles >= tile.core[:2]) & (middles < tile.core[2:])
    is_long = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= tile.smallest
    return int(np.count_nonzero(inside.all(axis=1) & is_long))
