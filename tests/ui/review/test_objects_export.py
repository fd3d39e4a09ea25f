"""The table of a review's objects as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.ui.review import Review


def test_the_table_is_written_with_all_that_is_known(review: Review, tmp_path: Path) -> None:
    path = tmp_path / "objects.csv"
    review.session.mark([3], "accepted")
    review.export(path)
    assert not path.exists()
    review.work()
    table = pd.read_csv(path).set_index("id")
    assert list(table.index) == [1, 2, 3, 4]
    assert table.loc[3, "state"] == "accepted"
    assert table.loc[2, "predicted_iou"] == 0.3
    assert np.isnan(table.loc[4, "predicted_iou"])
    assert table.loc[1, ["y0", "x0", "y1", "x1"]].tolist() == [9.5, 14.5, 17.5, 18.5]
    assert table.loc[1, "prompt"] == '{"points": [[10, 15]]}'
    assert list(tmp_path.iterdir()) == [path]
    assert "written" in review.session.status


def test_a_table_that_cannot_be_written_is_refused_in_a_sentence(
    review: Review, tmp_path: Path
) -> None:
    review.export(tmp_path / "missing" / "objects.csv")
    review.work()
    (error,) = review.session.refused
    assert "objects.csv" in str(error)
    assert not review.working
