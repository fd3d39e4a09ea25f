"""`napari-sam models`: the registry of checkpoints, and what a checkpoint file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from napari_sam.cli.loading import download_progress, load
from napari_sam.cli.options import json_option
from napari_sam.cli.program import print_json
from napari_sam.cli.table import table

if TYPE_CHECKING:
    from napari_sam.model.checkpoints import Checkpoint

__all__ = ["models"]


@click.group(
    epilog="\b\nExample:\n  napari-sam models list\n  napari-sam models download sam_vit_b"
)
def models() -> None:
    """List, download and inspect models."""


@models.command(
    "list", epilog="\b\nExample:\n  napari-sam models list\n  napari-sam models list --json"
)
@json_option
def list_models(as_json: bool) -> None:
    """List the models that can be used by name, and which are on this machine."""
    from napari_sam.model.checkpoints import REGISTRY

    entries = [describe(checkpoint) for checkpoint in REGISTRY.values()]
    if as_json:
        print_json(entries)
        return
    rows = [
        (
            entry["name"],
            entry["variant"],
            f"{'' if entry['size_is_exact'] else '~'}{entry['size_bytes'] / 1e6:,.0f}",
            entry["licence"],
            entry["path"] or "-",
        )
        for entry in entries
    ]
    click.echo(table(("name", "variant", "MB", "licence", "found at"), rows, right="MB"))


@models.command(epilog="\b\nExample:\n  napari-sam models download mobile_sam")
@click.argument("name")
def download(name: str) -> None:
    """Download a model and print where it is; one that is there already is only printed."""
    from napari_sam.model.checkpoints import REGISTRY, find_checkpoint
    from napari_sam.model.download import cache_folder
    from napari_sam.model.download import download as fetch

    path = find_checkpoint(name)
    if path is None or path.parent == cache_folder():  # there it is checked, and replaced
        with download_progress(name) as show:
            path = fetch(REGISTRY[name], progress=show)
    click.echo(path)


@models.command(
    "info",
    epilog="\b\nExample:\n  napari-sam models info mobile_sam\n"
    "  napari-sam models info my_finetune.pt --json",
)
@click.argument("name_or_path")
@json_option
def info_model(name_or_path: str, as_json: bool) -> None:
    """Say what is known of a model: from the registry, and from the file when it is here."""
    facts = inspect(name_or_path)
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(f"{key:<{width}}  {'-' if shown is None else shown}")


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """Gather what the registry says of a checkpoint, and where it lies on this machine."""
    from napari_sam.model.checkpoints import find_checkpoint

    path = find_checkpoint(checkpoint.name)
    return {
        "name": checkpoint.name,
        "variant": checkpoint.variant,
        "description": checkpoint.description,
        "licence": checkpoint.licence,
        "size_bytes": checkpoint.size_bytes,
        "size_is_exact": checkpoint.size_is_exact,
        "sha256": checkpoint.sha256,
        "urls": list(checkpoint.urls),
        "package": checkpoint.package,
        "path": None if path is None else str(path),
    }


def inspect(name_or_path: str) -> dict[str, Any]:
    """Facts of a model: those of the registry, and those of its file when it is on this machine.

    Raises
    ------
    NapariSamError
        If it is neither a name of the registry nor a checkpoint that can be loaded.
    """
    from pathlib import Path

    from napari_sam.model.checkpoints import REGISTRY

    facts: dict[str, Any] = {}
    if name_or_path in REGISTRY:
        facts = describe(REGISTRY[name_or_path])
        if facts["path"] is None:
            return facts
    sam = load(name_or_path, "cpu")
    config = sam.config
    return {
        "name": sam.name,
        **facts,
        "variant": config.variant,
        "sha256": sam.sha256,
        "path": facts.get("path") or str(Path(name_or_path)),
        "parameters": sum(parameter.numel() for parameter in sam.parameters()),
        "tile_pixels": config.image_size,
        "cell_pixels": config.cell,
        "prompts": sorted(config.prompts),
    }
