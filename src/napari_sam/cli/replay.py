"""`napari-sam replay`: the labels of an annotation session from its journal."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_sam.cli.options import OUTPUT_PATH, json_option
from napari_sam.cli.program import check_writable, print_json, writing

if TYPE_CHECKING:
    from napari_sam.segmentation.session.history import History

__all__ = ["replay"]

EXAMPLE = """\b
Example:
  napari-sam replay ~/.local/share/napari-sam-tiles/sessions/20250314-091500-cells -o labels.tif
  napari-sam replay session -o labels.zarr

Neither the image nor the model is needed. The session may be open in napari: it is only read.
"""


@click.command(epilog=EXAMPLE)
@click.argument("journal", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=OUTPUT_PATH,
    metavar="FILE",
    help="The labels: FILE.tif, or FILE.zarr for OME-Zarr of any size. OME-Zarr is never "
    "overwritten.",
)
@json_option
def replay(journal: Path, output: Path, as_json: bool) -> None:
    """Make the labels of an annotation session from its folder JOURNAL.

    All that was accepted, corrected, painted and found automatically, less what was undone.
    """
    from napari_sam.cli.label_output import is_zarr_path

    is_zarr = is_zarr_path(output)
    check_writable(output)
    history = _replay(journal, output, is_zarr)
    objects, steps = len(history.rows), len(history.done)
    if as_json:
        print_json({"labels": str(output), "objects": objects, "steps": steps})
    else:
        click.echo(f"{output}: {objects:,} objects after {steps:,} steps")


def _replay(journal: Path, output: Path, is_zarr: bool) -> History:
    from tempfile import TemporaryDirectory

    from napari_sam.cli.progress import Progress
    from napari_sam.segmentation.automatic.output import fits_memory
    from napari_sam.segmentation.labels.tiff import write_tiff
    from napari_sam.segmentation.session.journal_contents import read_journal
    from napari_sam.segmentation.session.replay import replay_history

    shape = read_journal(journal).header.shape
    with ExitStack() as exit_:
        where = output if is_zarr else None
        if not is_zarr and not fits_memory(shape):
            with writing(output):
                folder = TemporaryDirectory(prefix="labels-", dir=output.parent)
            where = Path(exit_.enter_context(folder)) / "labels.zarr"
        progress = exit_.enter_context(Progress("steps", 0))
        labels, history = replay_history(journal, where, progress.show)
        if not is_zarr:
            write_tiff(labels, output, overwrite=True)
    return history
