"""One prompt: all its candidates, as a table or JSON, and in a label image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.cli.table import table

if TYPE_CHECKING:
    from napari_sam.cli.label_output import LabelOutput
    from napari_sam.segmentation.candidates import Candidate, Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt
    from napari_sam.segmentation.sampling import Sampling

__all__ = ["MEASURES", "candidate_table", "describe", "describe_all", "measures", "predict_one"]

MEASURES = ("predicted IoU", "stability", "area px", "box y0 x0 y1 x1")
"""Header of `measures`."""


def predict_one(
    session: Segmenter,
    prompt: Prompt,
    sampling: Sampling | None,
    labels: LabelOutput | None,
    *,
    want_all: bool,
) -> Candidates:
    """Answer a prompt and write its best candidate, or all of them on pages of their own.

    Raises
    ------
    NapariSamError
        If the prompt cannot be used, or the labels cannot be written.
    """
    candidates = session.predict_many([prompt], sampling, multimask=True if want_all else None)[0]
    if labels is not None:
        with labels:
            if want_all:
                labels.pages = len(candidates)
                for page, candidate in enumerate(candidates):
                    labels.paint(candidate, page + 1, page)
            else:
                labels.paint(candidates[0], 1)
            labels.save()
    return candidates


def describe(candidate: Candidate) -> dict[str, Any]:
    """Say of a candidate what JSON can hold."""
    return {
        "predicted_iou": candidate.score,
        "stability": candidate.stability,
        "area": candidate.area,
        "box": candidate.box,
    }


def measures(row: dict[str, Any]) -> tuple[str, ...]:
    """Cells for a terminal of what `describe` says."""
    return (
        f"{row['predicted_iou']:.3f}",
        f"{row['stability']:.3f}",
        f"{row['area']:,}",
        " ".join(f"{edge:.10g}" for edge in row["box"]) if row["box"] else "(empty)",
    )


def describe_all(candidates: Candidates) -> list[dict[str, Any]]:
    """One row per candidate, best first, of what JSON can hold."""
    return [
        {"candidate": number, **describe(candidate), "origin": candidate.origin}
        for number, candidate in enumerate(candidates, start=1)
    ]


def candidate_table(rows: list[dict[str, Any]]) -> str:
    """Set the rows of `describe_all` for a terminal."""
    return table(
        ("candidate", *MEASURES),
        [(str(row["candidate"]), *measures(row)) for row in rows],
        right="candidate, predicted IoU, stability, area px",
    )
