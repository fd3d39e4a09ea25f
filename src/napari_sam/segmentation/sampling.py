"""How large an object looks to the model: the sampling of a prompt and the window that answers it.

The rules depend on the image and the prompt alone, never on what was asked before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.tiles import TileGrid, Window, window_to_fit

if TYPE_CHECKING:
    from napari_sam.model.config import SamConfig
    from napari_sam.segmentation.prompt import Prompt

Sampling = float | Literal["fit"]
"""Image pixels per model pixel, a power of two; "fit" is the reference's own preprocessing."""

SMALLEST, USUAL, LARGEST = 1 / 16, 1 / 8, 1 / 4
"""Width of an object as a share of a tile, between which a model sees objects well."""


def check_sampling(sampling: object) -> Sampling:
    """Validate a sampling given by a user.

    Raises
    ------
    InputError, InputTypeError
        When it is neither "fit" nor a power of two.
    """
    if sampling == "fit":
        return "fit"
    if isinstance(sampling, (str, bytes)) or not hasattr(sampling, "__float__"):
        raise InputTypeError(f"sampling {sampling!r} is not a number: give a power of two or 'fit'")
    value = float(sampling)
    if not (math.isfinite(value) and value > 0 and math.frexp(value)[0] == 0.5):
        raise InputError(
            f"sampling {value:g} is not a power of two: give 0.25, 0.5, 1, 2, 4 ... image pixels "
            "per model pixel, or 'fit'"
        )
    return value


def fitting_sampling(plane_shape: tuple[int, int], size: int) -> float:
    """Smallest power of two at which a plane fits one tile of ``size`` model pixels, at most 1."""
    return min(1.0, 2.0 ** math.ceil(math.log2(max(plane_shape) / size)))


def diameter_sampling(diameter: float, size: int) -> float:
    """Power of two at which an object of ``diameter`` pixels is about `USUAL` of a tile wide."""
    return float(2.0 ** round(math.log2(diameter / (USUAL * size))))


def choose_sampling(prompt: Prompt, size: int, usual: float) -> float:
    """Choose the sampling of a prompt that came without.

    A box or a mask shows how large its object is and moves the usual sampling by octaves until
    that is `SMALLEST` to `LARGEST` of a tile. Points only say how large it is at least.

    Parameters
    ----------
    prompt : Prompt
    size : int
        Model pixels along a side of a tile.
    usual : float
        Sampling of a prompt that says nothing, from the diameter or the size of the plane.
    """
    sampling = usual
    y0, x0, y1, x1 = prompt.extent()
    extent = max(y1 - y0, x1 - x0)
    if prompt.box is None and prompt.mask is None:
        while extent / sampling > size / 2:
            sampling *= 2
        return sampling
    while extent / sampling > LARGEST * size:
        sampling *= 2
    while extent / sampling < SMALLEST * size:
        sampling /= 2
    return sampling


def window_for(
    prompt: Prompt, plane_shape: tuple[int, int], sampling: Sampling, config: SamConfig
) -> Window:
    """Window that answers a prompt.

    It is the tile whose core holds the centre of what the prompt says is object. Where that is
    more than the tile holds, a window centred on it; where it is more than any window holds, the
    sampling goes up. So a prompt is never refused for where it lies.
    """
    size = config.image_size
    if sampling == "fit":
        return window_to_fit(plane_shape, size)
    y0, x0, y1, x1 = prompt.extent()
    centre = ((y0 + y1) / 2, (x0 + x1) / 2)
    while True:
        grid = TileGrid.for_cells(plane_shape, sampling, size, config.cell)
        for window in (grid.window(grid.tile_at(centre)), grid.window_around(centre)):
            if shows(window, prompt):
                return window
        sampling *= 2


def shows(window: Window, prompt: Prompt) -> bool:
    """Whether all that the prompt says is object lies in a window."""
    y0, x0, y1, x1 = prompt.extent()
    corners = window.to_model([(y0, x0), (y1, x1)])
    return bool((corners >= 0).all() and (corners <= window.size).all())
