"""How models compute: what napari's Preferences say under our name, or the defaults.

The settings are declared in the manifest (`configurations`). Where it is not registered, as in a
viewer without plugins, what is chosen holds as long as the program runs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from napari_sam.ui.layer_roles import KEY as PLUGIN

if TYPE_CHECKING:
    from napari_sam.model.precision import Precision

__all__ = ["DEVICES", "PRECISIONS", "Computing", "Preferences"]

DEVICES = ("auto", "cpu", "cuda", "mps")

PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Computing:
    """How models compute.

    Parameters
    ----------
    device : str
        What `load_model` takes: "auto", "cpu", "cuda" or "mps".
    precision : {"auto", "float32", "bfloat16"}
    memory : int
        Megabytes for what a model has seen of each image.
    """

    device: str = "auto"
    precision: Precision = "auto"
    memory: int = 256


class Preferences:
    """Reads and changes our part of napari's Preferences."""

    def __init__(self) -> None:
        self._chosen = Computing()
        self._is_registered = True

    @property
    def computing(self) -> Computing:
        """What holds now; the user may change it in napari's own dialog at any time."""
        kept = self._section()
        if kept is None:
            return self._chosen
        return Computing(kept.device, kept.precision, kept.memory)

    def keep(self, computing: Computing) -> None:
        """Change what holds; napari writes it to its settings file."""
        self._chosen = computing
        kept = self._section()
        if kept is not None:
            for name, value in asdict(computing).items():
                setattr(kept, name, value)

    def _section(self) -> Any:
        """Our section of napari's settings; None where our manifest is not registered."""
        if self._is_registered:  # asking in vain looks through all plugins each time
            from napari.settings import get_plugin_settings

            try:
                return get_plugin_settings(PLUGIN).computing
            except KeyError:
                self._is_registered = False
        return None
