"""What was done in a session, in order: which steps can be undone, which redone, what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.session.step import Step

if TYPE_CHECKING:
    from napari_sam.segmentation.session.journal_contents import JournalContents
    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["History"]

UNDO = {"kind": "undo"}
REDO = {"kind": "redo"}
"""Entries of a journal."""


class History:
    """Steps of a session.

    Attributes
    ----------
    done : list of Step
        What the labels show, the oldest first.
    undone : list of Step
        What can be redone, the next one last.
    highest : int
        Highest id ever given, also of what was undone.
    rows : dict of int to ObjectRow
        Objects that are there. An automatic run replaces the whole dict, as it may do so while
        somebody else looks at it.
    latest : Step or None
        The last one that was done, undone or redone.
    """

    def __init__(self, highest: int = 0) -> None:
        self.done: list[Step] = []
        self.undone: list[Step] = []
        self.highest = highest
        self.rows: dict[int, ObjectRow] = {}
        self.latest: Step | None = None
        self.latest_kind = ""

    @classmethod
    def read(cls, contents: JournalContents) -> Self:
        """Read the entries of a journal; rows are there after `count_rows`.

        Raises
        ------
        StoreError
            When an entry makes no sense.
        """
        history = cls(contents.header.highest)
        for number, entry in enumerate(contents.entries, start=2):
            try:
                history._read(entry, contents)
            except (InputError, KeyError, TypeError, ValueError, IndexError) as error:
                raise StoreError(
                    f"line {number} of the journal in {contents.folder} cannot be understood "
                    f"({type(error).__name__}: {error}): was it written by a newer version?"
                ) from error
        return history

    def _read(self, entry: dict[str, Any], contents: JournalContents) -> None:
        kind = entry["kind"]
        if kind == "undo":
            self.move(self.done, self.undone)
        elif kind == "redo":
            self.move(self.undone, self.done)
        else:
            self.push(Step.from_json(entry, contents.folder))
        self.latest_kind = kind

    def push(self, step: Step) -> None:
        """Take up a new step; what was undone can no longer be redone."""
        self.done.append(step)
        self.undone.clear()
        self.highest = max(self.highest, step.highest)
        self.latest, self.latest_kind = step, step.kind

    def move(self, source: list[Step], target: list[Step]) -> None:
        """Move a step from `done` to `undone`, or back."""
        self.latest = source.pop()
        self.latest_kind = "undo" if target is self.undone else "redo"
        target.append(self.latest)

    def count_rows(self) -> None:
        """Find out which objects are there from the steps that are done."""
        self.rows = {}
        for step in self.done:
            self.add_rows(step)

    def add_rows(self, step: Step) -> None:
        """Give the rows that a step gives."""
        if step.run is not None:
            painted = step.run.painted
            self.rows = {**self.rows, **(painted.rows(step.run.model) if painted else {})}
            return
        self._exchange(step.before, step.after)

    def take_rows(self, step: Step) -> None:
        """Take back the rows that a step gave."""
        if step.run is not None:
            gone = set(step.run.ids)
            self.rows = {number: row for number, row in self.rows.items() if number not in gone}
            return
        self._exchange(step.after, step.before)

    def _exchange(self, gone: tuple[ObjectRow, ...], come: tuple[ObjectRow, ...]) -> None:
        for row in gone:
            self.rows.pop(row.id, None)
        self.rows.update((row.id, row) for row in come)
