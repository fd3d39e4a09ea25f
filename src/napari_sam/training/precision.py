"""Mixed precision where it is faster."""

from __future__ import annotations

import torch

__all__ = ["precision"]


def precision(device: torch.device, mixed: bool) -> torch.autocast:
    """Make the context to compute in: bfloat16 where that is safe, or float32 as usual."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed)
