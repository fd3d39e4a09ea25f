"""What the user does to objects: each is a step of the annotator, shown and told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.coordinates import current_plane, image_shape
from napari_sam.ui.drawing import read_drawing
from napari_sam.ui.wording import (
    NO_MARK,
    NO_OBJECT,
    NOTHING_TO_REDO,
    NOTHING_TO_UNDO,
    WAIT,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.layers import Image

    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.object_row import State
    from napari_sam.ui.answering import Answering
    from napari_sam.ui.automatic import Automatic
    from napari_sam.ui.objects import Objects
    from napari_sam.ui.prompt_watch import PromptWatch
    from napari_sam.ui.worker_slot import Outcome

    Then = Callable[[Change], None]

__all__ = ["ObjectActions"]


class ObjectActions:
    """The part of a `Session` that changes objects.

    Every action puts what it changed on the screen and says in the status line what it did. What
    stops it is said there too, and once as a notification; nothing is changed then.
    """

    viewer: Any
    objects: Objects
    prompts: PromptWatch
    answering: Answering
    automatic: Automatic

    @property
    def image(self) -> Image | None:
        """The layer that prompts are for."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        raise NotImplementedError

    def plane(self) -> tuple[int, ...] | None:
        """Plane in view; None where none can be told, and the status line says why."""
        raise NotImplementedError

    def ask(self) -> None:
        """Ask the model about what is drawn on the plane in view."""
        raise NotImplementedError

    def draw_points(self) -> None:
        """Select the image's point prompts, ready to click; make the layer when there is none."""
        raise NotImplementedError

    def say(self, status: str) -> None:
        """Say something in the status line."""
        raise NotImplementedError

    def refuse(self, error: Exception) -> None:
        """Say why something was not done, in the status line and once as a notification."""
        raise NotImplementedError

    def accept(self) -> Change | None:
        """Make the chosen candidate an object and wipe its marks; the rest is the next prompt.

        Returns
        -------
        Change or None
            None when nothing was done, or it is under way.
        """
        if self.busy:
            self.say(WAIT)
            return None
        drawn = self.answering.drawn
        wipe = None if drawn is None else self.prompts.wiping(drawn.points, drawn.box)
        changes: list[Change] = []

        def done(outcome: Outcome[Change | None]) -> None:
            if (change := self._outcome(outcome)) is None:
                return
            changes.append(change)
            if wipe is not None:
                wipe()
            self.ask()
            if not self.busy:
                self.say(f"{said(change, self.objects.rows)} {NO_MARK}")

        try:
            if not self.objects.accept(done) and self.objects.candidates is None:
                self.say(read_drawing(self.viewer, self.image, self.prompts)[1])
        except NapariSamError as error:
            self.refuse(error)
        return changes[0] if changes else None

    def undo(self) -> Change | None:
        """Take the last step back; an automatic run in the background."""
        annotator = self.objects.annotator
        if annotator is not None and annotator.undo_is_long and not self.objects.held:
            self.automatic.carry_out(annotator.undo_steps, "Taking back")
            return None
        return self._change(lambda annotator: annotator.undo(), NOTHING_TO_UNDO)

    def redo(self) -> Change | None:
        """Do again what was taken back last; an automatic run in the background."""
        annotator = self.objects.annotator
        if annotator is not None and annotator.redo_is_long and not self.objects.held:
            self.automatic.carry_out(annotator.redo_steps, "Doing again")
            return None
        return self._change(lambda annotator: annotator.redo(), NOTHING_TO_REDO)

    def delete(self, ids: Iterable[int], then: Then | None = None) -> Change | None:
        """Delete objects; ``then`` is called with the change when it is on the screen."""
        chosen, plane = list(ids), self._plane_or_none()
        return self._change(lambda a: a.delete(chosen, plane), NO_OBJECT, make=True, then=then)

    def merge(self, ids: Iterable[int], then: Then | None = None) -> Change | None:
        """Make one object of several; it keeps the smallest of their ids."""
        chosen, plane = list(ids), self._plane_or_none()
        return self._change(lambda a: a.merge(chosen, plane), NO_OBJECT, make=True, then=then)

    def mark(self, ids: Iterable[int], state: State, then: Then | None = None) -> Change | None:
        """Note that objects were looked at, or that they were not."""
        chosen = list(ids)
        return self._change(lambda a: a.mark(chosen, state), NO_OBJECT, then=then)

    def refine(self, id_: int | None = None) -> None:
        """Take an object as the prompt to go on from; accepting replaces it.

        Parameters
        ----------
        id_ : int, optional
            The object under the mouse when not given.
        """
        plane = self.plane()
        id_ = self.object_here() if id_ is None else id_
        if plane is None or self.image is None:
            return
        if not id_:
            self.say(NO_OBJECT)
            return
        try:
            self.objects.refine(id_, plane)
        except NapariSamError as error:
            self.refuse(error)
            return
        self.draw_points()
        self.ask()

    def refine_here(self) -> None:
        """Refine the object under the mouse."""
        self.refine()

    def delete_here(self) -> None:
        """Delete the object under the mouse."""
        id_ = self.object_here()
        if id_:
            self.delete([id_])
        else:
            self.say(NO_OBJECT)

    def object_here(self) -> int:
        """Id of the object under the mouse, 0 where there is none."""
        plane = self.plane()
        if plane is None or self.image is None:
            return 0
        position = self.image.world_to_data(self.viewer.cursor.position[-self.image.ndim :])
        y, x = (int(i) for i in np.rint(position[-2:]))
        height, width = image_shape(self.image)[-2:]
        inside = 0 <= y < height and 0 <= x < width
        return self.objects.object_at(plane, y, x) if inside else 0

    def _plane_or_none(self) -> tuple[int, ...] | None:
        """Plane in view; None, and nothing said, where none can be told."""
        try:
            return None if self.image is None else current_plane(self.viewer, self.image)
        except InputError:
            return None

    def _change(
        self,
        call: Callable[[Annotator], Change | None],
        nothing: str,
        *,
        make: bool = False,
        then: Then | None = None,
    ) -> Change | None:
        """Do something to the objects, show it and say it.

        Parameters
        ----------
        call : callable
        nothing : str
            What to say when there was nothing to do.
        make : bool
            Whether objects of the user's own layer count, which nobody kept so far.
        then : callable, optional
            Called with the change when it is on the screen.

        Returns
        -------
        Change or None
            None when nothing was done, or it is under way.
        """
        if self.objects.annotator is None and (not make or self.objects.layer is None):
            self.say(nothing)
            return None
        changes: list[Change] = []

        def done(outcome: Outcome[Change | None]) -> None:
            change = self._outcome(outcome)
            if change is None:
                if outcome.error is None:
                    self.say(nothing)
                return
            changes.append(change)
            self.say(said(change, self.objects.rows))
            if then is not None:
                then(change)

        try:
            self.objects.do(call, done)
        except NapariSamError as error:
            self.refuse(error)
        return changes[0] if changes else None

    def _outcome(self, outcome: Outcome[Change | None]) -> Change | None:
        """Change that a step made; None when it made none, and what stopped it is said."""
        if outcome.error is None:
            return outcome.value
        if not isinstance(outcome.error, NapariSamError):
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        self.refuse(outcome.error)
        return None
