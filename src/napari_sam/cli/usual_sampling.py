"""The sampling of prompts that do not say how large their objects are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.segmentation.sampling import diameter_sampling, fitting_sampling

if TYPE_CHECKING:
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["usual_sampling"]


def usual_sampling(segmenter: Segmenter) -> float:
    """Return the sampling that a `Segmenter` chooses: by its diameter, else by the plane."""
    size = segmenter.model.config.image_size
    if segmenter.diameter is not None:
        return diameter_sampling(segmenter.diameter, size)
    return fitting_sampling(segmenter.image.plane_shape, size)
