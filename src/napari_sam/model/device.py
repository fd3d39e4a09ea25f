"""Where the model runs."""

from __future__ import annotations

import torch

from napari_sam.errors import InputError

__all__ = ["resolve_device"]


def resolve_device(device: str = "auto") -> torch.device:
    """Turn a name into a device that is there.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps", or "auto": the first of cuda, mps and cpu that this machine
        has.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    InputError
        When the name means nothing or this machine has no such device.
    """
    available = _available()
    if device == "auto":
        return torch.device(available[0])
    names = ["auto", *available]
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(
            f"There is no device {device!r}; choose from {', '.join(names)}."
        ) from error
    on_missing_gpu = found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count()
    if found.type not in {torch.device(name).type for name in available} or on_missing_gpu:
        raise InputError(
            f"The device {device!r} is not available here; choose from {', '.join(names)}."
        )
    return found


def _available() -> list[str]:
    """Devices of this machine, the preferred one first."""
    names = []
    if torch.cuda.is_available():
        names.append("cuda")
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]
