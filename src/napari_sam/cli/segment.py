"""`napari-sam segment`: every object of an image, as labels, a table and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from napari_sam.cli.loading import load, load_image
from napari_sam.cli.options import (
    CSV_FILE,
    OUTPUT_FILE,
    OUTPUT_PATH,
    STORE_FOLDER,
    all_planes_option,
    check_planes,
    device_option,
    diameter_option,
    image_options,
    json_option,
    model_option,
    plane_option,
    region_option,
    store_option,
)
from napari_sam.cli.program import check_writable, print_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["segment"]

EXAMPLE = """\b
Example:
  napari-sam segment cells.tif --diameter 30 -o labels.tif --objects cells.csv
  napari-sam segment slide.zarr --diameter 40 -o slide.zarr/labels/nuclei
  napari-sam segment stack.tif --all-planes -o labels.zarr --min-score 0.8
  napari-sam segment slide.zarr --boxes detected.csv -o labels.zarr
  napari-sam segment synthetic:4096x4096 --region 0 0 1024 1024 -o labels.png

Ctrl-C stops at the next tile. With records on disk (always for OME-Zarr labels) the same command
goes on from there, also after a crash. With the --records of an earlier run other thresholds make
other labels in seconds.
"""

FRACTION = click.FloatRange(0, 1)


@click.command(epilog=EXAMPLE)
@image_options
@click.option(
    "-o",
    "--output",
    type=OUTPUT_PATH,
    metavar="FILE",
    help="The labels: FILE.zarr for OME-Zarr of any size, written while the run goes on and never "
    "overwritten, or FILE.tif or FILE.png of the plane (TIFF of all planes with --all-planes). "
    "IMAGE.zarr/labels/NAME becomes a part of the image.",
)
@click.option(
    "--objects",
    "table_file",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="A table of the objects, FILE.csv or FILE.parquet: scores, area, place.",
)
@click.option(
    "--coco",
    "coco_file",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="The masks as JSON, as in the SA-1B dataset (COCO run lengths).",
)
@diameter_option
@click.option(
    "--min-score",
    type=FRACTION,
    metavar="S",
    help="Predicted IoU of an object at least.  [default: 0.7; 0 with --boxes]",
)
@click.option(
    "--min-stability",
    type=FRACTION,
    metavar="S",
    help="Stability of an object at least.  [default: 0.8; 0 with --boxes]",
)
@region_option
@click.option(
    "--within",
    type=click.Path(exists=True, path_type=str),
    metavar="MASK",
    help="Only the objects where a mask image of the plane, of any resolution, is not 0.",
)
@plane_option
@all_planes_option
@click.option(
    "--boxes",
    type=CSV_FILE,
    metavar="CSV",
    help="Boxes of a detector, one object each: columns y0, x0, y1, x1, [z, t ...], or a Shapes "
    "layer as napari saves it.",
)
@click.option(
    "--records",
    type=STORE_FOLDER,
    metavar="FOLDER",
    help="Where to keep all that is found.  [default: for OME-Zarr labels beside them, else not]",
)
@store_option
@model_option
@device_option
@json_option
def segment(
    image: str,
    limits: tuple[float, float] | None,
    axes: str | None,
    channels: tuple[int, ...],
    output: Path | None,
    table_file: Path | None,
    coco_file: Path | None,
    diameter: float | None,
    min_score: float | None,
    min_stability: float | None,
    region: tuple[float, float, float, float] | None,
    within: str | None,
    plane: tuple[int, ...],
    all_planes: bool,
    boxes: Path | None,
    records: Path | None,
    store: Path | None,
    model: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Find every object of IMAGE, and say how sure the model is of each.

    IMAGE is an OME-Zarr or zarr folder, a TIFF file, a picture, or synthetic:HxW[@SEED]: a slide
    of nuclei to try things on, H pixels high and W wide, that takes no disk.

    Give the usual diameter of the objects where you know it: the model sees them best when they
    are neither tiny nor huge. At the end the labels are checked for objects that end straight
    along a line between tiles; there should be none.
    """
    check_planes(plane, all_planes)
    if region is not None and within is not None:
        raise click.UsageError("Give --region or --within, not both.")
    if boxes is not None and (region is not None or within is not None):
        raise click.UsageError("Boxes say where the objects are: leave --region and --within out.")
    if output is None and table_file is None and coco_file is None:
        raise click.UsageError("Nothing would be kept: give -o, --objects or --coco.")
    from napari_sam.cli.segment_labels import SegmentLabels
    from napari_sam.cli.segment_run import segment_planes, summary
    from napari_sam.segmentation.automatic.coco import write_coco
    from napari_sam.segmentation.automatic.detector_boxes import read_boxes
    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.automatic.objects_table import check_table_path, write_objects
    from napari_sam.segmentation.automatic.settings import AutomaticSettings
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.regions import Region

    # What cannot be used is said before a model is loaded, or even downloaded.
    if table_file is not None:
        check_writable(check_table_path(table_file))
    if coco_file is not None:
        check_writable(coco_file)
    source = load_image(image, limits, axes, channels)
    chosen = None
    if not (all_planes or (boxes is not None and not plane)):
        chosen = [source.check_plane(plane)]
    where = Region.read(within or region, source.plane_shape)
    if boxes is not None:
        read_boxes(boxes, source, plane)
    rules = MergeRules(min_score=0, min_stability=0)
    if boxes is None:
        rules = MergeRules(min_area=AutomaticSettings().least_area(diameter))
    if min_score is not None:
        rules = replace(rules, min_score=min_score)
    if min_stability is not None:
        rules = replace(rules, min_stability=min_stability)
    labels = SegmentLabels(output, source, chosen, records)
    session = Segmenter(load(model, device), source, store=store, diameter=diameter)
    with labels:
        result, run = segment_planes(
            session,
            labels,
            region=where,
            planes=chosen,
            rules=rules,
            boxes=boxes,
        )
        if output is not None:
            labels.save(result)
    if table_file is not None:
        write_objects(result.objects, table_file)
    if coco_file is not None:
        write_coco(coco_file, result.masks())
    said = {
        "image": image,
        "limits": source.limits,
        "model": {"name": session.model.name, "sha256": session.model.sha256},
        "labels": labels.written and str(labels.written),
        "table": table_file and str(table_file),
        "coco": coco_file and str(coco_file),
        "records": result.records.folder and str(result.records.folder),
        **run,
    }
    if as_json:
        print_json(said)
    else:
        click.echo(summary(said))
