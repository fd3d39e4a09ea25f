"""All prompts of a table: the best candidate of each, as rows and in a label image."""

from __future__ import annotations

import csv
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from napari_sam.cli.interrupt import uninterrupted
from napari_sam.cli.many import answer
from napari_sam.cli.predict_one import MEASURES, describe, measures
from napari_sam.cli.program import writing
from napari_sam.cli.progress import Progress
from napari_sam.cli.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam.cli.label_output import LabelOutput
    from napari_sam.cli.prompt_files import Asked
    from napari_sam.segmentation.candidates import Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.sampling import Sampling

__all__ = ["object_table", "predict_table", "write_rows"]

Rows = list[dict[str, Any]]


def predict_table(
    session: Segmenter,
    prompts: Sequence[Asked],
    sampling: Sampling | None,
    labels: LabelOutput | None,
) -> Rows:
    """Answer prompts, showing progress, and write the best candidates.

    Parameters
    ----------
    session : Segmenter
    prompts : sequence of Asked
        Where objects overlap, the first one keeps its pixels.
    sampling : float or "fit", optional
    labels : LabelOutput, optional

    Returns
    -------
    list of dict
        One row per prompt, in their order, of what JSON can hold. The candidates themselves are
        not kept.

    Raises
    ------
    NapariSamError
        If the model cannot use a prompt, or the labels cannot be written.
    KeyboardInterrupt
        After Ctrl-C; no object is half written.
    """
    rows: dict[int, dict[str, Any]] = {}
    with labels or nullcontext(), Progress("objects", len(prompts)) as bar:
        try:
            for answers in answer(session, prompts, sampling):
                for asked, candidates in answers:
                    with uninterrupted():
                        if labels is not None:
                            labels.paint(candidates[0], asked.id)
                        rows[asked.id] = _row(asked.id, candidates)
                    bar.show(len(rows))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_stopped(len(rows), len(prompts), labels)) from None
        if labels is not None:
            labels.save()
            _add_pixels(rows, labels)
    return [rows[asked.id] for asked in prompts]


def _row(number: int, candidates: Candidates) -> dict[str, Any]:
    return {
        "id": number,
        "plane": candidates.plane,
        **describe(candidates[0]),
        "sampling": candidates.window.sampling,
    }


def _stopped(done: int, total: int, labels: LabelOutput | None) -> str:
    line = f"stopped after {done:,} of {total:,} objects"
    if labels is None or not done:
        return line
    return line + (f"; {labels.path} holds them" if labels.is_zarr else "; no labels were written")


def _add_pixels(rows: dict[int, dict[str, Any]], labels: LabelOutput) -> None:
    """Say how many pixels of each object are in the labels."""
    for number, row in rows.items():
        row["labelled"] = labels.pixels[number]
    hidden = sum(not row["labelled"] for row in rows.values())
    if hidden:
        click.echo(
            f"{hidden:,} of {len(rows):,} objects have no pixel in {labels.path}: their masks are "
            "empty, or earlier objects cover them",
            err=True,
        )


def object_table(rows: Rows) -> str:
    """Set rows for a terminal."""
    return table(
        ("id", *MEASURES),
        [(str(row["id"]), *measures(row)) for row in rows],
        right="id, predicted IoU, stability, area px",
    )


def write_rows(file: Path, rows: Rows, leading: str) -> None:
    """Write rows as a CSV file.

    Parameters
    ----------
    file : Path
    rows : list of dict
    leading : str
        One letter for each axis of ``plane``.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    measured = ("predicted_iou", "stability", "area")
    labelled = ("labelled",) if "labelled" in rows[0] else ()
    with writing(file), file.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("id", *leading, *measured, "y0", "x0", "y1", "x1", "sampling", *labelled))
        for row in rows:
            lines.writerow(
                (
                    row["id"],
                    *row["plane"],
                    *(row[name] for name in measured),
                    *(row["box"] or ("",) * 4),
                    row["sampling"][0],
                    *(row[name] for name in labelled),
                )
            )
