"""Device, precision and memory are napari settings where our manifest is registered."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from npe2 import PluginManifest

from napari_sam.ui.preferences import DEVICES, PRECISIONS, Computing, Preferences

if TYPE_CHECKING:
    from npe2._pytest_plugin import TestPluginManager

MANIFEST = Path(str(files("napari_sam"))) / "napari.yaml"


@pytest.fixture
def registered(plugin_settings: Any, npe2pm: TestPluginManager) -> None:
    npe2pm.register(PluginManifest.from_file(MANIFEST))


@pytest.mark.usefixtures("registered")
def test_the_defaults_of_the_manifest_are_those_of_the_code() -> None:
    assert Preferences().computing == Computing()


@pytest.mark.usefixtures("registered")
def test_what_is_changed_in_naparis_dialog_holds_at_once() -> None:
    from napari.settings import get_plugin_settings

    preferences = Preferences()
    get_plugin_settings("napari-sam-tiles").computing.device = "cpu"
    assert preferences.computing.device == "cpu"


@pytest.mark.usefixtures("registered")
def test_what_is_kept_is_there_the_next_time(tmp_path: Path) -> None:
    from napari import settings

    Preferences().keep(Computing("cpu", "float32", 64))
    written = (tmp_path / "napari-sam-tiles.yaml").read_text(encoding="utf-8")
    assert "float32" in written
    settings._clear_plugin_settings_cache()
    assert Preferences().computing == Computing("cpu", "float32", 64)


@pytest.mark.usefixtures("registered")
def test_every_choice_of_the_panel_is_one_of_the_dialog() -> None:
    preferences = Preferences()
    for device in DEVICES:
        for precision in PRECISIONS:
            preferences.keep(Computing(device, precision))
            assert preferences.computing == Computing(device, precision)
    with pytest.raises(ValueError, match="enum"):
        preferences.keep(Computing("abacus"))


@pytest.mark.usefixtures("plugin_settings")
def test_without_a_manifest_a_choice_holds_as_long_as_the_program_runs() -> None:
    preferences = Preferences()
    assert preferences.computing == Computing()
    preferences.keep(Computing("cpu", "float32"))
    assert preferences.computing == Computing("cpu", "float32")
    assert Preferences().computing == Computing()
