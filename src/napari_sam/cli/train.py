"""`napari-sam train`: fit a model to annotated images, with a simulated user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_sam.cli.loading import load
from napari_sam.cli.options import OUTPUT_FILE, device_option, json_option, model_option
from napari_sam.cli.program import check_writable, print_json, writing
from napari_sam.errors import InputError
from napari_sam.training.recipe import Recipe

if TYPE_CHECKING:
    from napari_sam.training.recipe import Part

__all__ = ["train"]

USUAL = Recipe()

EXAMPLE = """\b
Example:
  napari-sam train my_cells -o my_model.safetensors
  napari-sam train my_cells -o my_model.safetensors --steps 100 --model mobile_sam
  napari-sam predict new.tif --point 120 340 --model my_model.safetensors

Ctrl-C stops after the step that is running. The same command goes on from there, also after a
crash, and ends with the same weights as if nothing had happened.
"""


@click.command(epilog=EXAMPLE)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="The checkpoint to write, FILE.safetensors; it is never overwritten.",
)
@model_option
@click.option(
    "--train",
    "part",
    type=click.Choice(["decoder", "last_stages", "all"]),
    default=USUAL.train,
    show_default=True,
    help="Leave the image encoder as it is, which is fast; or train its end, or all of it.",
)
@click.option(
    "--steps",
    type=int,
    default=USUAL.steps,
    show_default=True,
    metavar="N",
    help="How long to train: the time is in proportion.",
)
@click.option(
    "--state",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Where the run is kept until it is done.  [default: the output with the suffix .state.pt]",
)
@click.option(
    "--seed",
    type=int,
    default=USUAL.seed,
    show_default=True,
    metavar="N",
    help="Another number, another course of chance.",
)
@device_option
@json_option
def train(
    dataset: Path,
    output: Path,
    model: str | None,
    part: Part,
    steps: int,
    state: Path | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Fit a model to the annotated images of DATASET.

    DATASET is a folder with images/ and labels/: images as TIFF, PNG or numpy files, and label
    images of the same names, 0 for background and another number for each object. Or it is a
    folder with a manifest.csv of several such folders, or one packed .npz file.

    A simulated user asks for the objects by points and boxes and corrects the answers.
    """
    # What cannot be used is said before a model is loaded, or even downloaded.
    recipe = Recipe(steps=steps, train=part, seed=seed)
    state = check_output(output, state)
    from napari_sam.cli.train_run import describe, train_model
    from napari_sam.model.weights import file_sha256, save_safetensors
    from napari_sam.training.dataset import read_dataset

    images = list(read_dataset(dataset))
    facts = describe(images)
    sam = load(model, device)
    start = {"trained_from": sam.name, "trained_from_sha256": sam.sha256}
    click.echo(
        f"{facts.images:,} images with {facts.objects:,} objects"
        + (f", going on from {state}" if state.exists() else ""),
        err=True,
    )
    trained = train_model(sam, images, recipe, state)
    sam.name = output.stem
    told = {**start, "train": part, "steps": steps, "seed": seed}
    told |= {"images": facts.images, "objects": facts.objects, "sources": facts.sources}
    with writing(output):
        save_safetensors(sam, output, {key: str(value) for key, value in told.items()})
    state.unlink(missing_ok=True)
    if as_json:
        wrote = {"output": str(output), "name": sam.name, "sha256": file_sha256(output)}
        print_json({**wrote, **told, **trained.as_dict()})
        return
    click.echo(
        f"{output}: trained on {facts.images:,} images with {facts.objects:,} objects, "
        f"{steps:,} steps"
    )


def check_output(output: Path, state: Path | None) -> Path:
    """Refuse early, before hours of work, files that could not be written; return the state's.

    Raises
    ------
    InputError
        If the output is there already, has another suffix, or a folder does not exist.
    """
    if output.suffix != ".safetensors":
        raise InputError(f"{output} does not end in .safetensors; give a name that does")
    check_writable(output)
    if output.exists():
        raise InputError(
            f"{output} exists already and is not overwritten: delete it or choose another name"
        )
    if state is None:
        return output.with_suffix(".state.pt")
    if not state.parent.is_dir():
        raise InputError(
            f"the folder {state.parent} for the state does not exist; create it or choose "
            "another one with --state"
        )
    if state.absolute() == output.absolute():
        raise InputError(f"{state} cannot be the state and the output; give another --state")
    return state
