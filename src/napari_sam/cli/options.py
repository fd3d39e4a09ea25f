"""Options and value types that several commands share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from napari_sam.model.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CSV_FILE",
    "OUTPUT_FILE",
    "OUTPUT_PATH",
    "STORE_FOLDER",
    "all_planes_option",
    "check_planes",
    "device_option",
    "diameter_option",
    "image_options",
    "json_option",
    "model_option",
    "parse_sampling",
    "plane_option",
    "region_option",
    "store_option",
]

CSV_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT_FILE = click.Path(dir_okay=False, path_type=Path)
OUTPUT_PATH = click.Path(path_type=Path)
STORE_FOLDER = click.Path(file_okay=False, path_type=Path)

model_option = click.option(
    "--model",
    metavar="NAME|PATH",
    help=f"A name from `napari-sam models list`, or a checkpoint file.  [default: {DEFAULT_MODEL}]",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="DEVICE",
    help="auto (cuda, mps or cpu, the first there is), cpu, cuda, cuda:1, mps.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
plane_option = click.option(
    "--plane",
    type=int,
    multiple=True,
    metavar="I",
    help="The index of the plane, once for every axis before y (z, t).",
)
all_planes_option = click.option(
    "--all-planes", is_flag=True, help="Every plane of a stack, one after the other."
)
region_option = click.option(
    "--region",
    type=float,
    nargs=4,
    metavar="Y0 X0 Y1 X1",
    help="Only a part of the plane.",
)
store_option = click.option(
    "--store",
    type=STORE_FOLDER,
    metavar="FOLDER",
    help="Use the embeddings in a store, as of `napari-sam embed`, and keep new ones there.",
)
diameter_option = click.option(
    "--diameter",
    type=click.FloatRange(min=0, min_open=True),
    metavar="D",
    help="The usual diameter of the objects in pixels; the sampling follows from it.",
)


def image_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the argument IMAGE and the options that say how it is looked at."""
    for option in (
        click.option(
            "--channel",
            "channels",
            type=int,
            multiple=True,
            metavar="I",
            help="A channel to show to the model; can be repeated.",
        ),
        click.option("--axes", metavar="AXES", help="The axes of the image, such as zyx or yxc."),
        click.option(
            "--limits",
            type=float,
            nargs=2,
            metavar="LOW HIGH",
            help="The intensities shown to the model as black and white.  [default: measured]",
        ),
        click.argument("image"),
    ):
        command = option(command)
    return command


def check_planes(plane: tuple[int, ...], all_planes: bool) -> None:
    """Refuse a plane together with all of them.

    Raises
    ------
    click.UsageError
    """
    if plane and all_planes:
        raise click.UsageError("Give --plane or --all-planes, not both.")


def parse_sampling(text: str) -> float | Literal["fit"]:
    """Read image pixels per model pixel: `0.5`, `1/2`, `4`, or `fit`.

    Raises
    ------
    click.BadParameter
        If it is neither; whether a number can be used is for the library to say.
    """
    if text == "fit":
        return "fit"
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither a number such as 1/2 or 4 nor 'fit'."
        ) from None
