"""Labels that change by steps: each is in the journal before a pixel is touched."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.session.automatic_step import erase_blocks
from napari_sam.segmentation.session.change import Change
from napari_sam.segmentation.session.history import REDO, UNDO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.session.automatic_step import AutomaticStep, Block, RunObjects
    from napari_sam.segmentation.session.change import Kind
    from napari_sam.segmentation.session.history import History
    from napari_sam.segmentation.session.journal import Journal
    from napari_sam.segmentation.session.step import Step

__all__ = ["JournalledLabels"]


class JournalledLabels:
    """Labels, what was done to them, and the journal that says so.

    A step that fails leaves everything as it was. Where even that cannot be written, it is made
    good before the next step.

    Attributes
    ----------
    labels : ndarray or LabelPyramid
    history : History
    journal : Journal or None
    made_with : dict
        Model and limits of the last step, see `journal_format.made_with`.
    is_busy : bool
        Whether a long step goes on; there can be no other one meanwhile.
    """

    def __init__(
        self,
        labels: Labels,
        history: History,
        journal: Journal | None = None,
        made_with: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = labels
        self.history = history
        self.journal = journal
        self.made_with = dict(made_with or {})
        self.is_busy = False
        self._mend: Callable[[], None] | None = None

    @property
    def folder(self) -> Path | None:
        """Folder of the journal; None in memory."""
        return None if self.journal is None else self.journal.folder

    def check_ready(self) -> None:
        """Refuse a step while another one goes on, and make good what could not be written.

        Raises
        ------
        InputError
            When a long step goes on.
        StoreError
            When the labels still cannot be written.
        """
        if self.is_busy:
            raise InputError(
                "objects are being painted or taken back: wait until that is done, or cancel it"
            )
        self._make_good()

    def do(self, step: Step, made_with: Mapping[str, Any]) -> Change:
        """Do a new step that is not a run.

        Parameters
        ----------
        step : Step
        made_with : mapping
            See `journal_format.made_with`.

        Raises
        ------
        InputError, StoreError
            As of `check_ready`, and when journal or labels cannot be written; nothing is changed.
        """
        self.check_ready()
        self._log_step(step, made_with)
        self._swap(step, back=False)
        self.history.push(step)
        self.history.add_rows(step)
        return step.change(step.kind)

    def do_run(
        self, step: Step, objects: RunObjects, made_with: Mapping[str, Any]
    ) -> Iterator[Change]:
        """Do a new step that is a run, block by block; closing the generator takes it back."""
        self.check_ready()
        self._log_step(step, made_with)
        yield from self._paint(step, objects, step.kind)

    def undo(self) -> Iterator[Change]:
        """Take the last step back; closing the generator does not stop it.

        Yields
        ------
        Change
            After each block; the last one sums up. None at all when there is no step.

        Raises
        ------
        InputError, StoreError
            As of `do`.
        """
        self.check_ready()
        if not self.history.done:
            return
        step = self.history.done[-1]
        self._log(UNDO)
        if step.run is not None:
            yield from self._erase(step, step.run)
            return
        self._swap(step, back=True)
        self.history.move(self.history.done, self.history.undone)
        self.history.take_rows(step)
        yield step.change("undo")

    def redo(self) -> Iterator[Change]:
        """Do the step again that was undone last; closing the generator takes it back.

        Yields and raises as `undo` does.
        """
        self.check_ready()
        if not self.history.undone:
            return
        step = self.history.undone[-1]
        objects = None if step.run is None else step.run.objects()
        self._log(REDO)
        if objects is not None:
            yield from self._paint(step, objects, "redo")
            return
        self._swap(step, back=False)
        self.history.move(self.history.undone, self.history.done)
        self.history.add_rows(step)
        yield step.change("redo")

    def close(self) -> None:
        """Let others use the journal."""
        if self.journal is not None:
            self.journal.close()

    def _log_step(self, step: Step, made_with: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        entry = step.to_json(self.folder)
        is_new = bool(made_with) and made_with != self.made_with
        self._log({**entry, "made_with": dict(made_with)} if is_new else entry)
        if is_new:
            self.made_with = dict(made_with)

    def _log(self, entry: Mapping[str, Any]) -> None:
        if self.journal is not None:
            self.journal.append(entry)

    def _withdraw(self) -> None:
        if self.journal is not None:
            self.journal.withdraw()

    def _swap(self, step: Step, *, back: bool) -> None:
        """Make the pixels of a step, or take them back, all of them or none."""
        try:
            step.take_back(self.labels) if back else step.make(self.labels)
        except BaseException:

            def reverse() -> None:
                step.make(self.labels) if back else step.take_back(self.labels)
                self._withdraw()

            self._make_good_now_or_later(reverse)
            raise

    def _paint(self, step: Step, objects: RunObjects, kind: Kind) -> Iterator[Change]:
        run = step.run
        assert run is not None
        begun = 0
        self.is_busy = True
        try:
            for block, total in run.paint(self.labels, objects):
                begun += 1
                yield _of_block(block, begun, total, kind, step)
            if run.painted is None or not len(run.painted):
                raise InputError(
                    "all pixels of what was found belong to other objects: nothing was added"
                )
            if run.done is not None:
                run.painted.save(run.done)
        except BaseException:
            blocks = list(run.blocks(self.labels, objects))[: begun + 1]

            def reverse() -> None:
                _exhaust(erase_blocks(self.labels, blocks, run.first_id, run.last_id))
                self._withdraw()

            self._make_good_now_or_later(reverse)
            raise
        finally:
            self.is_busy = False
        if kind == "redo":
            self.history.move(self.history.undone, self.history.done)
        else:
            self.history.push(step)
        self.history.add_rows(step)
        yield step.change(kind, begun)

    def _erase(self, step: Step, run: AutomaticStep) -> Iterator[Change]:
        blocks = run.painted_blocks(self.labels)
        self.is_busy = True
        try:
            erased = erase_blocks(self.labels, blocks, run.first_id, run.last_id)
            for done, block in enumerate(erased, start=1):
                yield _of_block(block, done, len(blocks), "undo", step)
        except BaseException:

            def finish() -> None:
                _exhaust(erase_blocks(self.labels, blocks, run.first_id, run.last_id))

            self._make_good_now_or_later(finish)
            raise
        finally:
            self.history.move(self.history.done, self.history.undone)
            self.history.take_rows(step)
            self.is_busy = False
        yield step.change("undo", len(blocks))

    def _make_good_now_or_later(self, mend: Callable[[], None]) -> None:
        self._mend = mend
        with contextlib.suppress(StoreError):
            self._make_good()

    def _make_good(self) -> None:
        if self._mend is not None:
            self._mend()
            self._mend = None


def _of_block(block: Block, done: int, blocks: int, kind: Kind, step: Step) -> Change:
    return Change(
        kind=kind,
        of=None if kind == step.kind else step.kind,
        ids=block.ids,
        plane=block.plane,
        box=block.box,
        done=done,
        total=blocks + 1,
    )


def _exhaust(steps: Iterator[object]) -> None:
    for _ in steps:
        pass
