"""The objects of one image and Labels layer: annotator, journal, and what shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError, StoreError
from napari_sam.segmentation.labels.blocks import planes
from napari_sam.segmentation.labels.patch import tight
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.replay import replay
from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.feature_table import COLUMNS, FeatureTable
from napari_sam.ui.label_display import show_all, show_part, shows_array
from napari_sam.ui.label_layers import empty_labels, needs_pyramid, new_label_layer
from napari_sam.ui.layer_roles import KEY
from napari_sam.ui.native_strokes import NativeStrokes
from napari_sam.ui.pyramid_layer import PyramidLayer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from napari.layers import Image, Labels

    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.session.change import Change
    from napari_sam.segmentation.session.journal_format import ImageIdentity

__all__ = ["KeptObjects"]

JOURNAL = "journal"
"""Key of the journal's folder, beside the role in a layer's metadata."""


class KeptObjects:
    """An annotator with its journal and the layer that shows its labels, all kept in step.

    Use `begin` for new ones and `reopen` for those of an earlier session.

    Attributes
    ----------
    annotator : Annotator
    layer : Labels
    warning : NapariSamError or None
        Why there is no journal.
    painted : Signal
        The user painted into the layer with napari's own tools; carries the change.
    failed : Signal
        A stroke could not be kept; carries the error.
    """

    painted = Signal(object)
    failed = Signal(object)

    def __init__(
        self, viewer: Any, image: Image, annotator: Annotator, layer: Labels | None
    ) -> None:
        self.annotator = annotator
        self.warning: NapariSamError | None = None
        self._pyramid: PyramidLayer | None = None
        self._strokes: NativeStrokes | None = None
        labels = annotator.labels
        if isinstance(labels, LabelPyramid):
            self._pyramid = PyramidLayer(viewer, image, labels, layer)
            self.layer = self._pyramid.layer
        else:
            if layer is None:
                is_empty = annotator.next_id() == 1
                layer = new_label_layer(viewer, image, labels, is_empty=is_empty)
            self.layer = layer
            self._strokes = NativeStrokes(self.layer, self.repaint)
        # Columns that somebody else gave the layer are not ours to replace.
        self._shows_rows = set(self.layer.features.columns) <= {"index", *COLUMNS}
        self._table = FeatureTable(annotator)
        if self._shows_rows and annotator.rows:
            self._table.show(self.layer)
        if annotator.journal is not None:
            self.layer.metadata.setdefault(KEY, {})[JOURNAL] = str(annotator.journal.folder)

    @classmethod
    def begin(
        cls,
        viewer: Any,
        image: Image,
        identity: ImageIdentity,
        layer: Labels | None,
        segmenter: Segmenter | None,
    ) -> Self:
        """Begin to keep the objects of an image, in a new layer or in one that is there.

        Raises
        ------
        NapariSamError
            When there is no memory or no disk for them. Without a disk labels in memory are kept
            all the same, and `warning` says so.
        """
        from napari_sam.segmentation.session.folders import new_session_folder
        from napari_sam.segmentation.session.journal import Journal
        from napari_sam.segmentation.session.journal_format import LABELS_FOLDER, made_with

        folder = new_session_folder(identity.name)
        labels: npt.NDArray[Any] | LabelPyramid
        if layer is not None:
            labels = layer.data
        elif needs_pyramid(image):
            labels = LabelPyramid.create(folder / LABELS_FOLDER, image_shape(image))
        else:
            labels = empty_labels(image)
        journal, warning = None, None
        try:
            journal = Journal.create(
                folder, labels, identity, made_with(segmenter), are_empty=layer is None
            )
        except StoreError as error:
            if isinstance(labels, LabelPyramid):
                raise
            warning = StoreError(
                f"{error}; until then objects are kept in memory only: save the layer of objects "
                "with File > Save before you close napari"
            )
        kept = cls(viewer, image, Annotator(segmenter, labels, journal), layer)
        kept.warning = warning
        return kept

    @classmethod
    def reopen(cls, viewer: Any, image: Image, folder: Path, layer: Labels | None) -> Self:
        """Bring back what a journal holds, into a new layer or into the one that shows it already.

        Raises
        ------
        NapariSamError
            When it cannot be read, somebody else uses it, or it is of an image of another shape.
        """
        shown = layer.data if layer is not None and shows_array(layer) else None
        unknown = [] if shown is None else list(_differences(replay(folder), shown))
        annotator = Annotator.reopen(folder, labels=shown)
        if tuple(annotator.labels.shape) != image_shape(image):
            annotator.close()
            raise InputError(
                f"the objects in {folder} are those of an image of shape "
                f"{tuple(annotator.labels.shape)}, but this one has {image_shape(image)}: turn to "
                "that image first"
            )
        kept = cls(viewer, image, annotator, layer)
        for plane, box, pixels in unknown:
            kept.repaint(plane, box, pixels)
        if shown is not None:
            show_all(kept.layer)
        return kept

    @staticmethod
    def folder_of(layer: Labels) -> Path | None:
        """Journal that a layer came with; None when it has none."""
        folder = layer.metadata.get(KEY, {}).get(JOURNAL)
        return None if folder is None else Path(folder)

    @property
    def is_current(self) -> bool:
        """Whether the layer still shows these labels: somebody may have replaced its data."""
        return self._pyramid is not None or self.layer.data is self.annotator.labels

    @property
    def is_on_disk(self) -> bool:
        """Whether the labels are on disk, and a step takes longer than the GUI may wait."""
        return self._pyramid is not None

    def show(self, change: Change) -> None:
        """Put a change on the screen."""
        if change.box is not None:
            if change.plane is None:
                show_all(self.layer)
            elif self._pyramid is not None:
                self._pyramid.show_part(change.plane, change.box)
            else:
                show_part(self.layer, change.plane, change.box)
        if change.done == change.total and self._shows_rows:
            self._table.update(self.layer, change.ids)

    def repaint(self, plane: tuple[int, ...], box: Box, pixels: npt.NDArray[Any]) -> bool:
        """Give pixels of a box other values, as one step; returns whether that was possible."""
        try:
            change = self.annotator.painted(plane, box, pixels)
        except NapariSamError as error:
            self.failed.emit(error)
            return False
        if change is not None:
            self.show(change)
            self.painted.emit(change)
        return True

    def close(self) -> None:
        """Let go of layer and journal."""
        if self._strokes is not None:
            self._strokes.close()
        self.annotator.close()


def _differences(
    expected: Any, found: npt.NDArray[Any]
) -> Iterator[tuple[tuple[int, ...], Box, npt.NDArray[Any]]]:
    """Find what was painted into a layer while nobody kept its journal, plane by plane."""
    for plane in planes(found):
        inside = tight(expected[plane] != found[plane])
        if inside is not None:
            rows, columns = inside
            box = rows.start, columns.start, rows.stop, columns.stop
            yield plane, box, found[plane][inside].copy()
