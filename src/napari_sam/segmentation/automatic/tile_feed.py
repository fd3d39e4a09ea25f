"""Tiles made ready for the decoder one after the other, read ahead while the model works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam.segmentation.encoding import batch_size, encode
from napari_sam.segmentation.reading import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from napari_sam.images.tiles import Window
    from napari_sam.model.tile_decoder import DecoderTile, TileDecoder
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["prepared_tiles"]

READERS = 4
"""Windows read at once: hides a slow source."""


def prepared_tiles(
    segmenter: Segmenter, decoder: TileDecoder, plane: tuple[int, ...], windows: Iterable[Window]
) -> Generator[DecoderTile | None]:
    """Prepare windows for the decoder, in their order.

    Embeddings come from the segmenter's store and go there. While a window is decoded, the next
    ones are read. Closing the generator stops it.

    Parameters
    ----------
    segmenter : Segmenter
    decoder : TileDecoder
    plane : tuple of int
    windows : iterable of Window

    Yields
    ------
    DecoderTile or None
        None for a window that is constant: there is nothing to see.

    Raises
    ------
    InputError
        When a window holds values that are not finite.
    StoreError
        When an embedding cannot be written to disk.
    """
    image, model, store = segmenter.image, segmenter.model, segmenter.store
    size = batch_size(model)
    with ReadAhead(image, store, plane, windows, READERS) as reads:
        while batch := reads.next_batch(size, at_most=size):
            shown = [(read.window, read.pixels) for read in batch if read.pixels is not None]
            embeddings = encode(model, [pixels for _, pixels in shown]) if shown else []
            new = {window: each for (window, _), each in zip(shown, embeddings, strict=True)}
            for window, each in new.items():
                store.put(plane, window, each)
            for window in (read.window for read in batch):
                embedding = new.get(window)
                if embedding is None and store.state(plane, window) != "constant":
                    embedding = store.get(plane, window)
                    if embedding is None:  # its file was damaged, or evicted meanwhile
                        (embedding,) = encode(model, [image.render(window, plane)])
                if embedding is None:
                    yield None
                else:  # torch takes no array that is read-only
                    yield decoder.prepare(torch.from_numpy(embedding.copy()))
