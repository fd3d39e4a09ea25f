"""What the menus and the command palette of napari run; see napari.yaml.

Imports nothing heavy: napari imports this module to run any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_sam.ui.session import Session
    from napari_sam.ui.widget import SamWidget

__all__ = ["accept", "clear", "new_box_prompts", "new_point_prompts", "redo", "undo"]

PANEL_NAME = "Click to segment (Segment Anything, any size)"
"""Name that napari's own menu item gives the panel: so that the menu finds this one again."""


def new_point_prompts(viewer: napari.Viewer) -> None:
    """Make or select the point prompts of the selected image, and show the panel."""
    from napari_sam.ui.prompt_layers import point_layer

    _new_prompts(viewer, point_layer)


def new_box_prompts(viewer: napari.Viewer) -> None:
    """Make or select the box prompts of the selected image, and show the panel."""
    from napari_sam.ui.prompt_layers import box_layer

    _new_prompts(viewer, box_layer)


def accept(viewer: napari.Viewer) -> None:
    """Accept the chosen candidate of the viewer's panel."""
    if (session := _session(viewer)) is not None:
        session.accept()


def clear(viewer: napari.Viewer) -> None:
    """Wipe the marks of the plane in view."""
    if (session := _session(viewer)) is not None:
        session.clear()


def undo(viewer: napari.Viewer) -> None:
    """Take the last step back."""
    if (session := _session(viewer)) is not None:
        session.undo()


def redo(viewer: napari.Viewer) -> None:
    """Do again what was taken back last."""
    if (session := _session(viewer)) is not None:
        session.redo()


def show_panel(viewer: napari.Viewer) -> SamWidget | None:
    """Show the viewer's panel, and dock one when it has none; None without a window."""
    from napari_sam.ui.open_panels import panel_of, unwrap

    viewer = unwrap(viewer)
    window = getattr(viewer, "window", None)
    if window is None:
        return None
    panel = panel_of(viewer)
    if panel is None:
        from napari_sam.ui.widget import SamWidget

        panel = SamWidget(viewer)
        window.add_dock_widget(panel, name=PANEL_NAME, area="right")
    panel.bring_up()
    return panel


def _new_prompts(viewer: Any, make: Callable[..., object]) -> None:
    from napari.utils.notifications import show_warning

    from napari_sam.ui.open_panels import unwrap
    from napari_sam.ui.prompt_layers import target_image

    viewer = unwrap(viewer)
    image = target_image(viewer)
    if image is None:
        show_warning("There is no image layer to prompt: open an image first.")
        return
    show_panel(viewer)
    make(viewer, image)


def _session(viewer: Any) -> Session | None:
    from napari.utils.notifications import show_warning

    from napari_sam.ui.open_panels import panel_of

    panel = panel_of(viewer)
    if panel is None:
        show_warning(
            "The panel “Click to segment” is not open in this viewer: open it with "
            "Layers > Segment."
        )
        return None
    return panel.session
