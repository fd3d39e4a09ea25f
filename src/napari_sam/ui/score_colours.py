"""Objects in the colour of their score: bright where the model is unsure, dark where it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, ensure_colormap
from pydantic import PrivateAttr

from napari_sam.ui.label_display import show_all, show_part

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.layers import Labels

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["BEST", "UNKNOWN_COLOUR", "WORST", "ScoreColours", "colour_of", "ramp", "steps_of"]

WORST, BEST = 0.5, 1.0
"""Scores at the ends of the colours, the same for every image: a colour always means the same
score. What is below the lower end is as urgent as the lower end."""

STEPS = 64
"""Colours between them. With background and "no score" they fit one byte of a texture."""

UNKNOWN = STEPS + 1
"""Step of an object without a score; 0 is the background, 1 the lowest score."""

UNKNOWN_COLOUR = (0.62, 0.62, 0.62, 1.0)

SURE, UNSURE = 0.08, 0.86
"""Part of the colour map "plasma" in use: from dark blue, through purple, to a bright orange. Its
lightness rises evenly and its hue runs from blue to yellow, so that it reads the same with every
kind of colour blindness; the ends, nearly black and a pale yellow, are left out."""

HIGHEST = 2**26
"""Ids above this one have no place in the table of steps (64 MB) and count as without a score."""


def ramp() -> npt.NDArray[np.float64]:
    """Colours of the scores from `WORST` to `BEST`, shape (STEPS, 4), RGBA from 0 to 1."""
    colours = ensure_colormap("plasma").map(np.linspace(UNSURE, SURE, STEPS))
    return np.asarray(colours, np.float64)


def steps_of(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Step of every score, from 1 to `STEPS`; `UNKNOWN` for NaN."""
    share = np.clip((scores - WORST) / (BEST - WORST), 0, 1)
    steps = 1 + np.rint(np.nan_to_num(share) * (STEPS - 1)).astype(np.uint8)
    steps[np.isnan(scores)] = UNKNOWN
    return steps


def colour_of(score: float | None) -> npt.NDArray[np.float64]:
    """Colour of one score, RGBA from 0 to 1."""
    if score is None or np.isnan(score):
        return np.array(UNKNOWN_COLOUR)
    return np.asarray(_COLOURS[steps_of(np.array([score]))[0]])


_COLOURS = np.vstack([np.zeros(4), ramp(), UNKNOWN_COLOUR])


class ScoreColormap(CyclicLabelColormap):  # type: ignore[misc]  # napari is not typed
    """Colormap of a Labels layer that looks the step of every id up in a table.

    napari's own map from ids to colours takes ids up to 65,536 only (without numba), checks every
    colour, and computes everything anew when one changes. This one costs one table access for
    each pixel. The names that begin with an underscore are those by which napari asks a colormap.
    """

    _steps: npt.NDArray[np.uint8] = PrivateAttr(default_factory=lambda: _table(0))

    @classmethod
    def for_scores(
        cls, ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]
    ) -> ScoreColormap:
        """Colours for objects with scores; NaN where there is none."""
        colormap = cls(colors=_COLOURS)
        colormap.set_scores(ids, scores)
        return colormap

    def set_scores(self, ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> bool:
        """Give objects their colours; nothing is drawn. True when one of them was another."""
        known = (ids > 0) & (ids <= HIGHEST)
        ids, steps = ids[known], steps_of(scores[known])
        highest = int(ids.max(initial=0))
        if highest >= len(self._steps) - 1:
            longer = _table(highest + highest // 4)
            longer[: len(self._steps)] = self._steps
            self._steps = longer
        if np.array_equal(self._steps[ids], steps):
            return False
        self._steps[ids] = steps
        self._clear_cache()
        return True

    def model_dump(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        # napari draws with a plain copy, which has to find the selected object by its step.
        values: dict[str, Any] = super().model_dump(*arguments, **named)
        return {**values, "selection": int(self._steps_at(np.array(self.selection)))}

    def _data_to_texture(self, values: Any) -> Any:
        if values.itemsize <= 2:
            return super()._data_to_texture(values)  # such ids are themselves the texture
        steps = self._steps_at(values)
        return np.where(values == self.selection, steps, 0) if self.use_selection else steps

    def _map_without_cache(self, values: Any) -> Any:
        return _COLOURS[self._steps_at(values)].astype(np.float32)

    def _steps_at(self, ids: Any) -> Any:
        return self._steps.take(ids.astype(np.intp, copy=False), mode="clip")


def _table(highest: int) -> npt.NDArray[np.uint8]:
    """Make the steps of ids from 0 to `highest`, and one more that stands for all others."""
    steps = np.full(highest + 2, UNKNOWN, np.uint8)
    steps[0] = 0
    return steps


class ScoreColours:
    """Puts a Labels layer into the colours of scores and gives it back its own.

    Attributes
    ----------
    layer : Labels or None
        The layer that is coloured now.
    """

    def __init__(self) -> None:
        self.layer: Labels | None = None
        self._own: Any = None
        self._colormap: ScoreColormap | None = None

    @property
    def shown(self) -> bool:
        """Whether the colours are on; False too when somebody gave the layer others since."""
        return self.layer is not None and self.layer.colormap is self._colormap

    def show(
        self, layer: Labels, ids: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]
    ) -> None:
        """Colour a layer by the scores of its objects, NaN where there is none."""
        self.hide()
        self.layer, self._own = layer, layer.colormap
        self._colormap = ScoreColormap.for_scores(ids, scores)
        self._swap(self._colormap)

    def hide(self) -> None:
        """Give the layer its own colours back."""
        if self.shown:
            self._swap(self._own)
        self.layer = self._own = self._colormap = None

    def update(
        self,
        ids: npt.NDArray[np.int64],
        scores: npt.NDArray[np.float64],
        plane: tuple[int, ...] | None,
        box: Box | None,
    ) -> None:
        """Colour objects that were added or changed, in a box of a plane or, with None, all over.

        Nothing is drawn when no colour changed.
        """
        layer, colormap = self.layer, self._colormap
        if layer is None or colormap is None or not self.shown:
            return
        if not colormap.set_scores(ids, scores):
            return
        if np.dtype(layer.dtype).itemsize <= 2:
            layer.events.colormap()  # the colours of all ids are the texture
        elif box is None or plane is None:
            show_all(layer)
        else:
            show_part(layer, plane, box)

    def _swap(self, colormap: Any) -> None:
        layer = self.layer
        if layer is not None:
            colormap.use_selection = layer.show_selected_label
            colormap.selection = layer.selected_label
            layer.colormap = colormap
