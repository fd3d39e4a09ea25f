from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.open_panels import panel_of

if TYPE_CHECKING:
    import pytest
    from qtpy.QtWidgets import QMenu

    from napari_sam.ui.widget import SamWidget


def menu_action(menu: QMenu, *path: str) -> Any:
    """Find an entry of a menu by the beginnings of its titles."""
    menu.aboutToShow.emit()
    action = next(each for each in menu.actions() if each.text().startswith(path[0]))
    return action if len(path) == 1 else menu_action(action.menu(), *path[1:])


def test_the_menus_make_prompt_layers_and_dock_one_panel(
    make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch, backend: Any, picture: np.ndarray
) -> None:
    monkeypatch.setattr("napari_sam.ui.widget.SamBackend", lambda: backend)
    viewer = make_napari_viewer()
    new_layer = viewer.window.file_menu, "New Layer"
    action = menu_action(*new_layer, "New SAM point prompts")
    assert not action.isEnabled(), "there is nothing to prompt"
    viewer.add_image(picture, name="cells", scale=(0.5, 0.5))
    action = menu_action(*new_layer, "New SAM point prompts")
    assert action.isEnabled()
    action.trigger()
    points = viewer.layers.selection.active
    assert (points.name, points.mode) == ("cells points", "add")
    np.testing.assert_array_equal(points.scale, (0.5, 0.5))
    panel = panel_of(viewer)
    assert panel is not None
    menu_action(viewer.window.layers_menu, "Annotate", "New SAM box prompts").trigger()
    boxes = viewer.layers.selection.active
    assert (boxes.name, boxes.mode) == ("cells boxes", "add_rectangle")
    assert panel_of(viewer) is panel
    assert panel.session.prompts.points is points
    assert panel.session.prompts.boxes is boxes
    menu_action(*new_layer, "New SAM point prompts").trigger()
    assert [layer.name for layer in viewer.layers] == ["cells", "cells points", "cells boxes"]
    assert viewer.layers.selection.active is points


def test_the_menu_of_segmentation_opens_and_hides_the_same_panel(
    make_napari_viewer: Any, monkeypatch: pytest.MonkeyPatch, backend: Any, picture: np.ndarray
) -> None:
    monkeypatch.setattr("napari_sam.ui.widget.SamBackend", lambda: backend)
    viewer = make_napari_viewer()
    viewer.add_image(picture, name="cells")
    entry = viewer.window.layers_menu, "Segment", "Click to segment"
    menu_action(*entry).trigger()
    panel = panel_of(viewer)
    assert panel is not None
    menu_action(viewer.window.file_menu, "New Layer", "New SAM point prompts").trigger()
    assert panel_of(viewer) is panel
    menu_action(*entry).trigger()
    assert panel_of(viewer) is panel
    assert len(viewer.window.dock_widgets) == 1
    viewer.layers.selection.active = viewer.layers["cells points"]


def test_commands_of_the_palette_work_on_the_open_panel(panel: SamWidget, click_on: Any) -> None:
    from napari._app_model import get_app_model

    def execute(command: str) -> None:
        """Run a command on the current viewer, as the palette does."""
        get_app_model().commands.execute_command(f"napari-sam-tiles.{command}").result()

    click_on(panel, 20, 30)
    execute("accept")
    layer = panel.session.objects.layer
    assert layer.data[20, 30] == 1
    execute("undo")
    assert not layer.data.any()
    execute("redo")
    assert layer.data[20, 30] == 1
    execute("undo")
    click_on(panel, 20, 30)
    execute("clear")
    assert not len(panel.session.prompts.points.data)


def test_a_command_without_a_panel_says_how_to_open_one(
    make_napari_viewer_proxy: Any, warnings_shown: list[str]
) -> None:
    from napari_sam.ui.commands import accept

    accept(make_napari_viewer_proxy())
    assert "Layers > Segment" in warnings_shown[-1]


def test_a_command_without_an_image_says_so(
    make_napari_viewer_proxy: Any, warnings_shown: list[str]
) -> None:
    from napari_sam.ui.commands import new_box_prompts

    viewer = make_napari_viewer_proxy()
    new_box_prompts(viewer)
    assert "open an image first" in warnings_shown[-1]
    assert not len(viewer.layers)
