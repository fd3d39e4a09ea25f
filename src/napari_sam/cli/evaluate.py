"""`napari-sam evaluate`: how good a model, or an automatic result, is on annotated images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from click.core import ParameterSource

from napari_sam.cli.loading import load
from napari_sam.cli.options import device_option, json_option, model_option, parse_sampling
from napari_sam.cli.program import check_writable, print_json

__all__ = ["evaluate"]

EXAMPLE = """\b
Example:
  napari-sam evaluate annotated/ --model mobile_sam --corrections 3 -o report
  napari-sam evaluate annotated/ --limit-objects 12 --leave-out noisy_slides
  napari-sam evaluate annotated/ --found results/

\b
The table has one row for every source and their mean. For a model:
  click         mean IoU of the best-scored candidate for one click
  oracle        that of the best candidate
  box           that for a tight box
  +1, +2 ...    that after corrective clicks, each where the error is deepest
  share         of the oracle that choosing by score reaches
  error         mean distance of predicted IoU to IoU, for the click
  correlation   of predicted IoU with IoU, for the click
\b
With --found, where objects match one to one:
  AP            TP / (TP + FP + FN), mean over IoU thresholds 0.5, 0.55 ... 0.95
  AP50, AP75    the same at one threshold
  precision, recall, F1, IoU of the matches: at IoU 0.5
"""


@click.command(epilog=EXAMPLE)
@click.argument("dataset", type=click.Path(path_type=Path))
@model_option
@device_option
@click.option(
    "--sampling",
    type=parse_sampling,
    metavar="S|fit",
    help="Image pixels per model pixel, a power of two such as 1/2.  [default: 1/4 for planes of "
    "up to 300 pixels, else 1/2]",
)
@click.option(
    "--corrections",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Corrective clicks after the first.",
)
@click.option(
    "--limit-objects",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many objects of an image, spread evenly over it.",
)
@click.option("--source", "sources", multiple=True, metavar="S", help="Only these sources.")
@click.option("--leave-out", multiple=True, metavar="S", help="Not these sources.")
@click.option(
    "--found",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Ask no model, but compare label images: FOLDER holds files with the names of the "
    "images, in folders named after the sources where there are several.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Also write evaluation.json, objects.csv (a row for every object) and plots there.",
)
@json_option
@click.pass_context
def evaluate(
    context: click.Context,
    dataset: Path,
    model: str | None,
    device: str,
    sampling: float | Literal["fit"] | None,
    corrections: int,
    limit_objects: int | None,
    sources: tuple[str, ...],
    leave_out: tuple[str, ...],
    found: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Compare the answers of a model, or an automatic result, with the annotations of DATASET.

    DATASET is a folder with images/ and labels/, a folder with a manifest.csv, or a packed file,
    as for `napari-sam train`.
    """
    if found is not None:
        for name in ("model", "device", "sampling", "corrections", "limit_objects"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                option = name.replace("_", "-")
                raise click.UsageError(f"--found asks no model: leave out --{option}.")
    from napari_sam.cli.evaluate_found import compare_found
    from napari_sam.cli.evaluate_run import evaluate_model, select
    from napari_sam.segmentation.sampling import check_sampling

    # What cannot be used is said before a model is loaded, or even downloaded.
    if output is not None:
        check_writable(output)
    if sampling is not None:
        check_sampling(sampling)
    selection = select(dataset, sources, leave_out, limit_objects)
    if found is not None:
        evaluation = compare_found(selection, found)
    else:
        evaluation = evaluate_model(selection, load(model, device), sampling, corrections)
    if output is not None:
        evaluation.write(output)
    if as_json:
        print_json(evaluation.facts)
    else:
        click.echo(evaluation.table)
