"""`napari-sam info`: what a bug report needs."""

from __future__ import annotations

from typing import Any

import click

from napari_sam.cli.options import json_option
from napari_sam.cli.program import print_json

__all__ = ["info"]

PACKAGES = (
    *("torch", "numpy", "scikit-image", "tifffile", "zarr", "dask"),
    *("napari", "npe2", "PyQt6", "PySide6"),
)

VARIABLES = ("NAPARI_SAM_CHECKPOINTS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "QT_API")
"""What is set in the environment and changes what happens."""


@click.command(epilog="\b\nExample:\n  napari-sam info\n  napari-sam info --json > report.json")
@json_option
def info(as_json: bool) -> None:
    """Print versions, device and folders: paste it into a bug report."""
    facts = collect()
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        if isinstance(value, dict):
            lines = [f"{key}: {each}" for key, each in value.items()] or ["none"]
        else:
            lines = ["-" if value is None else value]
        for line in lines:
            click.echo(f"{name:<{width}}  {line}")


def collect() -> dict[str, Any]:
    """Gather what is installed and found; a package that is not installed is None."""
    import os
    import platform

    import torch

    import napari_sam
    from napari_sam.model.checkpoints import REGISTRY, find_checkpoint
    from napari_sam.model.device import resolve_device
    from napari_sam.model.download import cache_folder

    device = resolve_device("auto")
    found = {name: find_checkpoint(name) for name in REGISTRY}
    return {
        "napari_sam": napari_sam.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{package: _version(package) for package in PACKAGES},
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "cache_folder": str(cache_folder()),
        "checkpoints": {name: str(path) for name, path in found.items() if path is not None},
    }


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
