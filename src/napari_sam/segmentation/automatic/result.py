"""From recorded masks to labels and a table, and what an automatic run gives back."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.segmentation.automatic.coco import CocoMasks
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge import Batch, ResolvedObjects, resolve
from napari_sam.segmentation.automatic.objects_table import ObjectRows
from napari_sam.segmentation.automatic.output import LabelTarget
from napari_sam.segmentation.automatic.paint import draw_labels, paint
from napari_sam.segmentation.automatic.seam_audit import audit_seams
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.patch import Patch
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.automatic.paint import Painted
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["Labelling", "SegmentResult", "objects_in", "objects_of", "run_key"]


def objects_of(
    records: Records,
    rules: MergeRules,
    plane: tuple[int, ...],
    first_id: int = 1,
    region: Box | None = None,
) -> Iterator[ResolvedObjects]:
    """Resolve the recorded masks of a plane; see `merge.resolve`."""
    if "boxes" in records.finding:
        # A box may be answered beyond its tile, so tiles say nothing about where masks lie.
        found = FoundMasks.together([batch.found for batch in records.batches(plane)])
        return resolve([Batch(found, math.inf)], rules, records.plane_shape, first_id)
    return resolve(records.batches(plane, region), rules, records.plane_shape, first_id)


def objects_in(
    records: Records, rules: MergeRules, plane: tuple[int, ...], box: Box
) -> ResolvedObjects:
    """Objects of a part of a plane, decided by the masks that meet it.

    Parameters
    ----------
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    """
    parts = list(objects_of(records, rules, plane, region=box))
    return ResolvedObjects.together(parts, rules.level)


@dataclass(slots=True, eq=False)
class Labelling:
    """Objects on their way into labels, plane after plane.

    Attributes
    ----------
    records : Records
    rules : MergeRules
    target : LabelTarget
    rows : ObjectRows
        What is known of the objects so far.
    seams : list of int
        Ids of objects that end straight along a line between tiles.
    previewed : int
        Objects that were shown before they were merged.
    """

    records: Records
    rules: MergeRules
    target: LabelTarget
    rows: ObjectRows
    seams: list[int] = field(default_factory=list)
    previewed: int = 0

    def paint(self, plane: tuple[int, ...]) -> Iterator[Painted]:
        """Resolve a plane, paint its objects, and look for seams.

        Yields
        ------
        Painted
            After each block.
        """
        first, samplings = self.target.first_id, set[float]()
        region = self.records.bounds(plane)  # of a huge plane only a part may have been looked at
        if region is None:
            return

        def measured() -> Iterator[ResolvedObjects]:
            objects = objects_of(self.records, self.rules, plane, first + len(self.rows))
            for part in objects:
                self.rows.add(plane, part.ids, part.found)
                samplings.update(part.found.samplings.tolist())
                yield part

        for painted in paint(measured(), self.target.labels, plane, region, first):
            self.rows.show(painted.ids, painted.areas)
            yield painted
        cut = set[int]()
        for sampling in sorted(samplings):
            cut.update(audit_seams(self.target.labels, self.records.grid(sampling), plane, region))
        self.seams += sorted(number for number in cut if number >= first)

    def preview(self, plane: tuple[int, ...], objects: ResolvedObjects) -> Box | None:
        """Show the objects of a tile in labels on disk, until `paint` shows what became of them.

        Parameters
        ----------
        plane : tuple of int
        objects : ResolvedObjects
            Of the tile, with ids from 1 on.

        Returns
        -------
        tuple of int or None
            Where they lie, ``(y0, x0, y1, x1)``; None when they are not shown.
        """
        labels = self.target.labels
        if self.target.marker is None or not isinstance(labels, LabelPyramid) or not len(objects):
            return None
        (y0, x0), (y1, x1) = (
            objects.found.boxes[:, :2].min(axis=0).tolist(),
            objects.found.boxes[:, 2:].max(axis=0).tolist(),
        )
        shift = self.target.first_id - 1 + self.previewed
        self.previewed += len(objects)
        for box in label_blocks.blocks(labels.levels[0], (y0, x0, y1, x1)):
            drawn = draw_labels(objects, box)
            free = (drawn > 0) & (label_blocks.read(labels.levels[0], plane, box) == 0)
            if free.any():
                labels.write(plane, [Patch.pack(box, free, drawn[free] + shift)])
        return y0, x0, y1, x1

    def finish(self, image: ImageSource, planes: Sequence[tuple[int, ...]]) -> SegmentResult:
        """Say that all planes are painted."""
        self.target.finish()
        return SegmentResult(
            labels=self.target.labels,
            planes=tuple(planes),
            seams=tuple(self.seams),
            records=self.records,
            rules=self.rules,
            image=image,
            _rows=self.rows,
            _first_id=self.target.first_id,
        )


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """What an automatic run has made.

    Attributes
    ----------
    labels : ndarray or LabelPyramid of int, shape (..., y, x)
        Ids of the objects, 0 between them.
    planes : tuple of tuple of int
        Planes that were segmented.
    seams : tuple of int
        Ids of objects that end straight along a line between tiles; none when tiles cut nothing.
    records : Records
        Everything that was found, from which other rules make other labels.
    rules : MergeRules
        Which masks became objects.
    image : ImageSource
    """

    labels: Labels
    planes: tuple[tuple[int, ...], ...]
    seams: tuple[int, ...]
    records: Records
    rules: MergeRules
    image: ImageSource
    _rows: ObjectRows
    _first_id: int

    def __repr__(self) -> str:
        return f"<{len(self)} object(s) in {len(self.planes)} plane(s)>"

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def objects(self) -> pd.DataFrame:
        """Scores, measures and place of every object; see `ObjectRows.frame`."""
        return self._rows.frame()

    def masks(self) -> Iterator[CocoMasks]:
        """Masks of all objects, in parts, plane after plane: for `write_coco`."""
        first, name = self._first_id, Path(self.image.name).name
        for plane in self.planes:
            for part in objects_of(self.records, self.rules, plane, first):
                first += len(part)
                shape = self.records.plane_shape
                yield CocoMasks(plane, shape, name, part.ids, part.found)

    def view(
        self, box: Box, rules: MergeRules | None = None, plane: tuple[int, ...] = ()
    ) -> npt.NDArray[np.int64]:
        """Labels of a part of a plane under other rules, in memory and at once.

        Parameters
        ----------
        box : tuple of int
            ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
        rules : MergeRules, optional
            Those of the result when not given.
        plane : tuple of int

        Returns
        -------
        ndarray of int64, shape (y1 - y0, x1 - x0)
            Objects numbered from 1 on as they come here, not as in `labels`.
        """
        plane = self.image.check_plane(plane)
        return draw_labels(objects_in(self.records, rules or self.rules, plane, box), box)

    def again(self, rules: MergeRules, out: Any = None) -> SegmentResult:
        """Make labels of the same masks under other rules; the model is not asked.

        Parameters
        ----------
        rules : MergeRules
            No looser than what was recorded, see `AutomaticSettings`.
        out : None, path, array or LabelPyramid
            As of `Segmenter.segment`.

        Raises
        ------
        InputError, StoreError
            As of `Segmenter.segment`.
        """
        key = run_key(self.records, rules, self.planes)
        rows = ObjectRows(self._rows.leading, self._rows.of_boxes)
        target = LabelTarget.open(out, self.image, key)
        labelling = Labelling(self.records, rules, target, rows)
        for plane in self.planes:
            deque(labelling.paint(plane), maxlen=0)
        return labelling.finish(self.image, self.planes)


def run_key(records: Records, rules: MergeRules, planes: Sequence[tuple[int, ...]]) -> str:
    """Digest of all that labels follow from: runs with the same one make the same labels."""
    made_from = [asdict(records.identity), records.finding, asdict(rules), list(planes)]
    return hashlib.sha256(json.dumps(made_from, default=str).encode()).hexdigest()
