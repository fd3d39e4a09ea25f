"""Mixed precision where it is faster."""

from __future__ import annotations

import torch

from napari_sam.model.precision import has_bfloat16

__all__ = ["precision"]


def precision(device: torch.device, bfloat16: bool) -> torch.autocast:
    """Make the context to compute in.

    Parameters
    ----------
    device : torch.device
    bfloat16 : bool
        Whether to compute in bfloat16 where that is safe, if the device is made for it; float32 as
        usual otherwise.
    """
    enabled = bfloat16 and has_bfloat16(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
