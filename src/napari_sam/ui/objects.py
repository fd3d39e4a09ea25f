"""Accepted objects: which Labels layer they go into, and the annotator that puts them there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.segmentation.annotator import Annotator
from napari_sam.ui.label_layers import (
    check_size,
    empty_labels,
    fits,
    new_label_layer,
    show_labels,
)
from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image, Labels, Layer

    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.labels.edits import Edit
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["Objects"]


class Objects:
    """The annotators of a viewer: one for each image and Labels layer, each with its own undo.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel

    Attributes
    ----------
    image : Image or None
        The layer that objects are found in.
    layer : Labels or None
        The layer that they go into; None for a new one, made when the first is accepted.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._annotators: dict[tuple[Hashable, Hashable], Annotator] = {}
        self.image: Image | None = None
        self.layer: Labels | None = None

    @property
    def candidates(self) -> Candidates | None:
        """Candidates of the present prompt."""
        annotator = self._annotator
        return None if annotator is None else annotator.candidates

    @property
    def chosen(self) -> int | None:
        """Number of the chosen candidate, from 0."""
        annotator = self._annotator
        return None if annotator is None else annotator.chosen

    @property
    def candidate(self) -> Candidate | None:
        """The chosen candidate."""
        candidates, chosen = self.candidates, self.chosen
        return None if candidates is None or chosen is None else candidates[chosen]

    def use_image(self, image: Image | None) -> None:
        """Turn to another image, and to the layer that its objects went into before."""
        self.clear()
        self.image = image
        self.layer = None
        if image is not None:
            layer = find_layer(self._viewer, image, "labels")
            self.layer = layer if layer is not None and fits(layer, image) else None

    def use_layer(self, layer: Labels | None) -> None:
        """Put objects into another layer from now on; the present candidates stay."""
        before = self._annotator
        self.layer = layer
        if before is not None:
            self._carry_over(before)

    def forget_layer(self, layer: Layer) -> None:
        """Drop what belongs to a layer that was removed."""
        for key in [key for key in self._annotators if layer.unique_id in key]:
            del self._annotators[key]
        if layer is self.layer:
            self.layer = None

    def show(self, segmenter: Segmenter, candidates: Candidates) -> None:
        """Take new candidates; the best is chosen.

        Raises
        ------
        InputError, InputTypeError
            When the layer's array does not fit the image, or there is no memory for a new one.
        """
        if self.image is None:
            return
        annotator = self._annotator
        if annotator is None or not self._is_current(annotator):
            array = empty_labels(self.image) if self.layer is None else self.layer.data
            annotator = Annotator(segmenter, array)
            self._annotators[self._key] = annotator
        annotator.segmenter = segmenter
        annotator.show(candidates)

    def choose(self, index: int) -> bool:
        """Choose a candidate; False when there is none of that number."""
        annotator = self._annotator
        if annotator is None or annotator.candidates is None:
            return False
        if not 0 <= index < len(annotator.candidates):
            return False
        annotator.choose(index)
        return True

    def accept(self) -> Edit | None:
        """Paint the chosen candidate, into a new layer when none was picked.

        Returns
        -------
        Edit or None
            None when there is no candidate.

        Raises
        ------
        InputError
            When nothing of the candidate is left to paint, or the image is too large for a
            layer of labels.
        """
        annotator = self._annotator
        if annotator is None or annotator.candidates is None or self.image is None:
            return None
        if not self._is_current(annotator):
            annotator = self._carry_over(annotator)
        if self.layer is None:
            check_size(self.image)
        edit = annotator.accept()
        if self.layer is None:
            del self._annotators[self._key]
            self.layer = new_label_layer(self._viewer, self.image, annotator.labels)
            annotator.labels = self.layer.data
            self._annotators[self._key] = annotator
        else:
            show_labels(self.layer)
        return edit

    def undo(self) -> Edit | None:
        """Take the last object back that was accepted into this layer; None when there is none."""
        annotator = self._annotator
        if annotator is None or self.layer is None or not self._is_current(annotator):
            return None
        edit = annotator.undo()
        if edit is not None:
            show_labels(self.layer)
        return edit

    def clear(self) -> None:
        """Forget the present candidates."""
        annotator = self._annotator
        if annotator is not None:
            annotator.clear()

    def _carry_over(self, before: Annotator) -> Annotator:
        """Show the candidates of another annotator, or of one with an outdated array."""
        candidates, chosen = before.candidates, before.chosen
        before.clear()
        if candidates is None or chosen is None:
            return before
        self.show(before.segmenter, candidates)
        annotator = self._annotators[self._key]
        annotator.choose(chosen)
        return annotator

    @property
    def _key(self) -> tuple[Hashable, Hashable]:
        return _identity(self.image), _identity(self.layer)

    @property
    def _annotator(self) -> Annotator | None:
        return self._annotators.get(self._key)

    def _is_current(self, annotator: Annotator) -> bool:
        """Whether the layer still shows the annotator's array: somebody may have replaced it."""
        return self.layer is None or self.layer.data is annotator.labels


def _identity(layer: Layer | None) -> Hashable:
    return None if layer is None else layer.unique_id
