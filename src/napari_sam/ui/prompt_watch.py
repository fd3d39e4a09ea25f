"""Keeps an eye on what the user draws for one image, and wipes it off when it is done with."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import current_plane, marks_on
from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.polarity import polarity_of, set_polarity
from napari_sam.ui.prompt_layers import fit_edge_width
from napari_sam.ui.shortcuts import bind_keys, unbind_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt
    from napari.layers import Image, Points, Shapes

    from napari_sam.ui.polarity import Polarity

__all__ = ["PromptWatch"]

FINISHED = ("added", "removed", "changed")
"""Actions of a layer's data event after the fact; those before it end in -ing."""


class PromptWatch:
    """The prompt layers of the current image in a viewer, as they come, change and go.

    Parameters
    ----------
    viewer : napari.Viewer
    session : object
        What the keys on the layers drive, see `shortcuts`.

    Attributes
    ----------
    points, boxes : layers or None
        Prompt layers of the image that is watched.
    marks_changed : Signal
        A mark was added, moved or removed, or another plane came into view.
    polarity_changed : Signal
        The next point means something else than before.
    """

    marks_changed = Signal()
    polarity_changed = Signal()

    def __init__(self, viewer: Any, session: object) -> None:
        self._viewer = viewer
        self._session = session
        self._image: Image | None = None
        self._quiet = False
        self.points: Points | None = None
        self.boxes: Shapes | None = None
        self._view: object = None
        for event in self._view_events():
            event.connect(self._on_view)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)

    def watch(self, image: Image | None) -> None:
        """Watch the layers of another image, or look again for those of this one."""
        self._image = image
        self._view = self._seen()
        points = boxes = None
        if image is not None:
            points = find_layer(self._viewer, image, "points")
            boxes = find_layer(self._viewer, image, "boxes")
        if points is not self.points:
            self._let_go(self.points)
            self.points = self._take(points)
        if boxes is not self.boxes:
            self._let_go(self.boxes)
            self.boxes = self._take(boxes)

    @property
    def polarity(self) -> Polarity:
        """What the next left click on the points says."""
        return "positive" if self.points is None else polarity_of(self.points)

    @polarity.setter
    def polarity(self, polarity: Polarity) -> None:
        if self.points is not None:
            set_polarity(self.points, polarity)

    def wiping(self, points: Iterable[int], box: int | None) -> Callable[[], None]:
        """Give a function that removes marks, by their rows, and says nothing of it.

        It may be called later: marks that are not as they were by then stay.
        """
        marks = [
            (layer, rows, [np.array(layer.data[row]) for row in rows])
            for layer, rows in ((self.points, list(points)), (self.boxes, _known(box)))
            if layer is not None
        ]

        def wipe() -> None:
            with self._silence():
                for layer, rows, places in marks:
                    same = [_is_at(layer, *mark) for mark in zip(rows, places, strict=True)]
                    if all(same):
                        self._remove(layer, set(rows))

        return wipe

    def wipe_plane(self, plane: tuple[int, ...]) -> None:
        """Remove all marks of a plane; says nothing of it."""
        if self._image is None:
            return
        with self._silence():
            for layer in (self.points, self.boxes):
                self._remove(layer, set(marks_on(self._image, plane, layer)))

    def close(self) -> None:
        """Let go of the layers and the viewer."""
        for event in self._view_events():
            event.disconnect(self._on_view)
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self.watch(None)

    def _view_events(self) -> list[Any]:
        events = self._viewer.dims.events
        return [events.current_step, events.ndisplay, events.order]

    def _take(self, layer: Any) -> Any:
        if layer is not None:
            layer.events.data.connect(self._on_data)
            if hasattr(layer.events, "feature_defaults"):
                layer.events.feature_defaults.connect(self._on_defaults)
            bind_keys(layer, self._session)
        return layer

    def _let_go(self, layer: Any) -> None:
        if layer is not None:
            layer.events.data.disconnect(self._on_data)
            if hasattr(layer.events, "feature_defaults"):
                layer.events.feature_defaults.disconnect(self._on_defaults)
            unbind_keys(layer)

    @staticmethod
    def _remove(layer: Any, indices: set[int]) -> None:
        if layer is not None and indices:
            layer.selected_data = indices
            layer.remove_selected()

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _on_data(self, event: Any) -> None:
        if str(event.action) in FINISHED:
            self._emit()

    def _on_defaults(self) -> None:
        self.polarity_changed.emit()

    def _on_zoom(self) -> None:
        if self.boxes is not None and self._image is not None:
            fit_edge_width(self._viewer, self.boxes, self._image)

    def _on_view(self) -> None:
        """Tell only when another plane came into view: the sliders also move with their image."""
        view = self._seen()
        if view != self._view:
            self._view = view
            self._emit()

    def _seen(self) -> object:
        """Plane in view, or what to say where there is none."""
        if self._image is None or self._image not in self._viewer.layers:
            return None
        try:
            return current_plane(self._viewer, self._image)
        except InputError as error:
            return str(error)

    def _emit(self) -> None:
        if not self._quiet:
            self.marks_changed.emit()


def _known(row: int | None) -> list[int]:
    return [] if row is None else [row]


def _is_at(layer: Any, row: int, place: npt.NDArray[Any]) -> bool:
    return row < len(layer.data) and np.array_equal(layer.data[row], place)
