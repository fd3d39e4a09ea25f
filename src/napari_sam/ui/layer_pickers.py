"""Pickers for the image and for the layer that objects go into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Labels

from napari_sam.ui.label_layers import fits
from napari_sam.ui.layer_roles import role_of

if TYPE_CHECKING:
    from napari_sam.ui.session import Session

__all__ = ["ImagePicker", "LabelsPicker"]

NEW_LAYER = "new layer"


class _LayerPicker(ComboBox):
    """Layers of a viewer to pick from; the list is made anew only when it changed.

    (An open list would close.)
    """

    def __init__(self, session: Session, name: str, tooltip: str) -> None:
        self._session = session
        self._shown: list[tuple[str, Any]] = []
        super().__init__(name=name, choices=self._layers, nullable=False, tooltip=tooltip)
        self.changed.connect(self._on_picked)

    def sync(self) -> None:
        """Show the layers there are and the one that the session uses."""
        with self.changed.blocked():
            layers = self._layers()
            if layers != self._shown:
                self._shown = layers
                self.reset_choices()
            current = self._current()
            if current in self.choices:
                self.value = current

    def _layers(self, _: object = None) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _current(self) -> Any:
        raise NotImplementedError

    def _on_picked(self, layer: Any) -> None:
        raise NotImplementedError


class ImagePicker(_LayerPicker):
    """The image layers of a viewer; picking one turns the session to it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "image", "The image to segment.")

    def _layers(self, _: object = None) -> list[tuple[str, Any]]:
        layers = self._session.viewer.layers
        return [(layer.name, layer) for layer in layers if isinstance(layer, Image)]

    def _current(self) -> Image | None:
        return self._session.image

    def _on_picked(self, layer: Image | None) -> None:
        self._session.use_image(layer)


class LabelsPicker(_LayerPicker):
    """The Labels layers of the image's size; picking one sends objects there."""

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            "labels",
            "Where accepted objects go: a new Labels layer, made with the first object, or one of "
            "the image's size. Objects already there keep their pixels.",
        )

    def _layers(self, _: object = None) -> list[tuple[str, Any]]:
        image = self._session.image
        layers = [
            (layer.name, layer)
            for layer in self._session.viewer.layers
            if isinstance(layer, Labels)
            and role_of(layer) != "preview"
            and image is not None
            and fits(layer, image)
        ]
        return [(NEW_LAYER, None), *layers]

    def _current(self) -> Labels | None:
        return self._session.objects.layer

    def _on_picked(self, layer: Labels | None) -> None:
        self._session.use_labels(layer)
