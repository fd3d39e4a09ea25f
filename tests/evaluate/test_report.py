"""Tables of results."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.evaluate import ObjectResult, match_labels, report_matches, report_prompts


def result(click: float, **others: Any) -> ObjectResult:
    usual = {"id": 1, "area": 50, "diameter": 8.0, "click_iou": click, "click_score": 0.9}
    usual |= {"oracle_iou": 0.8, "box_iou": 0.7, "box_score": 0.6}
    return ObjectResult(**{**usual, "corrected": (), "corrected_scores": (), **others})


def test_macro_is_the_mean_over_sources_not_objects() -> None:
    report = report_prompts({"a": [result(0.2), result(0.4)], "b": [result(0.7)]})
    assert report.sources["a"]["click"] == pytest.approx(0.3)
    assert report.macro["click"] == pytest.approx(0.5)
    assert report.macro["box"] == pytest.approx(0.7)
    assert report.sources["a"]["share"] == pytest.approx(0.3 / 0.8)
    assert report.sources["b"]["error"] == pytest.approx(0.2)


def test_corrections_are_columns() -> None:
    some = [result(0.2, corrected=(0.4, 0.6)), result(0.2, corrected=(0.6, 0.6))]
    report = report_prompts({"a": some})
    assert report.sources["a"]["+1"] == pytest.approx(0.5)
    assert report.sources["a"]["+2"] == pytest.approx(0.6)
    assert "+1" not in report_prompts({"a": [result(0.2)]}).macro


def test_a_measure_that_is_not_defined_is_left_out_of_the_mean() -> None:
    varied = [result(0.1, click_score=0.2), result(0.9, click_score=0.8)]
    report = report_prompts({"a": [result(0.2), result(0.4)], "b": varied})
    assert math.isnan(report.sources["a"]["correlation"])
    assert report.macro["correlation"] == pytest.approx(1)
    assert math.isnan(report_prompts({"a": [result(0.2)]}).macro["correlation"])


def test_the_table_has_a_row_for_every_source_and_their_mean() -> None:
    report = report_prompts({"nuclei": [result(0.25)] * 1200, "cells": [result(0.75)]})
    assert report.table().splitlines() == [
        "source  objects  click  oracle    box  share  error  correlation",
        "------  -------  -----  ------  -----  -----  -----  -----------",
        "cells         1  0.750   0.800  0.700  0.938  0.150            -",
        "nuclei    1,200  0.250   0.800  0.700  0.312  0.650            -",
        "------  -------  -----  ------  -----  -----  -----  -----------",
        "macro     1,201  0.500   0.800  0.700  0.625  0.400            -",
    ]


def test_json_can_hold_it() -> None:
    said = json.loads(json.dumps(report_prompts({"a": [result(0.2)]}).as_json(), allow_nan=False))
    assert said["sources"]["a"]["objects"] == 1
    assert said["sources"]["a"]["correlation"] is None
    assert said["macro"]["click"] == pytest.approx(0.2)


def test_automatic_results_are_reported_by_source() -> None:
    truth = np.repeat([0, 1, 2], 10)[None]
    half = np.where(truth == 2, 0, truth)
    report = report_matches(
        {"good": [match_labels(truth, truth)], "poor": [match_labels(half, truth)] * 2}
    )
    assert report.counts == {"good": 2, "poor": 4}
    assert set(report.sources["good"].values()) == {1.0}
    poor = report.sources["poor"]
    assert (poor["AP"], poor["AP50"], poor["AP75"]) == (0.5, 0.5, 0.5)
    assert (poor["precision"], poor["recall"], poor["IoU"]) == (1, 0.5, 1)
    assert report.macro["AP"] == pytest.approx(0.75)


def test_nothing_cannot_be_reported() -> None:
    with pytest.raises(InputError, match="evaluate one object at least"):
        report_prompts({})
