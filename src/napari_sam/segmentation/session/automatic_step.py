"""The objects of an automatic run as one step of a session: painted from records, erased by id."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic.merge import ResolvedObjects
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.paint import paint
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.result import objects_of
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.patch import cover
from napari_sam.segmentation.session.journal_format import relative_to
from napari_sam.segmentation.session.painted_run import PaintedRun
from napari_sam.segmentation.session.pixel_change import find_change, finest_of
from napari_sam.segmentation.session.untaken import untaken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["AutomaticStep", "Block", "RunObjects", "check_room", "erase_blocks"]

RunObjects = dict[tuple[int, ...], list[ResolvedObjects]]
"""Objects of a run by plane."""


class Block(NamedTuple):
    """A part of a plane that a run paints at once, and the objects that show in it."""

    plane: tuple[int, ...]
    box: Box
    ids: tuple[int, ...]


@dataclass(slots=True, eq=False, kw_only=True)
class AutomaticStep:
    """An automatic run: which masks became objects by which rules, and the ids they have.

    No pixels are kept: the masks are in the records, from which the same objects follow.

    Attributes
    ----------
    records : Records or Path
        Masks that were found, in memory, or the folder where they are.
    rules : MergeRules
    planes : tuple of tuple of int
    model : str
        Name of the model that found the masks.
    first_id : int
        Id of the first object; the others follow without gaps.
    count : int
        Number of objects.
    done : Path or None
        File that is there when all objects are painted, and says what shows of them; None in
        memory.
    painted : PaintedRun or None
        What is in that file; None until it is there.
    """

    records: Records | Path
    rules: MergeRules
    planes: tuple[tuple[int, ...], ...]
    model: str
    first_id: int
    count: int
    done: Path | None = None
    painted: PaintedRun | None = None

    @property
    def last_id(self) -> int:
        """Id of the last object."""
        return self.first_id + self.count - 1

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the objects that show somewhere; none until they are painted."""
        return () if self.painted is None else tuple(self.painted.ids.tolist())

    def open_records(self) -> Records:
        """Open the records.

        Raises
        ------
        StoreError
            When they are not there any more.
        """
        return Records.open(self.records) if isinstance(self.records, Path) else self.records

    def objects(self) -> RunObjects:
        """Decide which masks become objects; errors as of `open_records`."""
        records, first, objects = self.open_records(), self.first_id, RunObjects()
        for plane in self.planes:
            parts = [part for part in objects_of(records, self.rules, plane, first) if len(part)]
            first += sum(map(len, parts))
            objects[plane] = parts
        return objects

    def paint(self, labels: Labels, objects: RunObjects) -> Iterator[tuple[Block, int]]:
        """Paint the objects where the labels are 0, and say in the end what shows of them.

        Those that are there already for the most part are left out, see `untaken`.

        Yields
        ------
        block : Block
        total : int
            Number of blocks.

        Raises
        ------
        InputError, StoreError
            As of `napari_sam.segmentation.automatic.paint.paint`, and when other objects come out
            than the last time.
        """
        finest = finest_of(labels)
        boxes = {plane: _cover(parts) for plane, parts in objects.items() if parts}
        total = sum(len(list(label_blocks.blocks(finest, box))) for box in boxes.values())
        blocks, areas = [], defaultdict[int, int](int)
        for plane, box in boxes.items():
            free = untaken(objects[plane], finest, plane, self.first_id, self.rules.containment)
            steps = paint(free, labels, plane, box, self.first_id)
            for step in steps:
                for number, area in zip(step.ids.tolist(), step.areas.tolist(), strict=True):
                    areas[number] += area
                block = Block(plane, step.box, tuple(step.ids.tolist()))
                if block.ids:
                    blocks.append(block)
                yield block, total
        of_boxes = "boxes" in self.open_records().finding
        painted = PaintedRun.gather(objects, areas, blocks, of_boxes=of_boxes)
        if self.painted is not None and not self.painted.is_same(painted):
            raise StoreError(
                f"the masks in {self.records} are not those that this run had: put them back as "
                "they were"
            )
        self.painted = painted

    def blocks(self, labels: Labels, objects: RunObjects) -> Iterator[Block]:
        """List the blocks that `paint` goes through."""
        finest = finest_of(labels)
        for plane, parts in objects.items():
            if parts:
                for box in label_blocks.blocks(finest, _cover(parts)):
                    yield Block(plane, box, ())

    def places(self) -> list[tuple[tuple[int, ...], Box]]:
        """List the planes and boxes of the blocks where objects show, once they are painted."""
        if self.painted is None:
            return []
        planes, boxes = self.painted.block_planes.tolist(), self.painted.block_boxes.tolist()
        return [(tuple(plane), tuple(box)) for plane, box in zip(planes, boxes, strict=True)]

    def painted_blocks(self, labels: Labels) -> list[Block]:
        """List the blocks that may show objects; errors as of `objects`."""
        if self.painted is None:
            return list(self.blocks(labels, self.objects()))
        return [Block(plane, box, ()) for plane, box in self.places()]

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Entry of a journal in a folder; see ``docs/journal.md``."""
        assert isinstance(self.records, Path)  # a journal's records are on disk
        assert self.done is not None
        rules = {
            name: None if value == math.inf else value for name, value in asdict(self.rules).items()
        }
        return {
            "records": relative_to(self.records, folder),
            "done": relative_to(self.done, folder),
            "rules": rules,
            "planes": [list(plane) for plane in self.planes],
            "model": self.model,
            "first_id": self.first_id,
            "count": self.count,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], folder: Path) -> Self:
        """Read what `to_json` gave.

        Raises
        ------
        InputError, KeyError, TypeError, ValueError
            When these are not its values.
        """
        known = {field.name for field in fields(MergeRules)}
        rules: dict[str, Any] = {
            name: math.inf if value is None else value
            for name, value in values["rules"].items()
            if name in known
        }
        done = folder / values["done"]
        return cls(
            records=folder / values["records"],
            rules=MergeRules(**rules),
            planes=tuple(tuple(plane) for plane in values["planes"]),
            model=values["model"],
            first_id=int(values["first_id"]),
            count=int(values["count"]),
            done=done,
            painted=PaintedRun.load(done),
        )


def erase_blocks(
    labels: Labels, blocks: list[Block], first_id: int, last_id: int
) -> Iterator[Block]:
    """Set the pixels of ids from first to last to 0, block by block.

    Raises
    ------
    StoreError
        When the labels cannot be read or written.
    """

    def without(_: Box, present: npt.NDArray[Any]) -> npt.NDArray[Any]:
        ours = (present >= first_id) & (present <= last_id)
        return np.where(ours, np.zeros((), present.dtype), present)

    for block in blocks:
        change = find_change(labels, block.plane, block.box, without)
        if change is not None:
            change.make(labels)
        yield block


def check_room(labels: Labels, last_id: int) -> None:
    """Refuse ids that the type of the labels does not hold.

    Raises
    ------
    InputError
    """
    dtype = finest_of(labels).dtype
    largest = int(np.iinfo(dtype).max)
    if last_id > largest:
        raise InputError(
            f"ids up to {last_id} are needed, but labels of type {dtype} hold those up to "
            f"{largest} only: use a larger type, for example uint32"
        )


def _cover(parts: list[ResolvedObjects]) -> Box:
    return cover(cover(map(tuple, part.found.boxes.tolist())) for part in parts)
