"""How good a model is: answers to simulated users, and automatic results, against the truth."""

from __future__ import annotations

from napari_sam.evaluate.calibration import (
    ReliabilityBin,
    correlation,
    mean_absolute_error,
    reliability,
    share_of_oracle,
)
from napari_sam.evaluate.interactive import ObjectResult, evaluate_prompts, protocol_sampling
from napari_sam.evaluate.matching import (
    THRESHOLDS,
    MatchedScores,
    Matching,
    average_precision,
    match_labels,
)
from napari_sam.evaluate.plots import plot_clicks, plot_precision, plot_reliability
from napari_sam.evaluate.report import Report, report_matches, report_prompts

__all__ = [
    "THRESHOLDS",
    "MatchedScores",
    "Matching",
    "ObjectResult",
    "ReliabilityBin",
    "Report",
    "average_precision",
    "correlation",
    "evaluate_prompts",
    "match_labels",
    "mean_absolute_error",
    "plot_clicks",
    "plot_precision",
    "plot_reliability",
    "protocol_sampling",
    "reliability",
    "report_matches",
    "report_prompts",
    "share_of_oracle",
]
