"""The objects of image and layer: who keeps them, and steps in the order they were asked for."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.kept_objects import KeptObjects
from napari_sam.ui.label_display import shows_array
from napari_sam.ui.step_queue import StepQueue
from napari_sam.ui.worker_slot import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from napari.layers import Image, Labels, Layer

    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.journal_format import ImageIdentity
    from napari_sam.segmentation.session.object_row import ObjectRow

    Call = Callable[[Annotator], Change | None]
    Done = Callable[[Outcome[Change | None]], None]

__all__ = ["ObjectKeeper"]


class ObjectKeeper:
    """The part of `Objects` that changes what was accepted.

    Every image and Labels layer has objects of its own, with their own steps to undo.

    Parameters
    ----------
    viewer, refuse, identify
        As of `Objects`.

    Attributes
    ----------
    image : Image or None
        The layer that objects are found in.
    layer : Labels or None
        The layer that they go into; None for a new one, made when the first is accepted.
    held : str
        Why nothing can be changed just now; empty when it can.
    changed : Signal
        A change was put on the screen; carries it.
    turned : Signal
        The annotator or the layer is another one than before.
    """

    changed = Signal(object)
    turned = Signal()

    def __init__(
        self,
        viewer: Any,
        refuse: Callable[[Exception], None],
        identify: Callable[[Image], ImageIdentity],
    ) -> None:
        self._viewer = viewer
        self._refuse = refuse
        self._identify = identify
        self._kept: dict[tuple[Hashable, Hashable], KeptObjects] = {}
        self._steps = StepQueue()
        self._segmenter: Segmenter | None = None
        self.image: Image | None = None
        self.layer: Labels | None = None
        self.held = ""

    @property
    def annotator(self) -> Annotator | None:
        """Who keeps the objects of image and layer; None before there are any."""
        kept = self.kept
        return None if kept is None else kept.annotator

    @property
    def kept(self) -> KeptObjects | None:
        """The annotator with what shows it."""
        kept = self._kept.get(self._key)
        return kept if kept is not None and kept.is_current else None

    @property
    def rows(self) -> Mapping[int, ObjectRow]:
        """The objects by their ids."""
        annotator = self.annotator
        return MappingProxyType({}) if annotator is None else annotator.rows

    def object_at(self, plane: tuple[int, ...], y: int, x: int) -> int:
        """Id of the object at a pixel, 0 where there is none."""
        annotator = self.annotator
        if annotator is None and self.layer is not None and shows_array(self.layer):
            return int(self.layer.data[(*plane, y, x)])
        return 0 if annotator is None else annotator.object_at(plane, y, x)

    def ready(self) -> Annotator:
        """Return the annotator of image and layer; makes it, its journal and a layer if need be.

        Waits for steps that are under way.

        Raises
        ------
        NapariSamError
            When that is not possible: no image, a full disk, no memory.
        """
        self.finish()
        annotator = self._ready().annotator
        annotator.segmenter = self._segmenter or annotator.segmenter
        return annotator

    def do(self, call: Call, done: Done) -> None:
        """Do a step and put it on the screen; on a thread where the objects are on disk.

        Steps are done in the order in which they were asked for.

        Parameters
        ----------
        call : callable
            Gets the annotator and returns what it changed.
        done : callable
            Called when that is on the screen, or with the error that stopped it.

        Raises
        ------
        NapariSamError
            As of `ready`; nothing was asked for then.
        """
        kept, segmenter = self._ready(), self._segmenter

        def job() -> Change | None:
            kept.annotator.segmenter = segmenter or kept.annotator.segmenter
            return call(kept.annotator)

        shown = partial(self._on_step, kept, done)
        if kept.is_on_disk:
            self._steps.add(job, shown)
            return
        outcome: Outcome[Change | None]
        try:
            outcome = Outcome(value=job())
        except NapariSamError as error:
            outcome = Outcome(error=error)
        shown(outcome)

    def finish(self) -> None:
        """Wait for steps that are under way, and put them on the screen."""
        self._steps.finish()

    def show(self, kept: KeptObjects, change: Change) -> None:
        """Put a change on the screen; the user may have turned to other objects meanwhile."""
        kept.show(change)
        if kept is self.kept:
            self.changed.emit(change)

    def hold(self, reason: str) -> None:
        """Let nobody change anything while another thread does; `reason` says what to do."""
        self.held = reason

    def release(self) -> None:
        """Let things be changed again."""
        self.held = ""

    def _ready(self) -> KeptObjects:
        """Objects of image and layer, without waiting for steps."""
        if self.held:
            raise InputError(self.held)
        kept = self.kept
        if kept is None:
            if self.image is None:
                raise InputError("there is no image: open one first")
            if (outdated := self._kept.pop(self._key, None)) is not None:
                outdated.close()
            kept = KeptObjects.begin(
                self._viewer, self.image, self._identify(self.image), self.layer, self._segmenter
            )
            self._take(kept)
            if kept.warning is not None:
                self._refuse(kept.warning)
        return kept

    def _on_step(self, kept: KeptObjects, done: Done, outcome: Outcome[Change | None]) -> None:
        if outcome.value is not None:
            self.show(kept, outcome.value)
        done(outcome)

    def _take(self, kept: KeptObjects) -> None:
        kept.painted.connect(self._on_painted)
        kept.failed.connect(self._refuse)
        self.layer = kept.layer
        self._kept[self._key] = kept
        self.turned.emit()

    def _on_painted(self, change: Change) -> None:
        self.changed.emit(change)

    @property
    def _key(self) -> tuple[Hashable, Hashable]:
        return _identity(self.image), _identity(self.layer)


def _identity(layer: Layer | None) -> Hashable:
    return None if layer is None else layer.unique_id
