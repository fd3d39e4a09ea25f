"""The review: objects one after another, the least certain first, to keep, delete or correct.

Works without a window. What takes long at 50,000 objects (reading them, writing them) is done in
parts by `Review.work`, which the page calls while there is something to do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_sam.errors import NapariSamError
from napari_sam.ui.object_reader import ObjectReader
from napari_sam.ui.objects_export import write_rows
from napari_sam.ui.review_frame import ReviewFrame
from napari_sam.ui.review_layer import ReviewLayer
from napari_sam.ui.view_target import look_at

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.object_row import ObjectRow
    from napari_sam.ui.object_list import ObjectList
    from napari_sam.ui.session import Session

__all__ = ["Review"]

NO_OBJECTS = "There are no objects yet: accept some first, or let the model find everything."
ALL_LOOKED_AT = "All objects are looked at."
NOTHING_PICKED = "No object is picked: press Next, or click on a row of the table."
PICK_TWO = "Pick the objects to join first: click on their rows with Ctrl or Shift held."
FLAT_ONLY = "The review works in the 2D view: switch off 3D, at the bottom left of the window."


class Review:
    """What is looked at, and what is decided about it.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    refining : Signal
        An object is about to be corrected with clicks.
    reader : ObjectReader
        Reads the objects, and says which have changed.
    current : int or None
        Id of the object that is looked at.
    picked : tuple of int
        Ids of the objects that a decision is about, the current one among them.
    """

    changed = Signal()
    refining = Signal()

    def __init__(self, session: Session) -> None:
        self.session = session
        self.reader = ObjectReader()
        self.current: int | None = None
        self.picked: tuple[int, ...] = ()
        self._place: tuple[float, float, int] | None = None
        self._layer = ReviewLayer(self)
        self._frame = ReviewFrame(session.viewer)
        self._decided: set[int] = set()
        self._export: Iterator[None] | None = None
        self._next_is_wanted = False
        self.reader.listed.connect(self._on_listed)
        session.objects.turned.connect(self._on_turned)
        session.objects.changed.connect(self._on_changed)
        self._on_turned()

    # What there is to see

    @property
    def rows(self) -> Mapping[int, ObjectRow]:
        """Rows of all objects by id, as the annotator holds them."""
        return self.session.objects.rows

    @property
    def objects(self) -> ObjectList:
        """The objects to be sorted and counted, as far as they were read."""
        return self.reader.objects

    @property
    def progress(self) -> str:
        """How far the review has come, in words."""
        if self.reader.filling and self.rows:
            return "Reading the objects …"
        if not len(self.objects):
            return "No objects yet"
        return f"{self.objects.looked:,} of {len(self.objects):,} looked at"

    @property
    def working(self) -> bool:
        """Whether `work` has something to do."""
        return self.reader.behind or self._export is not None

    def work(self, seconds: float = np.inf) -> bool:
        """Go on with what takes long, for about as long as told.

        Returns
        -------
        bool
            Whether something is left to do.
        """
        until = time.perf_counter() + seconds
        while self.working:
            if self.reader.behind:
                self.reader.step()
            elif self._export is not None:
                self._write_on(self._export)
            if time.perf_counter() >= until:
                break
        return self.working

    # What the user does

    def next(self) -> None:
        """Go to the least certain object after the current one that was not looked at yet.

        While the objects are still read, `work` does it as soon as they are.
        """
        self.reader.catch_up()
        if self.reader.filling:
            self._next_is_wanted = True
            return
        id_ = self.objects.next_from(self._place)
        if id_ is None:
            self._frame.hide()
            self.session.say(ALL_LOOKED_AT if len(self.objects) else NO_OBJECTS)
        else:
            self.go_to(id_)

    def go_to(self, id_: int) -> None:
        """Pick an object and show it in the middle of the view."""
        self.pick([id_])
        self.show_current()

    def pick(self, ids: Iterable[int], current: int | None = None) -> None:
        """Pick objects to decide about; nothing moves.

        Parameters
        ----------
        ids : iterable of int
        current : int, optional
            The one that is looked at; the last when not given.
        """
        picked = tuple(dict.fromkeys(id_ for id_ in ids if id_ in self.rows))
        if current not in picked:
            current = picked[-1] if picked else None
        if (picked, current) == (self.picked, self.current):
            return
        self.picked, self.current = picked, current
        if current is None:
            self._frame.hide()
        else:
            self._place = self.objects.place(current)
        self.changed.emit()

    def show_current(self) -> None:
        """Move camera and planes to the current object, frame it, and select its layer."""
        row = None if self.current is None else self.rows.get(self.current)
        image = self.session.image
        if row is None or image is None:
            return
        if look_at(self.session.viewer, image, row.plane, row.box):
            self._frame.show(image, row.plane, row.box)
            self._layer.select(row.id)
        else:
            self.session.say(FLAT_ONLY)

    def show_frame(self, *, shown: bool) -> None:
        """Draw the frame around the current object, or none while others are worked on."""
        row = None if self.current is None else self.rows.get(self.current)
        if shown and row is not None and self.session.image is not None:
            self._frame.show(self.session.image, row.plane, row.box)
        else:
            self._frame.hide()

    def accept(self) -> None:
        """Mark what is picked as looked at, and go on to the next."""
        if self._is_picked():
            self.session.mark(self.picked, "accepted", self._go_on_after)

    def delete(self) -> None:
        """Delete what is picked (it can be undone), and go on to the next."""
        if self._is_picked():
            self.session.delete(self.picked, self._go_on_after)

    def refine(self) -> None:
        """Correct the current object with clicks: its mask becomes the prompt."""
        if self._is_picked() and self.current is not None:
            self.show_current()
            self._frame.hide()
            self.session.refine(self.current)
            self.refining.emit()

    def join(self) -> None:
        """Make one object of those picked."""
        if len(self.picked) < 2:
            self.session.say(PICK_TWO)
            return
        self.session.merge(self.picked, self._go_to_joined)

    @property
    def coloured(self) -> bool:
        """Whether objects are shown in the colours of their scores."""
        return self._layer.coloured

    @coloured.setter
    def coloured(self, wanted: bool) -> None:
        self.reader.catch_up()
        self._layer.coloured = wanted
        self.changed.emit()

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the rows of all objects as CSV; `work` does it."""
        rows = list(self.rows.values())
        if not rows:
            self.session.say(NO_OBJECTS)
            return
        self._export = write_rows(rows, path)
        self.session.say(f"Writing {len(rows):,} objects …")
        self.changed.emit()

    def close(self) -> None:
        """Let go of the viewer; the layer gets its own keys and colours back."""
        self.session.objects.turned.disconnect(self._on_turned)
        self.session.objects.changed.disconnect(self._on_changed)
        self._layer.close()
        self._frame.hide()
        self.reader.close()
        self._export = None

    def _is_picked(self) -> bool:
        if not self.picked:
            self.session.say(NOTHING_PICKED)
        return bool(self.picked)

    def _go_on_after(self, decision: Change) -> None:
        self._decided.update(decision.ids)
        self.next()

    def _go_to_joined(self, change: Change) -> None:
        self.reader.catch_up()
        self.go_to(min(change.ids))

    def _write_on(self, export: Iterator[None]) -> None:
        try:
            if next(export, self) is not self:
                return
        except NapariSamError as error:
            self.session.refuse(error)
        else:
            self.session.say("The table of objects is written.")
        self._export = None

    # What happens elsewhere

    def _on_turned(self) -> None:
        """Take the objects of another image or layer."""
        self._frame.hide()
        self.current, self.picked, self._place = None, (), None
        self._next_is_wanted = False
        self._decided.clear()
        self._layer.turn_to(self.session.objects.layer)
        self.reader.turn_to(lambda: self.rows)
        self.changed.emit()

    def _on_listed(self, ids: tuple[int, ...] | None) -> None:
        """Keep in step with a list that was just read."""
        if ids is None:
            self._layer.colour()
        here = [id_ for id_ in self.picked if id_ in self.rows]
        if len(here) < len(self.picked):
            self.pick(here)
        elif self.current is not None:
            self._place = self.objects.place(self.current)
        self.changed.emit()
        if self._next_is_wanted and not self.reader.filling:
            self._next_is_wanted = False
            self.next()

    def _on_changed(self, change: Change) -> None:
        """Take note of a step; also the way back to an object whose decision was undone."""
        self.reader.note(change.ids)
        self._layer.update(change)
        back = [id_ for id_ in change.ids if id_ in self._decided and id_ in self.rows]
        if change.kind == "undo" and back:
            self.reader.catch_up()
            self.go_to(back[0])
        self.changed.emit()
