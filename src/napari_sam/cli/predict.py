"""`napari-sam predict`: the masks for one prompt, or for all prompts of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from napari_sam.cli.loading import load, load_image
from napari_sam.cli.options import (
    CSV_FILE,
    OUTPUT_PATH,
    device_option,
    diameter_option,
    image_options,
    json_option,
    model_option,
    parse_sampling,
    plane_option,
    store_option,
)
from napari_sam.cli.program import check_writable, print_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["predict"]

EXAMPLE = """\b
Example:
  napari-sam predict cells.tif --point 120 340 -o labels.tif
  napari-sam predict stack.tif --plane 7 --box 40 52 90.5 110.5 --json
  napari-sam predict slide.zarr --points nuclei.csv --diameter 40 -o labels.zarr
  napari-sam predict synthetic:100000x100000 --point 50000 50000 -o labels.zarr

Coordinates are napari's: y before x, in pixels of the image, pixel centres at integers.

\b
Tables of prompts have a header; columns in brackets may be left out:
  --points   y, x, [label], [object], [z, t ... as the image's axes are named]
  --boxes    y0, x0, y1, x1, [object], [z, t ...]
A label is 1 on the object and 0 beside it. Rows with the same object are one prompt, and its id
in the labels; without that column every row is a prompt, with the ids 1, 2, 3 ... Points and
Shapes layers as napari saves them (axis-0, axis-1 ...) can be used as they are.
"""


@click.command(epilog=EXAMPLE)
@image_options
@click.option(
    "--point",
    "points",
    type=float,
    nargs=2,
    multiple=True,
    metavar="Y X",
    help="A point in the object; can be repeated.",
)
@click.option(
    "--background",
    type=float,
    nargs=2,
    multiple=True,
    metavar="Y X",
    help="A point outside the object; can be repeated.",
)
@click.option("--box", type=float, nargs=4, metavar="Y0 X0 Y1 X1", help="A box around the object.")
@click.option(
    "--points", "point_file", type=CSV_FILE, metavar="CSV", help="Points of many prompts, a table."
)
@click.option(
    "--boxes", "box_file", type=CSV_FILE, metavar="CSV", help="Boxes of many prompts, a table."
)
@plane_option
@click.option(
    "--sampling",
    type=parse_sampling,
    metavar="S|fit",
    help="Image pixels per model pixel, a power of two such as 1/2, or fit: the long side fills "
    "the model.  [default: chosen from the prompt, the diameter and the size of the plane]",
)
@diameter_option
@store_option
@model_option
@device_option
@click.option(
    "-o",
    "--output",
    type=OUTPUT_PATH,
    metavar="FILE",
    help="Write the best candidates into a label image: FILE.tif (of the plane; of all planes "
    "when a table names them), or FILE.zarr for OME-Zarr of any size, which is never overwritten. "
    "IMAGE.zarr/labels/NAME becomes a part of the image. Where objects overlap the first one "
    "keeps its pixels.",
)
@click.option(
    "--table",
    "table_file",
    type=OUTPUT_PATH,
    metavar="CSV",
    help="Write id, scores, area and box of every object of a table of prompts.",
)
@click.option(
    "--all",
    "want_all",
    is_flag=True,
    help="Ask for three candidates whatever the prompt; -o then writes one page per candidate, "
    "in the order of the table, each with its number as id.",
)
@json_option
def predict(
    image: str,
    limits: tuple[float, float] | None,
    axes: str | None,
    channels: tuple[int, ...],
    points: tuple[tuple[float, float], ...],
    background: tuple[tuple[float, float], ...],
    box: tuple[float, float, float, float] | None,
    point_file: Path | None,
    box_file: Path | None,
    plane: tuple[int, ...],
    sampling: float | Literal["fit"] | None,
    diameter: float | None,
    store: Path | None,
    model: str | None,
    device: str,
    output: Path | None,
    table_file: Path | None,
    want_all: bool,
    as_json: bool,
) -> None:
    """Find the object at a point or in a box of IMAGE, or all objects of a table of prompts.

    IMAGE is an OME-Zarr or zarr folder, a TIFF file, a picture, or synthetic:HxW[@SEED]: a slide
    of nuclei to try things on, H pixels high and W wide, that takes no disk.

    Prints the candidates, best first: predicted IoU as the model gives it, stability (how little
    the mask changes with its threshold), area in pixels, and the box around it. Of a table of
    prompts it prints the best candidate of each.
    """
    has_table = point_file is not None or box_file is not None
    has_prompt = bool(points) or bool(background) or box is not None
    if not has_table and not has_prompt:
        raise click.UsageError(
            "A prompt is needed: give --point Y X or --box Y0 X0 Y1 X1, or a table of prompts "
            "with --points or --boxes."
        )
    if has_table and (has_prompt or want_all):
        raise click.UsageError(
            "A table of prompts (--points, --boxes) cannot be used together with --point, "
            "--background, --box or --all."
        )
    if table_file is not None and not has_table:
        raise click.UsageError("--table needs a table of prompts: give --points or --boxes.")
    from napari_sam.cli.label_output import LabelOutput
    from napari_sam.cli.predict_one import candidate_table, describe_all, predict_one
    from napari_sam.cli.predict_table import object_table, predict_table, write_rows
    from napari_sam.cli.prompt_files import read_prompts
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.segmentation.sampling import check_sampling

    # What cannot be used is said before a model is loaded, or even downloaded.
    if table_file is not None:
        check_writable(table_file)
    if sampling is not None:
        check_sampling(sampling)
    source = load_image(image, limits, axes, channels)
    labels: LabelOutput | None = None
    if has_table:
        asked = read_prompts(point_file, box_file, source, plane)
        if output is not None:
            ids = [each.id for each in asked.prompts]
            labels = LabelOutput(output, source, image, ids, every_plane=asked.names_planes)
    else:
        near = [1] * len(points) + [0] * len(background)
        prompt = Prompt([*points, *background], near, box, plane=source.check_plane(plane))
        prompt = prompt.inside(source.plane_shape)
        if output is not None:
            ids = [1, 2, 3] if want_all else [1]
            labels = LabelOutput(output, source, image, ids, pages=len(ids) if want_all else None)
    session = Segmenter(load(model, device), source, store=store, diameter=diameter)
    said = {
        "image": image,
        "limits": source.limits,
        "model": {"name": session.model.name, "sha256": session.model.sha256},
        "labels": None if output is None else str(output),
    }
    if has_table:
        for name in asked.unused:
            click.echo(f"column {name} of the table is not used", err=True)
        rows = predict_table(session, asked.prompts, sampling, labels)
        if table_file is not None:
            leading = "".join(source.axes.names[axis].lower() for axis in source.axes.leading)
            write_rows(table_file, rows, leading)
        if as_json:
            print_json({**said, "objects": rows, "table": table_file and str(table_file)})
        elif table_file is None:
            click.echo(object_table(rows))
        return
    candidates = predict_one(session, prompt, sampling, labels, want_all=want_all)
    rows = describe_all(candidates)
    if as_json:
        where = {"plane": candidates.plane, "sampling": candidates.window.sampling}
        print_json({**said, **where, "candidates": rows})
    else:
        click.echo(candidate_table(rows))
