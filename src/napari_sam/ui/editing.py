"""Painting objects by hand: with napari's tools in an array, in a window of labels on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import NapariSamError
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.edit_window import EditWindow, window_box
from napari_sam.ui.eye import visible_box
from napari_sam.ui.shortcuts import HAND_KEYS, bind_keys
from napari_sam.ui.wording import BY_HAND, IN_WINDOW, NOTHING_IN_VIEW

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.session import Session

__all__ = ["Editing"]


class Editing:
    """Whether the user paints by hand, and where.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        A window was opened or closed.
    window : EditWindow or None
        Open window.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.window: EditWindow | None = None
        session.objects.changed.connect(self._on_changed)
        session.objects.turning.connect(self.stop)
        session.viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_open(self) -> bool:
        """Whether napari's tools are in the user's hand."""
        session = self._session
        if self.window is not None:
            return True
        layer = session.objects.layer
        active = session.viewer.layers.selection.active
        return layer is not None and active is layer and str(layer.mode) != "pan_zoom"

    def toggle(self) -> None:
        """Begin to paint, or keep what was painted."""
        if self.is_open:
            self.stop()
            self._session.draw_points()
        else:
            self.start()
        self._session.changed.emit()

    def start(self) -> None:
        """Take napari's brush, for an object with a new id."""
        session, image = self._session, self._session.image
        plane = session.plane()
        if image is None or plane is None:
            return
        try:
            annotator = session.objects.ready()
            labels = annotator.labels
            if isinstance(labels, LabelPyramid):
                view = visible_box(session.viewer, image)
                if view is None:
                    session.say(NOTHING_IN_VIEW)
                    return
                height, width = image_shape(image)[-2:]
                box = window_box(view, (height, width))
                self.window = EditWindow(
                    session.viewer, image, labels.levels[0], plane, box, annotator.next_id()
                )
                bind_keys(self.window.layer, self, HAND_KEYS)
                self.changed.emit()
                session.say(IN_WINDOW)
                return
        except NapariSamError as error:
            session.refuse(error)
            return
        layer = session.objects.layer
        if layer is not None:
            session.viewer.layers.selection.active = layer
            bind_keys(layer, self, HAND_KEYS)
            layer.mode = "paint"
            self.new_label()
            session.say(BY_HAND)

    def stop(self) -> None:
        """Keep what was painted in a window, and put it away."""
        window = self.window
        if window is None:
            return
        if window.keep(self._repaint):
            self.window = None
            if window.layer in self._session.viewer.layers:
                window.hide()
            self.changed.emit()

    def new_label(self) -> None:
        """Paint another object, with an id that is not in use."""
        annotator = self._session.objects.annotator
        if annotator is None:
            return
        fresh = annotator.next_id()
        layer: Any = self._session.objects.layer
        if self.window is not None:
            layer = self.window.layer
            fresh = max(fresh, int(self.window.pixels.max(initial=0)) + 1)
        layer.selected_label = fresh

    def close(self) -> None:
        """Keep what was painted, and let go of the viewer."""
        self.stop()
        self._session.objects.changed.disconnect(self._on_changed)
        self._session.objects.turning.disconnect(self.stop)
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)

    def _repaint(self, plane: tuple[int, ...], box: Box, pixels: npt.NDArray[Any]) -> bool:
        self._session.objects.finish()
        kept = self._kept
        return kept is not None and kept.repaint(plane, box, pixels)

    @property
    def _kept(self) -> Any:
        return self._session.objects.kept

    def _on_changed(self, change: Change) -> None:
        if self.window is None:
            return
        plane = self.window.plane if change.plane is None else change.plane
        self.window.follow(plane, change.box or self.window.box)

    def _on_removed(self, event: Any) -> None:
        if self.window is not None and event.value is self.window.layer:
            self.stop()
