"""What a change costs is said in a sentence."""

from __future__ import annotations

import pytest

from napari_sam.ui.effort import Effort


@pytest.mark.parametrize(
    ("effort", "said"),
    [
        (Effort(), "costs nothing"),
        (Effort(1), "1 part of this image and would look again where you work. Your"),
        (Effort(3, 0.01), "3 parts of this image and would look again where you work (about 1 s)"),
        (Effort(40, 2.0), "(about 80 s)"),
        (Effort(100, 3.0), "(about 5 min)"),
    ],
)
def test_a_cost_is_said_in_parts_and_in_time(effort: Effort, said: str) -> None:
    assert said in effort.cost
