"""The image that prompts are for: which one it is, where it lies, how the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from psygnal import Signal

from napari_sam.ui.backend import image_input, shown_limits
from napari_sam.ui.layer_roles import find_image
from napari_sam.ui.placement import PLACEMENT
from napari_sam.ui.prompt_layers import target_image

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from napari_sam.ui.backend import ImageInput

__all__ = ["ImageWatch"]


class ImageWatch:
    """Follows the user from image to image, and an image through its changes.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel

    Attributes
    ----------
    image : Image or None
        The image of the prompts that the user turned to last.
    turned : Signal
        It is another image now. Carries the one before, which may be gone from the viewer.
    moved : Signal
        Its scale or place in the world changed.
    replaced : Signal
        Its pixels, or the limits that the model sees them in, are others.
    contrast_changed : Signal
        The layer shows other contrast limits; the model does not follow by itself.
    """

    turned = Signal(object)
    moved = Signal()
    replaced = Signal()
    contrast_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._limits: dict[Hashable, tuple[float, float]] = {}
        self.image: Image | None = None
        self._layer_events = (
            (viewer.layers.events.inserted, self._on_inserted),
            (viewer.layers.events.removed, self._on_removed),
            (viewer.layers.selection.events.active, self._on_active),
        )
        for event, callback in self._layer_events:
            event.connect(callback)

    def turn_to(self, image: Image | None) -> None:
        """Turn to another image."""
        before = self.image
        if image is before:
            return
        self._disconnect()
        self.image = image
        for event, callback in self._image_events():
            event.connect(callback)
        self.turned.emit(before)

    def close(self) -> None:
        """Let go of image and viewer."""
        self._disconnect()
        for event, callback in self._layer_events:
            event.disconnect(callback)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Intensities that the model sees black and white."""
        if self.image is None:
            return None
        return self._limits.get(self.image.unique_id, shown_limits(self.image))

    @property
    def shows_other_limits(self) -> bool:
        """Whether the layer's contrast was changed since the model was first asked."""
        return self.image is not None and self.limits != shown_limits(self.image)

    def take_limits(self) -> None:
        """Let the model see the contrast that the layer shows now."""
        if self.image is not None:
            self._limits[self.image.unique_id] = shown_limits(self.image)
            self.replaced.emit()

    def input(self, image: Image) -> ImageInput:
        """Describe the image to a model; from the first time on its limits are fixed."""
        limits = self._limits.setdefault(image.unique_id, shown_limits(image))
        return image_input(image, limits)

    def _on_inserted(self, event: Any) -> None:
        owner = find_image(self._viewer, event.value)
        if owner is None and self.image is None and isinstance(event.value, Image):
            owner = event.value
        if owner is not None:
            self.turn_to(owner)

    def _on_removed(self, event: Any) -> None:
        self._limits.pop(event.value.unique_id, None)
        if event.value is self.image:
            self.turn_to(target_image(self._viewer))

    def _on_active(self, event: Any) -> None:
        owner = None if event.value is None else find_image(self._viewer, event.value)
        if owner is not None:
            self.turn_to(owner)

    def _image_events(self) -> list[tuple[Any, Callable[[], None]]]:
        if self.image is None:
            return []
        events = self.image.events
        placing: list[tuple[Any, Callable[[], None]]] = [
            (getattr(events, name), self._on_moved) for name in PLACEMENT
        ]
        return [
            *placing,
            (events.data, self._on_data),
            (events.contrast_limits, self._on_contrast),
        ]

    def _disconnect(self) -> None:
        for event, callback in self._image_events():
            event.disconnect(callback)

    def _on_moved(self) -> None:
        self.moved.emit()

    def _on_data(self) -> None:
        self.replaced.emit()

    def _on_contrast(self) -> None:
        self.contrast_changed.emit()
