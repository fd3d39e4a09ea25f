"""What a source says about itself, before any pixel is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.images.arrays import ArrayLike
    from napari_sam.images.channels import Color


@dataclass(frozen=True, slots=True)
class Contents:
    """Levels of an image and what is known about them.

    Parameters
    ----------
    levels : tuple of array
        Finest first.
    axes : str, optional
        One letter per axis; None when nothing names them.
    scales : tuple of tuple of float, optional
        Level-0 pixels per pixel, for each level and axis.
    shifts : tuple of tuple of float, optional
        Where the centre of pixel 0 of each level lies along each axis, in level-0 pixels. None
        when nothing says so.
    colors : tuple of (red, green, blue)
        Of the channels, as many as the file has.
    is_rgb : bool
        Whether the channels are known to be the colours of one picture.
    """

    levels: tuple[ArrayLike, ...]
    axes: str | None = None
    scales: tuple[tuple[float, ...], ...] | None = None
    shifts: tuple[tuple[float, ...], ...] | None = None
    colors: tuple[Color, ...] = ()
    is_rgb: bool = False
