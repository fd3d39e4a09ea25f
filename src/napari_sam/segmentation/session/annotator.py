"""One annotation session without a GUI: prompt, choose, accept, correct, undo, segment everything.

A widget shows what this holds and calls it; a script can do the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic.output import fits_memory
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.edits import next_id
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.prompt import MaskRegion, Prompt
from napari_sam.segmentation.session import object_steps
from napari_sam.segmentation.session.history import History
from napari_sam.segmentation.session.journal import Journal
from napari_sam.segmentation.session.journal_format import (
    LABELS_FOLDER,
    ImageIdentity,
    made_with,
)
from napari_sam.segmentation.session.journalled_labels import JournalledLabels
from napari_sam.segmentation.session.object_extent import find_object
from napari_sam.segmentation.session.objects import SessionObjects
from napari_sam.segmentation.session.pixel_change import finest_of
from napari_sam.segmentation.session.replay import keep_painted, make_all, make_latest, start_array

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["Annotator"]

MOST_REFINED = 2**28
"""Pixels of the box of an object up to which its mask is a prompt."""


class Annotator(SessionObjects):
    """Turns prompts on an image into objects of labels, and keeps every step.

    Everything that changes the labels is one step: on the disk before a pixel is touched, and
    undone and redone in turn. What raises has changed nothing. Use `begin` for a new session with
    a journal, `reopen` to go on with one of before.

    Parameters
    ----------
    segmenter : Segmenter or None
        None where nothing is asked of a model.
    labels : ndarray or LabelPyramid of int
        Shape of the image without its channel axis; changed in place.
    journal : Journal, optional
        Of these labels, see `Journal.create`. Steps are kept in memory only when not given.

    Attributes
    ----------
    candidates : Candidates or None
        For the present prompt.
    chosen : int or None
        Which of them; the best to begin with.
    refining : int or None
        Id of the object that the next accepted candidate replaces.

    Raises
    ------
    InputError, InputTypeError
        When the labels do not fit the image, or hold no whole numbers.
    """

    def __init__(
        self, segmenter: Segmenter | None, labels: Labels, journal: Journal | None = None
    ) -> None:
        if segmenter is not None:
            _check_shape(segmenter, labels)
        if np.dtype(labels.dtype).kind not in "ui":
            raise InputTypeError(f"labels hold {labels.dtype}: expected whole numbers, like uint32")
        foreign = next_id(labels) - 1 if journal is None else journal.header.highest
        known = {} if journal is None else journal.header.made_with
        super().__init__(JournalledLabels(labels, History(foreign), journal, known), foreign)
        self.segmenter = segmenter
        self.candidates: Candidates | None = None
        self.chosen: int | None = None
        self.refining: int | None = None
        self._refined: ObjectRow | None = None
        self._prompt: Prompt | None = None

    @classmethod
    def begin(cls, folder: str | os.PathLike[str], segmenter: Segmenter) -> Self:
        """Begin a session with an image: labels without objects, and their journal.

        Labels are an array; those of an image too large for memory are on disk, in the folder.

        Parameters
        ----------
        folder : path
            New, or without a session.
        segmenter : Segmenter

        Raises
        ------
        InputError
            When there is a session already.
        StoreError
            When the folder cannot be written, or another process uses it.
        """
        folder, image = Path(folder), segmenter.image
        shape = image.planes + image.plane_shape
        labels: Labels
        if fits_memory(shape):
            labels = np.zeros(shape, np.uint32)
        else:
            labels = LabelPyramid.create(folder / LABELS_FOLDER, shape)
        journal = Journal.create(
            folder, labels, ImageIdentity.of(image), made_with(segmenter), are_empty=True
        )
        return cls(segmenter, labels, journal)

    @classmethod
    def reopen(
        cls,
        folder: str | os.PathLike[str],
        labels: npt.NDArray[Any] | None = None,
        segmenter: Segmenter | None = None,
    ) -> Self:
        """Go on with a session, also after a crash: labels, undo and redo are as they were.

        Parameters
        ----------
        folder : path
            Of the journal.
        labels : ndarray, optional
            Array that gets the labels of a session in memory; a new one when not given. Labels
            on disk are opened where they are.
        segmenter : Segmenter, optional
            For new prompts.

        Raises
        ------
        InputError
            When array or image do not fit the session.
        StoreError
            When the journal, the labels or the records of a run are missing or damaged, another
            process uses them, or they cannot be written.
        """
        journal, contents = Journal.open(folder)
        try:
            history = History.read(contents)
            if contents.labels_path is None:
                opened: Labels = start_array(contents, labels)
                make_all(history, opened)
                for step in history.done:
                    if step.run is not None:
                        keep_painted(step.run)
            else:
                opened = LabelPyramid.open(contents.labels_path)
                make_latest(history, opened)
            history.count_rows()
            annotator = cls(segmenter, opened, journal)
        except BaseException:
            journal.close()
            raise
        annotator._foreign = contents.header.highest
        annotator._kept = JournalledLabels(opened, history, journal, contents.made_with)
        return annotator

    def prompt(self, prompt: Prompt) -> Candidates:
        """Predict the candidates of a prompt and choose the best; errors as of `Segmenter`."""
        if self.segmenter is None:
            raise InputError("there is no model to ask: open the session with a segmenter")
        return self.show(self.segmenter.predict_many([prompt])[0], prompt)

    def show(self, candidates: Candidates, prompt: Prompt | None = None) -> Candidates:
        """Take candidates that were predicted elsewhere, in a worker for example.

        Parameters
        ----------
        candidates : Candidates
        prompt : Prompt, optional
            What they answer; it is kept with the object.
        """
        self.candidates, self.chosen, self._prompt = candidates, 0, prompt
        return candidates

    def choose(self, index: int) -> None:
        """Choose a candidate, 0 for the best.

        Raises
        ------
        InputError
            When there is no such candidate.
        """
        count = len(self.candidates) if self.candidates is not None else 0
        if not 0 <= index < count:
            raise InputError(f"candidate {index + 1} was chosen, but there are {count}")
        self.chosen = index

    def clear(self) -> None:
        """Forget the present prompt and its candidates, and which object is refined."""
        self.candidates = self.chosen = self._prompt = None
        self.refining = self._refined = None

    def accept(self) -> Change:
        """Make the chosen candidate an object and end the prompt.

        It gets the next free id and the pixels that are 0; where an object is refined, that
        object's id and also its pixels, and those of its own that are left over become 0.

        Raises
        ------
        InputError
            When there is no candidate, or nothing of it is left to paint.
        StoreError
            When it cannot be written; the candidates stay.
        """
        candidate = self._candidate()
        self._kept.check_ready()
        model = "" if self.segmenter is None else self.segmenter.model.name
        if self._refined is None:
            number = self.next_id()
            step = object_steps.accept(self.labels, candidate, number, self._prompt, model)
        else:
            step = object_steps.refine(
                self.labels, candidate, self._refined, self._prompt, model, self.rows
            )
        change = self._kept.do(step, self._made_with())
        self.clear()
        return change

    def refine(self, number: int, plane: tuple[int, ...] | None = None) -> Prompt:
        """Open an object again: the next candidate that is accepted replaces it.

        Parameters
        ----------
        number : int
            Its id.
        plane : tuple of int, optional
            Where to look for an object that was in labels in memory before the session.

        Returns
        -------
        Prompt
            Its mask, to which points may be added.

        Raises
        ------
        InputError
            When there is no such object, or it is too large for a mask prompt.
        """
        row = find_object(self.labels, number, plane, self.rows)
        y0, x0, y1, x1 = row.box
        if (y1 - y0) * (x1 - x0) > MOST_REFINED:
            raise InputError(
                f"object {number} is {y1 - y0} x {x1 - x0} pixels, too large to be refined: delete "
                "it and prompt anew"
            )
        pixels = label_blocks.read(finest_of(self.labels), row.plane, row.box)
        mask = np.asarray(pixels == number)
        prompt = Prompt(mask=MaskRegion(mask, (y0, x0)), plane=row.plane)
        self.clear()
        self.refining, self._refined = number, row
        return prompt

    def _candidate(self) -> Candidate:
        if self.candidates is None or self.chosen is None:
            raise InputError(
                "there is no candidate to accept: click on an object or draw a box first"
            )
        return self.candidates[self.chosen]

    def _made_with(self) -> dict[str, Any]:
        return {} if self.journal is None else made_with(self.segmenter)

    def _on_change(self, change: Change) -> None:
        if self.refining in change.ids:  # it is no longer what the prompt was made of
            self.refining = self._refined = None


def _check_shape(segmenter: Segmenter, labels: Labels) -> None:
    expected = segmenter.image.planes + segmenter.image.plane_shape
    if tuple(labels.shape) != expected:
        raise InputError(
            f"labels of shape {tuple(labels.shape)} do not fit an image of shape {expected}: "
            "choose or make labels of the same shape"
        )
