"""The objects of a session: added, corrected, looked at, undone and redone, without a model."""

from __future__ import annotations

from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session import object_steps
from napari_sam.segmentation.session.adding import plan_run
from napari_sam.segmentation.session.object_extent import find_object
from napari_sam.segmentation.session.pixel_change import finest_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.automatic.result import SegmentResult
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.journal import Journal
    from napari_sam.segmentation.session.journalled_labels import JournalledLabels
    from napari_sam.segmentation.session.object_row import ObjectRow, State
    from napari_sam.segmentation.session.step import Step

__all__ = ["SessionObjects"]


class SessionObjects:
    """Everything that can be done to objects that are there; `Annotator` also makes new ones.

    Parameters
    ----------
    kept : JournalledLabels
    foreign : int
        Highest id that was in the labels before the session.
    """

    def __init__(self, kept: JournalledLabels, foreign: int) -> None:
        self._kept = kept
        self._foreign = foreign

    @property
    def labels(self) -> Labels:
        """Labels that objects are in."""
        return self._kept.labels

    @property
    def journal(self) -> Journal | None:
        """Where steps are kept; None in memory."""
        return self._kept.journal

    @property
    def rows(self) -> Mapping[int, ObjectRow]:
        """Objects made here, by id. A long step replaces the mapping when it ends."""
        return MappingProxyType(self._kept.history.rows)

    @property
    def is_busy(self) -> bool:
        """Whether a run is being painted or taken back; other steps are refused meanwhile."""
        return self._kept.is_busy

    @property
    def can_undo(self) -> str | None:
        """What `undo` would take back, in few words; None when there is nothing."""
        return _describe(self._kept.history.done)

    @property
    def can_redo(self) -> str | None:
        """What `redo` would do again, in few words; None when there is nothing."""
        return _describe(self._kept.history.undone)

    @property
    def undo_is_long(self) -> bool:
        """Whether `undo` would take a run back, which `undo_steps` does block by block."""
        return _is_run(self._kept.history.done)

    @property
    def redo_is_long(self) -> bool:
        """Whether `redo` would paint a run again, which `redo_steps` does block by block."""
        return _is_run(self._kept.history.undone)

    def next_id(self) -> int:
        """Return an id that was never given, also not to what was undone."""
        given = self._kept.history.highest
        return max(given + 1, self.labels.next_id() if isinstance(self.labels, LabelPyramid) else 1)

    def delete(self, ids: Iterable[int], plane: tuple[int, ...] | None = None) -> Change:
        """Erase objects; parameters and errors as of `merge`."""
        return self._do(object_steps.delete(self.labels, self._find(ids, plane), self.rows))

    def merge(self, ids: Iterable[int], plane: tuple[int, ...] | None = None) -> Change:
        """Make one object of several, under the smallest of their ids.

        Parameters
        ----------
        ids : iterable of int
        plane : tuple of int, optional
            Where to look for objects that were in labels in memory before the session.

        Raises
        ------
        InputError
            When there is no such object, or those to be merged lie in several planes.
        StoreError
            When it cannot be written.
        """
        return self._do(object_steps.merge(self.labels, self._find(ids, plane), self.rows))

    def mark(self, ids: Iterable[int], state: State) -> Change:
        """Say that objects were looked at, or are to be ("new"); errors as of `merge`.

        Where they all were before, there is nothing to undo.
        """
        step = object_steps.mark(self._find(ids, None), state)
        return self._do(step) if step.after else step.change("review")

    def painted(self, plane: tuple[int, ...], box: Box, pixels: npt.NDArray[Any]) -> Change | None:
        """Give a box the pixels that somebody painted by hand.

        Parameters
        ----------
        plane : tuple of int
        box : tuple of int
            ``(y0, x0, y1, x1)``, level-0 pixels, half-open, inside the plane.
        pixels : ndarray of int, shape (y1 - y0, x1 - x0)

        Returns
        -------
        Change or None
            None when nothing differs.

        Raises
        ------
        InputError
            When an object of another plane would be painted on.
        StoreError
            When it cannot be written.
        """
        self._kept.check_ready()
        step = object_steps.paint_over(self.labels, plane, box, pixels, self.rows, self._foreign)
        return None if step is None else self._do(step)

    def add_run(
        self,
        run: SegmentResult | Records | str | os.PathLike[str],
        rules: MergeRules | None = None,
        planes: Sequence[tuple[int, ...]] | None = None,
    ) -> Iterator[Change]:
        """Add the objects of an automatic run as one step, where the labels are 0.

        An object that is there already is left out: one of whose mask others have the part
        `MergeRules.containment`, half of it, or more.

        The journal refers to the records, which must stay as they are; those in memory are
        written into its folder.

        Parameters
        ----------
        run : SegmentResult, Records or path
            Masks that were found.
        rules : MergeRules, optional
            Which of them become objects; the result's own, or the usual ones.
        planes : sequence of tuple of int, optional
            The result's own, or all.

        Yields
        ------
        Change
            After each block; the last one sums up, and the rows are there. Closing the generator
            before takes everything back.

        Raises
        ------
        InputError
            When nothing is found by these rules, or another step goes on.
        StoreError
            When records or labels cannot be read or written; everything is taken back.
        """
        self._kept.check_ready()
        number, folder = self.next_id(), self._kept.folder
        step, objects = plan_run(self.labels, run, rules, planes, number, folder)
        yield from self._kept.do_run(step, objects, self._made_with())

    def undo(self) -> Change | None:
        """Take the last step back; None when there is none. `undo_steps` at once."""
        return _last(self.undo_steps())

    def redo(self) -> Change | None:
        """Do the step again that was undone last; None when there is none. `redo_steps` at once."""
        return _last(self.redo_steps())

    def undo_steps(self) -> Iterator[Change]:
        """Take the last step back, block by block where it is a run.

        Yields
        ------
        Change
            The last one sums up; none at all when there is no step. Closing the generator before
            takes the rest back at once.

        Raises
        ------
        InputError
            When another step goes on.
        StoreError
            When it cannot be written.
        """
        for change in self._kept.undo():
            self._on_change(change)
            yield change

    def redo_steps(self) -> Iterator[Change]:
        """Do the step again that was undone last; yields and raises as `undo_steps`.

        Closing the generator takes back what was done.
        """
        for change in self._kept.redo():
            self._on_change(change)
            yield change

    def object_at(self, plane: tuple[int, ...], y: int, x: int) -> int:
        """Id at a pixel, 0 where there is none or outside.

        Raises
        ------
        StoreError
            When the labels cannot be read.
        """
        array = finest_of(self.labels)
        height, width = array.shape[-2:]
        if not (0 <= y < height and 0 <= x < width):
            return 0
        return int(label_blocks.read(array, plane, (y, x, y + 1, x + 1))[0, 0])

    def close(self) -> None:
        """Let others use the journal; nothing can be changed here afterwards."""
        self._kept.close()

    def _do(self, step: Step) -> Change:
        change = self._kept.do(step, self._made_with())
        self._on_change(change)
        return change

    def _find(self, ids: Iterable[int], plane: tuple[int, ...] | None) -> list[ObjectRow]:
        self._kept.check_ready()
        wanted = list(dict.fromkeys(int(number) for number in ids))
        if not wanted:
            raise InputError("no object was chosen: choose one or more")
        return [find_object(self.labels, each, plane, self.rows) for each in wanted]

    def _made_with(self) -> dict[str, Any]:
        """Model and limits of the next step, see `journal_format.made_with`."""
        return {}

    def _on_change(self, change: Change) -> None:
        """Hear of what was changed, before the caller does."""


def _last(changes: Iterator[Change]) -> Change | None:
    found = deque(changes, maxlen=1)
    return found[0] if found else None


def _describe(steps: list[Step]) -> str | None:
    """Describe the last step; another thread may take it away meanwhile."""
    return next((step.describe() for step in steps[-1:]), None)


def _is_run(steps: list[Step]) -> bool:
    return any(step.run is not None for step in steps[-1:])
