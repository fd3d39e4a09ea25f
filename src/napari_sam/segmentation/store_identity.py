"""What the embeddings of a model and an image are made from, so that a store has no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.images.fingerprint import fingerprint
from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileGrid

if TYPE_CHECKING:
    from napari_sam.images.source import ImageSource
    from napari_sam.model.sam import Sam

__all__ = ["store_identity"]


def store_identity(model: Sam, image: ImageSource, *, is_kept: bool) -> StoreIdentity:
    """Say what a store's embeddings are made from; what is not kept needs no fingerprints."""
    config = model.config
    grid = TileGrid.for_cells(image.plane_shape, 1.0, config.image_size, config.cell)
    return StoreIdentity(
        image_shape=image.shape,
        image_dtype=str(image.dtype),
        image_axes=image.axes.names,
        image_channels=image.channels,
        image_colors=image.colors,
        image_fingerprint=fingerprint(image) if is_kept else "",
        limits=image.limits,
        model_name=model.name,
        model_sha256=model.sha256 if is_kept else "",
        tile=config.image_size,
        cell=config.cell,
        core=grid.step,
        embedding_shape=(config.channels, config.grid_size, config.grid_size),
    )
