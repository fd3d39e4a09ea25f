"""One step of a session: all that is needed to undo it, to do it again and to write it down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from napari_sam.segmentation.labels.patch import cover
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.automatic_step import AutomaticStep
from napari_sam.segmentation.session.change import Change
from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.segmentation.session.pixel_change import PixelChange

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.session.change import Kind, StepKind

__all__ = ["Step"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Step:
    """A step that was done, or is to be.

    Attributes
    ----------
    kind : str
    ids : tuple of int
        Objects that it is about; of an automatic run known only when it is painted.
    before, after : tuple of ObjectRow
        Rows that it takes away and rows that it gives.
    pixels : tuple of PixelChange
    run : AutomaticStep, optional
        Of an automatic run, instead of pixels and rows.
    """

    kind: StepKind
    ids: tuple[int, ...] = ()
    before: tuple[ObjectRow, ...] = ()
    after: tuple[ObjectRow, ...] = ()
    pixels: tuple[PixelChange, ...] = ()
    run: AutomaticStep | None = None

    @property
    def highest(self) -> int:
        """Highest id that it gives, 0 when it gives none."""
        if self.run is not None:
            return self.run.last_id
        return max((row.id for row in self.after), default=0)

    def change(self, kind: Kind, blocks: int = 0) -> Change:
        """Say what it did, or what taking it back did, perhaps after as many changes of blocks."""
        places: list[tuple[tuple[int, ...], Box]] = []
        planes = {row.plane for row in (*self.before, *self.after)}
        ids = self.ids
        if self.run is not None:
            ids = self.run.ids
            places = self.run.places()
        elif self.pixels:
            places = [(change.plane, change.bounds) for change in self.pixels]
        planes.update(plane for plane, _ in places)
        return Change(
            kind=kind,
            of=None if kind == self.kind else self.kind,
            ids=ids,
            plane=planes.pop() if len(planes) == 1 else None,
            box=cover(box for _, box in places) if places else None,
            done=blocks + 1,
            total=blocks + 1,
        )

    def make(self, labels: Labels) -> None:
        """Make the pixels of a step that is not a run.

        Raises
        ------
        StoreError
            When the labels cannot be written.
        """
        if isinstance(labels, LabelPyramid):
            labels.reserve(self.highest)
        for change in self.pixels:
            change.make(labels)

    def take_back(self, labels: Labels) -> None:
        """Give the pixels what they held before; errors as of `make`."""
        for change in reversed(self.pixels):
            change.take_back(labels)

    def describe(self) -> str:
        """Say in few words what it is, for a tooltip."""
        if self.run is not None:
            return f"the automatic run ({_count(self.run.count)})"
        what = f"object {self.ids[0]}" if len(self.ids) == 1 else _count(len(self.ids))
        words = {
            "accept": "{}",
            "refine": "the new shape of {}",
            "delete": "the deletion of {}",
            "merge": "the merging of {}",
            "painted": "what was painted by hand",
            "review": "the review of {}",
        }
        return words[self.kind].format(what)

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Entry of a journal; see ``docs/journal.md``.

        Parameters
        ----------
        folder : Path
            The journal's.
        """
        if self.run is not None:
            return {"kind": self.kind, "run": self.run.to_json(folder)}
        return {
            "kind": self.kind,
            "ids": list(self.ids),
            "before": [row.to_json() for row in self.before],
            "after": [row.to_json() for row in self.after],
            "pixels": [change.to_json() for change in self.pixels],
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], folder: Path) -> Self:
        """Read what `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            When this is not an entry of a step.
        """
        if "run" in entry:
            return cls(kind=entry["kind"], run=AutomaticStep.from_json(entry["run"], folder))
        return cls(
            kind=entry["kind"],
            ids=tuple(entry["ids"]),
            before=tuple(map(ObjectRow.from_json, entry["before"])),
            after=tuple(map(ObjectRow.from_json, entry["after"])),
            pixels=tuple(map(PixelChange.from_json, entry["pixels"])),
        )


def _count(objects: int) -> str:
    return f"{objects:,} object" + ("" if objects == 1 else "s")
