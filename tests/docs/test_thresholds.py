"""The thresholds that the documentation names are those of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.settings import AutomaticSettings

REPOSITORY = Path(__file__).resolve().parents[2]
RULES, SETTINGS = MergeRules(), AutomaticSettings()
SCORE, STABILITY = RULES.min_score, RULES.min_stability


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("docs/segment.md", f"a score of at least {SCORE} and a stability of at least {STABILITY}"),
        ("docs/segment.md", f"a score and a stability of at least {SETTINGS.keep_score} is"),
        ("docs/records.md", f"shares an IoU of {RULES.nms_iou} with one that stayed before"),
        ("CHANGELOG.md", f"predicted IoU {SCORE}, stability {STABILITY}"),
    ],
)
def test_a_page_says_the_usual_threshold(page: str, said: str) -> None:
    text = " ".join((REPOSITORY / page).read_text(encoding="utf-8").split())
    assert said in text


def test_settings_and_rules_agree() -> None:
    assert (SETTINGS.min_score, SETTINGS.min_stability) == (SCORE, STABILITY)
    assert SETTINGS.keep_score == SETTINGS.keep_stability
