"""The command line: one program, `napari-sam`, one file per command.

Importing this package costs no more than importing click: torch, numpy and the rest of
napari_sam are imported in the bodies of the commands.
"""

from __future__ import annotations

import click

from napari_sam.cli import demo, embed, evaluate, info, models, predict, replay, segment, train
from napari_sam.cli.program import Program, print_version

__all__ = ["main"]


@click.group(
    name="napari-sam",
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  napari-sam demo\n"
    "  napari-sam predict cells.tif --point 120 340 -o labels.tif",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Segment Anything for microscopy images of any size.

    Results go to stdout or into files, progress goes to stderr. The exit code is 0 when
    the command did its job, 2 when what it was given cannot be used (one line says why and
    what to do), 130 after Ctrl-C, and 1, with a traceback, for a bug.
    """


for command in (
    demo.demo,
    embed.embed,
    predict.predict,
    segment.segment,
    replay.replay,
    train.train,
    evaluate.evaluate,
    models.models,
    info.info,
):
    main.add_command(command)
