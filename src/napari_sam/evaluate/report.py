"""Results as a table: a row for every source and their mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.evaluate.calibration import correlation, mean_absolute_error, share_of_oracle
from napari_sam.evaluate.matching import average_precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_sam.evaluate.interactive import ObjectResult
    from napari_sam.evaluate.matching import MatchedScores, Matching

__all__ = ["Report", "report_matches", "report_prompts"]

MACRO = "macro"


@dataclass(frozen=True, slots=True)
class Report:
    """Measures by source.

    Attributes
    ----------
    counts : mapping of str to int
        Objects of every source.
    sources : mapping of str to mapping of str to float
        Measures of every source by their name; nan where one is not defined.
    """

    counts: Mapping[str, int]
    sources: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError("there is nothing to report: evaluate one object at least")

    @property
    def macro(self) -> dict[str, float]:
        """Mean of every measure over the sources that have it, each counting the same."""
        names = next(iter(self.sources.values()))
        return {name: _mean([row[name] for row in self.sources.values()]) for name in names}

    def table(self) -> str:
        """Write lines of text: the sources by name, and the macro mean."""
        rows = {**dict(sorted(self.sources.items())), MACRO: self.macro}
        cells = [["source", "objects", *self.macro]]
        for source, measures in rows.items():
            count = sum(self.counts.values()) if source == MACRO else self.counts[source]
            values = ["-" if math.isnan(each) else f"{each:.3f}" for each in measures.values()]
            cells.append([source, f"{count:,}", *values])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in cells
        ]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def as_json(self) -> dict[str, Any]:
        """Give counts and measures as JSON can hold them; null where one is not defined."""
        return {
            "sources": {
                source: {"objects": self.counts[source], **_defined(measures)}
                for source, measures in sorted(self.sources.items())
            },
            MACRO: _defined(self.macro),
        }


def report_prompts(results: Mapping[str, Sequence[ObjectResult]]) -> Report:
    """Report on answers to prompts, by source.

    The measures: mean IoU for a click, for the best of its candidates (the oracle), for a box and
    after each corrective click ("+1" ...); of the click also the share of the oracle that choosing
    by score reaches, and mean absolute error and correlation of the predicted IoU.

    Parameters
    ----------
    results : mapping of str to sequence of ObjectResult
        At least one for each source, all with the same number of corrections.

    Raises
    ------
    InputError
        When there is no source.
    """
    return Report(
        counts={source: len(some) for source, some in results.items()},
        sources={source: _prompt_measures(some) for source, some in results.items()},
    )


def report_matches(matchings: Mapping[str, Sequence[Matching]]) -> Report:
    """Report on automatic results, by source.

    The measures: average precision, its mean over IoU 0.5, 0.55 ... 0.95 and at 0.5 and 0.75;
    precision, recall and F1 at IoU 0.5, and the mean IoU of what matches there.

    Parameters
    ----------
    matchings : mapping of str to sequence of Matching
        One for each image of a source.

    Raises
    ------
    InputError
        When there is no source.
    """
    scores = {source: average_precision(some) for source, some in matchings.items()}
    return Report(
        counts={source: each.truth for source, each in scores.items()},
        sources={source: _match_measures(each) for source, each in scores.items()},
    )


def _prompt_measures(results: Sequence[ObjectResult]) -> dict[str, float]:
    click, oracle, score, box = (
        np.array([getattr(each, name) for each in results])
        for name in ("click_iou", "oracle_iou", "click_score", "box_iou")
    )
    corrected = np.mean([each.corrected for each in results], axis=0)
    return {
        "click": float(click.mean()),
        "oracle": float(oracle.mean()),
        "box": float(box.mean()),
        **{f"+{clicks}": float(iou) for clicks, iou in enumerate(corrected, start=1)},
        "share": share_of_oracle(click, oracle),
        "error": mean_absolute_error(score, click),
        "correlation": correlation(score, click),
    }


def _match_measures(scores: MatchedScores) -> dict[str, float]:
    at = scores.thresholds.index
    return {
        "AP": scores.mean_average_precision,
        "AP50": scores.average_precision[at(0.5)],
        "AP75": scores.average_precision[at(0.75)],
        "precision": scores.precision[at(0.5)],
        "recall": scores.recall[at(0.5)],
        "F1": scores.f1[at(0.5)],
        "IoU": scores.matched_iou[at(0.5)],
    }


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _defined(measures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in measures.items()}
