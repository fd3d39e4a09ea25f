"""The image that prompts are for: which one it is, where it lies, how the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from psygnal import Signal

from napari_sam.ui.layer_roles import find_image
from napari_sam.ui.placement import PLACEMENT
from napari_sam.ui.prompt_layers import target_image
from napari_sam.ui.sight import Sight, first_sight

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
        self._sights: dict[Hashable, Sight] = {}
        self.image: Image | None = None
        self._connected: list[tuple[Any, Callable[[], None]]] = []
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
        self._connect()
        self.turned.emit(before)

    def close(self) -> None:
        """Let go of image and viewer."""
        self._disconnect()
        for event, callback in self._layer_events:
            event.disconnect(callback)

    @property
    def sight(self) -> Sight | None:
        """What the model sees of the image."""
        if self.image is None:
            return None
        return self._sights.get(self.image.unique_id) or first_sight(self.image)

    @property
    def limits(self) -> tuple[float, float] | None:
        """Intensities that the model sees black and white; of the first channel of several."""
        return None if self.sight is None else self.sight.limits[0]

    def see(self, sight: Sight) -> None:
        """Let the model see other channels of the image, or see it under other limits."""
        if self.image is not None:
            self._disconnect()
            self._sights[self.image.unique_id] = sight
            self._connect()
            self.replaced.emit()

    def input(self, image: Image) -> ImageInput:
        """Describe the image to a model; from the first time on what it sees is fixed."""
        return self._sights.setdefault(image.unique_id, first_sight(image)).input()

    def _on_inserted(self, event: Any) -> None:
        owner = find_image(self._viewer, event.value)
        if owner is None and self.image is None and isinstance(event.value, Image):
            owner = event.value
        if owner is not None:
            self.turn_to(owner)

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        self._sights.pop(gone.unique_id, None)
        if gone is self.image:
            self.turn_to(target_image(self._viewer))
        for identity, sight in list(self._sights.items()):
            if gone in sight.layers:
                self._lose_channel(identity)

    def _lose_channel(self, identity: Hashable) -> None:
        """See the image alone again, as a layer of the others is gone."""
        if self.image is not None and self.image.unique_id == identity:
            self.see(first_sight(self.image))
        else:
            del self._sights[identity]

    def _on_active(self, event: Any) -> None:
        owner = None if event.value is None else find_image(self._viewer, event.value)
        if owner is not None:
            self.turn_to(owner)

    def _image_events(self) -> list[tuple[Any, Callable[[], None]]]:
        if self.image is None or self.sight is None:
            return []
        placing: list[tuple[Any, Callable[[], None]]] = [
            (getattr(self.image.events, name), self._on_moved) for name in PLACEMENT
        ]
        seen = dict.fromkeys((self.image, *self.sight.layers))
        return [
            *placing,
            *((layer.events.data, self._on_data) for layer in seen),
            *((layer.events.contrast_limits, self._on_contrast) for layer in seen),
        ]

    def _connect(self) -> None:
        self._connected = self._image_events()
        for event, callback in self._connected:
            event.connect(callback)

    def _disconnect(self) -> None:
        for event, callback in self._connected:
            event.disconnect(callback)
        self._connected = []

    def _on_moved(self) -> None:
        self.moved.emit()

    def _on_data(self) -> None:
        self.replaced.emit()

    def _on_contrast(self) -> None:
        self.contrast_changed.emit()
