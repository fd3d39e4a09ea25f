"""`napari-sam embed`: encode the tiles of an image ahead of time, or check those in a store."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from napari_sam.cli.loading import load, load_image
from napari_sam.cli.options import (
    STORE_FOLDER,
    all_planes_option,
    check_planes,
    device_option,
    diameter_option,
    image_options,
    json_option,
    model_option,
    parse_sampling,
    plane_option,
    region_option,
)
from napari_sam.cli.program import print_json
from napari_sam.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.source import ImageSource

    Region = tuple[float, float, float, float]

__all__ = ["embed"]

EXAMPLE = """\b
Example:
  napari-sam embed slide.zarr --store slide.embeddings --diameter 40
  napari-sam embed slide.zarr --store slide.embeddings --region 0 0 4096 4096
  napari-sam embed synthetic:100000x100000 --store /tmp/store --region 0 0 2000 2000
  napari-sam embed slide.zarr --store slide.embeddings --verify

Ctrl-C stops at the next tile. The same command goes on from there, also after a crash, and
several may run at once on one store. `napari-sam predict --store` and napari use the store.
"""


@click.command(epilog=EXAMPLE)
@image_options
@click.option(
    "--store",
    type=STORE_FOLDER,
    required=True,
    metavar="FOLDER",
    help="Where the embeddings are kept, for this image, model and limits alone.",
)
@click.option(
    "--sampling",
    type=parse_sampling,
    metavar="S",
    help="Image pixels per model pixel, a power of two such as 1/2.  [default: from the diameter, "
    "or 1 and less where the plane is smaller than a tile]",
)
@diameter_option
@region_option
@plane_option
@all_planes_option
@model_option
@device_option
@click.option(
    "--verify",
    is_flag=True,
    help="Encode nothing, but read every embedding in the store and remove what is damaged.",
)
@json_option
def embed(
    image: str,
    limits: tuple[float, float] | None,
    axes: str | None,
    channels: tuple[int, ...],
    store: Path,
    sampling: float | Literal["fit"] | None,
    diameter: float | None,
    region: Region | None,
    plane: tuple[int, ...],
    all_planes: bool,
    model: str | None,
    device: str,
    verify: bool,
    as_json: bool,
) -> None:
    """Encode the tiles of IMAGE ahead of time, so that every prompt is answered at once.

    IMAGE is an OME-Zarr or zarr folder, a TIFF file, a picture, or synthetic:HxW[@SEED]: a slide
    of nuclei to try things on, H pixels high and W wide, that takes no disk.

    Nobody has to: a prompt encodes the tile that it needs.
    """
    from napari_sam.cli.embed_run import check_store, embed_planes, in_units
    from napari_sam.segmentation.predict import Segmenter

    check_planes(plane, all_planes)
    if verify and not (store / "zarr.json").is_file():
        raise InputError(f"there is no store of embeddings in {store}: check the path")
    source = load_image(image, limits, axes, channels)
    chosen = check(source, sampling, region)
    if all_planes:
        planes = list(itertools.product(*map(range, source.planes)))
    else:
        planes = [()] if verify else [source.check_plane(plane)]
    session = Segmenter(load(model, device), source, store=store, diameter=diameter)
    where = {"image": image, "store": str(store), "model": session.model.name}
    if verify:
        checked = check_store(session.store)
        if as_json:
            print_json({**where, **asdict(checked)})
            return
        line = f"{checked.tiles:,} tiles checked: {len(checked.damaged):,} damaged"
        if checked.damaged:
            line += " and removed; the same command without --verify encodes them again"
        click.echo(line)
        return
    embedded = embed_planes(session, planes, chosen, region)
    if as_json:
        print_json({**where, **asdict(embedded)})
        return
    click.echo(
        f"{embedded.tiles:,} tiles: {embedded.encoded:,} encoded, {embedded.constant:,} constant, "
        f"{embedded.there:,} were there; {embedded.seconds:,.1f} s; "
        f"the store holds {in_units(embedded.store_bytes)}"
    )


def check(
    source: ImageSource, sampling: float | Literal["fit"] | None, region: Region | None
) -> float | None:
    """Say before a model is loaded, or even downloaded, what cannot be embedded."""
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.segmentation.sampling import check_sampling

    if region is not None:
        Prompt(box=region).inside(source.plane_shape)
    checked = None if sampling is None else check_sampling(sampling)
    if checked == "fit":
        raise InputError("sampling 'fit' has no tiles to embed: give a power of two")
    return checked
