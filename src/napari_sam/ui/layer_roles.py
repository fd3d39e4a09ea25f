"""Which layers of a viewer are ours, and which image they belong to.

A layer says so itself, in its metadata: a panel that is opened later, or again, finds it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Image, Layer

__all__ = [
    "KEY",
    "PROMPTS",
    "Role",
    "add_below",
    "find_image",
    "find_layer",
    "metadata_for",
    "role_of",
]

KEY = "napari-sam-tiles"
"""Key of our entry in a layer's metadata."""

Role = Literal["points", "boxes", "labels", "preview", "edit", "frame", "found", "ruler", "ready"]

PROMPTS: tuple[Role, Role] = ("points", "boxes")


def metadata_for(role: Role, image: Image) -> dict[str, Any]:
    """Metadata of a new layer with a role for an image."""
    return {KEY: {"role": role, "image": image.unique_id}}


def role_of(layer: Layer | None) -> Role | None:
    """Role of a layer, None of one that is not ours."""
    role: Role | None = _entry(layer).get("role")
    return role


def find_layer(viewer: Any, image: Image, role: Role) -> Any:
    """Topmost layer with a role for an image, or None."""
    wanted = metadata_for(role, image)[KEY].items()
    return next(
        (layer for layer in reversed(viewer.layers) if wanted <= _entry(layer).items()), None
    )


def find_image(viewer: Any, layer: Layer) -> Image | None:
    """Image that one of our layers belongs to, None when it is gone or the layer is not ours."""
    identity = _entry(layer).get("image")
    if identity is None:
        return None
    return next((other for other in viewer.layers if other.unique_id == identity), None)


def add_below(viewer: Any, layer: Layer, others: Iterable[Layer | None]) -> None:
    """Add a layer where it covers none of the others; the selection stays as it is."""
    selected, active = set(viewer.layers.selection), viewer.layers.selection.active
    indices = [viewer.layers.index(other) for other in others if other is not None]
    viewer.layers.insert(min([*indices, len(viewer.layers)]), layer)
    viewer.layers.selection = selected
    viewer.layers.selection.active = active


def _entry(layer: Layer | None) -> dict[str, Any]:
    entry = {} if layer is None else layer.metadata.get(KEY, {})
    return entry if isinstance(entry, dict) else {}
