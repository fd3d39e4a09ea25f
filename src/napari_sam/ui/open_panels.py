"""Which panel belongs to which viewer: commands of the menus and the palette look here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from napari_sam.ui.widget import SamWidget

__all__ = ["panel_of", "register", "unregister", "unwrap"]

_panels: WeakSet[SamWidget] = WeakSet()


def register(panel: SamWidget) -> None:
    """Remember an open panel."""
    _panels.add(panel)


def unregister(panel: SamWidget) -> None:
    """Forget a panel that closes."""
    _panels.discard(panel)


def panel_of(viewer: Any) -> SamWidget | None:
    """Open panel of a viewer, None when it has none."""
    viewer = unwrap(viewer)
    return next((panel for panel in _panels if panel.session.viewer is viewer), None)


def unwrap(viewer: Any) -> Any:
    """Viewer behind the proxy that napari hands to commands of plugins.

    The proxy is another object at every access, so nothing could be compared with it.
    """
    return getattr(viewer, "__wrapped__", viewer)
