"""The objects of the present image: candidates until one is accepted, the annotator, its layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.kept_objects import KeptObjects
from napari_sam.ui.label_display import shows_array
from napari_sam.ui.label_layers import fits
from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.object_keeper import ObjectKeeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Image, Labels, Layer

    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import MaskRegion, Prompt
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.journal_format import ImageIdentity
    from napari_sam.ui.worker_slot import Outcome

    Done = Callable[[Outcome[Change | None]], None]

__all__ = ["Objects", "Refined"]


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """An object that is refined.

    Attributes
    ----------
    id : int
    plane : tuple of int
    region : MaskRegion
        Its pixels.
    """

    id: int
    plane: tuple[int, ...]
    region: MaskRegion


class Objects(ObjectKeeper):
    """Candidates and objects of the image that the user turned to.

    Every image and Labels layer has objects of its own, with their own steps to undo.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    refuse : callable
        Called with an error that stopped something the user did on a layer.
    identify : callable
        Says what tells an image from others, for the journal of its objects.

    Attributes
    ----------
    candidates : Candidates or None
        Of the present prompt.
    chosen : int or None
        Number of the chosen candidate, from 0.
    refined : Refined or None
        The object that the next accepted candidate replaces.
    turning : Signal
        Annotator and layer are about to be left; they can still be used.
    """

    turning = Signal()

    def __init__(
        self,
        viewer: Any,
        refuse: Callable[[Exception], None],
        identify: Callable[[Image], ImageIdentity],
    ) -> None:
        super().__init__(viewer, refuse, identify)
        self._taken: Candidates | None = None
        self._prompt: Prompt | None = None
        self.candidates: Candidates | None = None
        self.chosen: int | None = None
        self.refined: Refined | None = None

    @property
    def candidate(self) -> Candidate | None:
        """The chosen candidate."""
        if self.candidates is None or self.chosen is None:
            return None
        return self.candidates[self.chosen]

    # What the user turns to

    def use_image(self, image: Image | None) -> None:
        """Turn to another image, and to the layer that its objects went into before."""
        self.finish()
        self.turning.emit()
        self.clear()
        self.refined = self._segmenter = None
        self.image = image
        self.layer = None
        if image is not None:
            layer = find_layer(self._viewer, image, "labels")
            if layer is not None and (not shows_array(layer) or fits(layer, image)):
                self.layer = layer
                self._find_kept()
        self.turned.emit()

    def use_layer(self, layer: Labels | None) -> None:
        """Put objects into another layer from now on; the present candidates stay."""
        self.finish()
        self.turning.emit()
        self.refined = None
        self.layer = layer
        self._find_kept()
        self.turned.emit()

    def forget_layer(self, layer: Layer) -> None:
        """Drop what belongs to a layer that was removed; what was kept of it stays on disk."""
        self.finish()
        if layer is self.layer:
            self.turning.emit()
        for key in [key for key in self._kept if layer.unique_id in key]:
            self._kept.pop(key).close()
        if layer is self.layer:
            self.layer = None
            self.refined = None
            self.turned.emit()

    def close(self) -> None:
        """Let go of all layers and journals."""
        self._steps.close()
        for kept in self._kept.values():
            kept.close()
        self._kept.clear()

    # Candidates

    def offer(
        self, segmenter: Segmenter, candidates: Candidates, prompt: Prompt | None = None
    ) -> None:
        """Take new candidates; the best is chosen."""
        self._segmenter = segmenter
        self._prompt = prompt
        self.candidates, self.chosen = candidates, 0

    def choose(self, index: int) -> bool:
        """Choose a candidate; False when there is none of that number."""
        if self.candidates is None or not 0 <= index < len(self.candidates):
            return False
        self.chosen = index
        return True

    def clear(self) -> None:
        """Forget the present candidates."""
        self.candidates = self.chosen = self._prompt = None

    def refine(self, id_: int, plane: tuple[int, ...]) -> Refined:
        """Begin to refine an object: its pixels are part of the prompt, it is replaced at the end.

        Raises
        ------
        NapariSamError
            When there is no such object.
        """
        prompt = self.ready().refine(id_, plane)
        self.refined = Refined(id_, plane, prompt.mask)
        return self.refined

    def end_refining(self) -> None:
        """Refine nothing any more."""
        self.finish()
        self.refined = None
        if self.annotator is not None:
            self.annotator.clear()

    def accept(self, done: Done) -> bool:
        """Make the chosen candidate an object.

        Parameters
        ----------
        done : callable
            As of `do`. Where nothing of the candidate is left to paint, or it cannot be kept, the
            candidates stay.

        Returns
        -------
        bool
            False when there is no candidate, or this one is on its way already.

        Raises
        ------
        NapariSamError
            As of `do`, and when the candidate is empty.
        """
        candidates, chosen, prompt = self.candidates, self.chosen, self._prompt
        if candidates is None or chosen is None or candidates is self._taken:
            return False
        if not candidates[chosen].area:
            raise InputError("the mask has no pixels: choose another candidate")

        def accept(annotator: Annotator) -> Change:
            annotator.show(candidates, prompt)
            annotator.choose(chosen)
            return annotator.accept()

        def accepted(outcome: Outcome[Change | None]) -> None:
            if self._taken is candidates:
                self._taken = None
            if outcome.error is None:
                self.refined = None
                if self.candidates is candidates:
                    self.clear()
            done(outcome)

        self._taken = candidates
        try:
            self.do(accept, accepted)
        except BaseException:
            self._taken = None
            raise
        return True

    def reopen(self, folder: Path) -> None:
        """Bring back the objects of an earlier session.

        Raises
        ------
        NapariSamError
            When they cannot be read, or belong to another image.
        """
        if self.image is None:
            return
        self.finish()
        self.turning.emit()
        self._take(KeptObjects.reopen(self._viewer, self.image, folder, None))

    def _find_kept(self) -> None:
        """Open the journal that a layer of ours came with, when no annotator is open for it."""
        if self.image is None or self.layer is None or self.kept is not None:
            return
        folder = KeptObjects.folder_of(self.layer)
        if folder is None:
            return
        try:
            self._take(KeptObjects.reopen(self._viewer, self.image, folder, self.layer))
        except NapariSamError as error:
            self._refuse(error)
