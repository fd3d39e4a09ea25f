"""`napari-sam demo`: the main job on images that come with a dependency."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_sam.cli.loading import load
from napari_sam.cli.options import device_option, model_option
from napari_sam.cli.program import writing
from napari_sam.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam.cli.demo_run import Answer

__all__ = ["demo"]

QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
WINDOWLESS_QT = ("offscreen", "minimal")


@click.command(
    epilog="\b\nExample:\n  napari-sam demo\n"
    "  napari-sam demo -o /tmp/demo --model sam_vit_b --no-show"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    metavar="FOLDER",
    help="Where images, label images (TIFF) and overlay.png go.",
)
@model_option
@device_option
@click.option(
    "--show/--no-show",
    default=True,
    help="Open the result in napari when there is a display.  [default: show]",
)
def demo(output: Path, model: str | None, device: str, show: bool) -> None:
    """Click on a coin, box a cell, see the masks.

    Works on scikit-image's coins and cell: prints the candidates of every prompt with their
    scores, and writes the best of each.
    """
    from napari_sam.cli.demo_run import run_demo

    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    sam = load(model, device)
    with writing(output):
        answers = run_demo(output, sam)
    click.echo(answers_table(answers))
    click.echo(f"\nwritten to {output}: overlay.png, images and their label images")
    if not show:
        return
    missing = why_no_window(os.environ, sys.platform)
    if missing is not None:
        click.echo(
            f"{missing}, so napari was not opened; look at {output / 'overlay.png'}, or run "
            f"python -m napari_sam.ui.show_demo {output} where there is both"
        )
        return
    open_in_napari(output)


def answers_table(answers: list[Answer]) -> str:
    """One row per candidate of every prompt, best first."""
    header = ("image", "prompt", "candidate", "predicted IoU", "stability", "area px")
    rows = [
        (
            answer.image,
            answer.prompt,
            str(number),
            f"{candidate.score:.3f}",
            f"{candidate.stability:.3f}",
            f"{candidate.area:,}",
        )
        for answer in answers
        for number, candidate in enumerate(answer.candidates, start=1)
    ]
    return table(header, rows, right="candidate, predicted IoU, stability, area px")


def why_no_window(environment: Mapping[str, str], platform: str) -> str | None:
    """Say why no napari window can open here; None when one can."""
    asks_for_display = platform.startswith(("linux", "freebsd"))
    displays = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if asks_for_display and not any(displays):
        return "there is no display"
    if environment.get("QT_QPA_PLATFORM", "").split(":")[0] in WINDOWLESS_QT:
        return "Qt is told to show no windows (QT_QPA_PLATFORM)"
    if find_spec("napari") is None or not any(map(find_spec, QT_BINDINGS)):
        return "napari is not installed"
    return None


def open_in_napari(folder: Path) -> None:
    """Show the demo's folder in napari, in a process of its own, until its window is closed."""
    click.echo("opening napari; close its window to end the demo", err=True)
    # A process of its own: the command line knows nothing of the GUI (and works without it).
    ended = subprocess.run(
        [sys.executable, "-m", "napari_sam.ui.show_demo", str(folder)], check=False
    )
    if ended.returncode:
        click.echo(
            f"napari ended with exit code {ended.returncode}; the result is in {folder}", err=True
        )
