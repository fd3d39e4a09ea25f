"""Pixels to embeddings, always in batches of one shape."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_sam.model.sam import Sam

LOGGER = logging.getLogger(__name__)


def batch_size(model: Sam) -> int:
    """Windows that `encode` handles at once on the model's device."""
    return model.tile_encoder().batch


@torch.inference_mode()
def encode(model: Sam, images: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float16]]:
    """Encode windows.

    They are encoded in batches of one shape, the last one filled up with its last image, because
    kernels may round differently for another batch size: an embedding must not depend on how many
    were asked for. It is kept in half precision, in memory as on disk, for the same reason. Where
    memory runs out, this batch and all later ones are smaller.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (3, h, w)
        RGB, as `ImageSource.render` draws them.

    Returns
    -------
    list of ndarray of float16, shape (C, G, G)
    """
    encoder = model.tile_encoder()
    embeddings: list[npt.NDArray[np.float16]] = []
    while len(embeddings) < len(images):
        size = encoder.batch
        batch = images[len(embeddings) : len(embeddings) + size]
        pixels = [_pixels(model, image) for image in batch]
        pixels += pixels[-1:] * (size - len(batch))
        start = time.monotonic()
        try:
            encoded = encoder(torch.cat(pixels))
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            encoder.batch = size // 2
            LOGGER.debug("memory ran out: batches of %d from now on", encoder.batch)
            continue
        embeddings.extend(encoded[: len(batch)].half().cpu().numpy())
        seconds = time.monotonic() - start
        model.seconds_per_tile = seconds / size
        LOGGER.debug("encoded %d tile(s) in %.3f s", len(batch), seconds)
    return embeddings


def _pixels(model: Sam, image: npt.NDArray[np.uint8]) -> torch.Tensor:
    tensor = torch.from_numpy(image)[None]
    if model.device.type == "cuda":
        tensor = tensor.pin_memory().to(model.device, non_blocking=True)
    return model.preprocess(tensor)
