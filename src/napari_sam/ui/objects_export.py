"""Writes the rows of objects as a CSV file, a part at a time: the GUI goes on in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.durable import whole_file
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["write_rows"]

PART = 500
"""Rows written at a time: a few milliseconds."""


def write_rows(rows: Sequence[ObjectRow], path: str | os.PathLike[str]) -> Iterator[None]:
    """Write objects as CSV, a part for each step; the file appears when the last was written.

    Its columns are those of an automatic run's table where both have them: ``id``;
    ``plane_0`` and so on, the index for every axis of the image before y; ``predicted_iou`` and
    ``stability``, empty where unknown; ``area`` in pixels; the tight box ``y0``, ``x0``, ``y1``,
    ``x1`` (around pixels 10..19 it is 9.5..19.5); ``source``, ``state``, ``model``, and the
    ``prompt`` as JSON.

    Parameters
    ----------
    rows : sequence of ObjectRow
        At least one.
    path : path-like

    Raises
    ------
    StoreError
        When the file cannot be written; one that was there before is as it was.
    """
    import pandas as pd  # half a second's import, for those who export

    path = Path(path)
    with (
        writing(path),
        whole_file(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as file,
    ):
        for start in range(0, len(rows), PART):
            part = pd.DataFrame([_values(row) for row in rows[start : start + PART]])
            part.to_csv(file, index=False, header=start == 0)
            yield


def _values(row: ObjectRow) -> dict[str, Any]:
    y0, x0, y1, x1 = (edge - 0.5 for edge in row.box)
    return {
        "id": row.id,
        **{f"plane_{axis}": index for axis, index in enumerate(row.plane)},
        "predicted_iou": row.score,
        "stability": row.stability,
        "area": row.area,
        "y0": y0,
        "x0": x0,
        "y1": y1,
        "x1": x1,
        "source": row.source,
        "state": row.state,
        "model": row.model,
        "prompt": None if row.prompt is None else json.dumps(dict(row.prompt)),
    }
