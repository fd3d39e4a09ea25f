"""Positive and negative points: what the next click says, by key, by button, by mouse button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from napari_sam.ui.layer_roles import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Points

__all__ = [
    "COLOURS",
    "FEATURE",
    "POLARITIES",
    "Polarity",
    "attach_polarity",
    "polarity_of",
    "set_polarity",
    "toggle_polarity",
]

Polarity = Literal["positive", "negative"]

FEATURE = "polarity"
"""Name of the points' feature."""

POLARITIES: tuple[Polarity, Polarity] = ("positive", "negative")

COLOURS = ("lime", "red")
"""Colours of `POLARITIES`."""

RIGHT_BUTTON = 2


def attach_polarity(points: Points) -> None:
    """Give a point layer the toggle key and the right-click."""
    points.mouse_drag_callbacks.insert(0, _choose_by_button)
    points.events.features.connect(_restore_default)
    points.bind_key("t", toggle_polarity, overwrite=True)


def polarity_of(points: Points) -> Polarity:
    """Polarity of the next point of a plain left click."""
    polarity: Polarity = points.metadata[KEY].get(FEATURE, "positive")
    return polarity


def set_polarity(points: Points, polarity: Polarity) -> None:
    """Choose the polarity of the next points; emits the layer's event ``feature_defaults``."""
    points.metadata[KEY][FEATURE] = polarity
    _set_default(points, polarity)


def toggle_polarity(points: Points) -> None:
    """Swap the polarity of the next points."""
    set_polarity(points, "negative" if polarity_of(points) == "positive" else "positive")


def _choose_by_button(points: Points, event: Any) -> Iterator[None]:
    """Before a point is added: a right click, or one with Alt held, says background."""
    says_background = event.button == RIGHT_BUTTON or "Alt" in event.modifiers
    _set_default(points, "negative" if says_background else polarity_of(points))
    yield


def _restore_default(event: Any) -> None:
    """After a point was added or selected napari takes its polarity for the next; we do not."""
    _set_default(event.source, polarity_of(event.source))


def _set_default(points: Points, polarity: Polarity) -> None:
    defaults = points.feature_defaults.copy()
    if defaults[FEATURE].iloc[0] != polarity:
        defaults[FEATURE] = polarity
        points.feature_defaults = defaults
