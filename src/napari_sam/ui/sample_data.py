"""Samples of File > Open Sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.images.source import open_image
from napari_sam.images.synthetic import SyntheticSlide

if TYPE_CHECKING:
    from napari_sam.images.slide_level import ImageLevel

__all__ = ["synthetic_slide"]


def synthetic_slide() -> list[tuple[tuple[ImageLevel, ...], dict[str, Any], str]]:
    """Make a procedural slide of nuclei that takes no room on disk.

    Returns
    -------
    list of LayerDataTuple
        One multiscale image layer.
    """
    levels = tuple(SyntheticSlide((100_000, 100_000)).levels)
    (limits,) = open_image(levels).limits  # else napari would measure them on a coarse level
    options = {"name": "synthetic slide", "multiscale": True, "contrast_limits": limits}
    return [(levels, options, "image")]
