"""The objects of the present image: candidates until one is accepted, the annotator, its layer."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.kept_objects import KeptObjects
from napari_sam.ui.label_layers import fits
from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

    from napari.layers import Image, Labels, Layer

    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import MaskRegion, Prompt
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.journal_format import ImageIdentity
    from napari_sam.segmentation.session.object_row import ObjectRow

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


class Objects:
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
    image : Image or None
        The layer that objects are found in.
    layer : Labels or None
        The layer that they go into; None for a new one, made when the first is accepted.
    candidates : Candidates or None
        Of the present prompt.
    chosen : int or None
        Number of the chosen candidate, from 0.
    refined : Refined or None
        The object that the next accepted candidate replaces.
    held : str
        Why nothing can be changed just now; empty when it can.
    changed : Signal
        A change was put on the screen; carries it.
    turning : Signal
        Annotator and layer are about to be left; they can still be used.
    turned : Signal
        The annotator or the layer is another one than before.
    """

    changed = Signal(object)
    turning = Signal()
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
        self._segmenter: Segmenter | None = None
        self._prompt: Prompt | None = None
        self.image: Image | None = None
        self.layer: Labels | None = None
        self.candidates: Candidates | None = None
        self.chosen: int | None = None
        self.refined: Refined | None = None
        self.held = ""

    # What there is

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

    @property
    def candidate(self) -> Candidate | None:
        """The chosen candidate."""
        if self.candidates is None or self.chosen is None:
            return None
        return self.candidates[self.chosen]

    def object_at(self, plane: tuple[int, ...], y: int, x: int) -> int:
        """Id of the object at a pixel, 0 where there is none."""
        annotator = self.annotator
        if annotator is None and self.layer is not None and not self.layer.multiscale:
            return int(self.layer.data[(*plane, y, x)])
        return 0 if annotator is None else annotator.object_at(plane, y, x)

    # What the user turns to

    def use_image(self, image: Image | None) -> None:
        """Turn to another image, and to the layer that its objects went into before."""
        self.turning.emit()
        self.clear()
        self.refined = self._segmenter = None
        self.image = image
        self.layer = None
        if image is not None:
            layer = find_layer(self._viewer, image, "labels")
            if layer is not None and (layer.multiscale or fits(layer, image)):
                self.layer = layer
                self._find_kept()
        self.turned.emit()

    def use_layer(self, layer: Labels | None) -> None:
        """Put objects into another layer from now on; the present candidates stay."""
        self.turning.emit()
        self.refined = None
        self.layer = layer
        self._find_kept()
        self.turned.emit()

    def forget_layer(self, layer: Layer) -> None:
        """Drop what belongs to a layer that was removed; what was kept of it stays on disk."""
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
        self.refined = None
        if self.annotator is not None:
            self.annotator.clear()

    # Changes

    def ready(self) -> Annotator:
        """Return the annotator of image and layer; makes it, its journal and a layer if need be.

        Raises
        ------
        NapariSamError
            When that is not possible: no image, a full disk, no memory.
        """
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
        if self._segmenter is not None:
            kept.annotator.segmenter = self._segmenter
        return kept.annotator

    def accept(self) -> Change | None:
        """Make the chosen candidate an object; None when there is no candidate.

        Raises
        ------
        NapariSamError
            When nothing of it is left to paint, or it cannot be kept; the candidates stay.
        """
        candidates, chosen = self.candidates, self.chosen
        if candidates is None or chosen is None:
            return None
        if not candidates[chosen].area:
            raise InputError("the mask has no pixels: choose another candidate")
        annotator = self.ready()
        annotator.show(candidates, self._prompt)
        annotator.choose(chosen)
        change = annotator.accept()
        self.refined = None
        self.clear()
        return change

    def show(self, change: Change) -> None:
        """Put a change of the annotator on the screen."""
        kept = self.kept
        if kept is not None:
            kept.show(change)
        self.changed.emit(change)

    def hold(self, reason: str) -> None:
        """Let nobody change anything while another thread does; `reason` says what to do."""
        self.held = reason

    def release(self) -> None:
        """Let things be changed again."""
        self.held = ""

    def reopen(self, folder: Path) -> None:
        """Bring back the objects of an earlier session.

        Raises
        ------
        NapariSamError
            When they cannot be read, or belong to another image.
        """
        if self.image is None:
            return
        self.turning.emit()
        self._take(KeptObjects.reopen(self._viewer, self.image, folder, None))

    def _take(self, kept: KeptObjects) -> None:
        kept.painted.connect(self._on_painted)
        kept.failed.connect(self._refuse)
        self.layer = kept.layer
        self._kept[self._key] = kept
        self.turned.emit()

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

    def _on_painted(self, change: Change) -> None:
        self.changed.emit(change)

    @property
    def _key(self) -> tuple[Hashable, Hashable]:
        return _identity(self.image), _identity(self.layer)


def _identity(layer: Layer | None) -> Hashable:
    return None if layer is None else layer.unique_id
