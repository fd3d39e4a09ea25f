"""Pixels to embeddings, always in batches of one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_sam.model.sam import Sam

BATCH = {"cpu": 1, "mps": 1, "cuda": 8}
"""Windows encoded at once on each kind of device.

A CPU gains nothing from more. On a GPU 8 of ViT-H take about 12 GB.
"""


def batch_size(model: Sam) -> int:
    """Windows that `encode` handles at once on the model's device."""
    return BATCH.get(model.device.type, 1)


@torch.inference_mode()
def encode(model: Sam, images: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float16]]:
    """Encode up to `batch_size` windows.

    The batch is filled up with the last image, because kernels may round differently for another
    batch size: an embedding must not depend on how many were asked for. It is kept in half
    precision, in memory as on disk, for the same reason.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (3, h, w)
        RGB, as `ImageSource.render` draws them.

    Returns
    -------
    list of ndarray of float16, shape (C, G, G)
    """
    pixels = []
    for image in images:
        tensor = torch.from_numpy(image)[None]
        if model.device.type == "cuda":
            tensor = tensor.pin_memory().to(model.device, non_blocking=True)
        pixels.append(model.preprocess(tensor))
    pixels += pixels[-1:] * (batch_size(model) - len(pixels))
    embeddings = model.encode(torch.cat(pixels))[: len(images)]
    return list(embeddings.half().cpu().numpy())
