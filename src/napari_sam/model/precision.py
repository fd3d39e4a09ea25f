"""Which floating-point type the arithmetic of inference runs in."""

from __future__ import annotations

from typing import Literal

import torch

from napari_sam.errors import InputError

__all__ = ["Precision", "has_bfloat16", "resolve_precision"]

Precision = Literal["auto", "float32", "bfloat16"]
"""What a user may ask for; "auto" takes bfloat16 where the device has units for it."""

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Turn a name into the type to compute in.

    Raises
    ------
    InputError
        When the name means nothing.
    """
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    if precision not in _DTYPES:
        raise InputError(
            f"There is no precision {precision!r}; choose from auto, {', '.join(_DTYPES)}."
        )
    return _DTYPES[precision]


def has_bfloat16(device: torch.device) -> bool:
    """Whether products of matrices are faster in bfloat16 there, by units made for it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False
