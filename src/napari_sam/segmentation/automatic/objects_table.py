"""The objects of a segmentation as a table: scores, sizes and places, one row each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.durable import whole_file
from napari_sam.errors import InputError
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.run_lengths import centroid, lengths_of
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import pandas as pd

    Columns = dict[str, npt.NDArray[Any]]

__all__ = ["ObjectRows", "check_table_path", "write_objects"]

PARQUET = ".parquet"
CSV = ".csv"


@dataclass(slots=True)
class ObjectRows:
    """Rows of the table, gathered while objects come in; their masks are not kept.

    Attributes
    ----------
    leading : str
        One lower-case letter for every axis of the image before y.
    of_boxes : bool
        Whether prompts were boxes of a detector; the table then says which.
    """

    leading: str = ""
    of_boxes: bool = False
    _parts: list[Columns] = field(default_factory=list)
    _shown: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(part["id"]) for part in self._parts)

    def add(self, plane: tuple[int, ...], ids: npt.NDArray[np.int64], found: FoundMasks) -> None:
        """Measure objects of one plane and keep their rows."""
        places = {
            name: np.full(len(ids), index, np.int64)
            for name, index in zip(self.leading, plane, strict=True)
        }
        centroids = _centroids(found)
        boxes = found.boxes - 0.5  # from half-open pixels to the edges of the box
        self._parts.append(
            {
                "id": np.asarray(ids, np.int64),
                **places,
                **({"box": found.prompts} if self.of_boxes else {}),
                "predicted_iou": found.scores,
                "stability": found.stability,
                "area": found.areas,
                "diameter": 2 * np.sqrt(found.areas / np.pi),
                "y": centroids[:, 0],
                "x": centroids[:, 1],
                **{name: boxes[:, i] for i, name in enumerate(("y0", "x0", "y1", "x1"))},
                "sampling": found.samplings,
                "tile_row": found.tiles[:, 0],
                "tile_column": found.tiles[:, 1],
            }
        )

    def show(self, ids: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]) -> None:
        """Count pixels of objects that the labels show, block by block."""
        self._shown.append((np.asarray(ids), np.asarray(pixels)))

    def frame(self) -> pd.DataFrame:
        """Give the table, in the order of the ids.

        Returns
        -------
        DataFrame
            ``id``; the plane, one column for every leading axis of the image; ``box``, the number
            of the detector's box from 0, where there were some; ``predicted_iou``, ``stability``;
            ``area`` in pixels and the ``diameter`` of a disc of that area; the centroid ``y``,
            ``x``; the tight box ``y0``, ``x0``, ``y1``, ``x1`` (around pixels 10..19 it is
            9.5..19.5); where the object was found: ``sampling``, ``tile_row``, ``tile_column``;
            and ``labelled``, the pixels that the labels show of it. The others are measures of the
            whole mask: where two objects overlap, a pixel counts for both.
        """
        import pandas as pd  # half a second's import, for those who look at the table

        parts = self._parts or [self._nothing()]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        table = pd.DataFrame(columns).sort_values("id", ignore_index=True)
        labelled = np.zeros(len(table), np.int64)
        for ids, pixels in self._shown:
            np.add.at(labelled, np.searchsorted(table["id"].to_numpy(), ids), pixels)
        table["labelled"] = labelled
        return table

    def _nothing(self) -> Columns:
        empty = ObjectRows(self.leading, self.of_boxes)
        empty.add((0,) * len(self.leading), np.empty(0, np.int64), FoundMasks.empty())
        return empty._parts[0]


def check_table_path(path: str | os.PathLike[str]) -> Path:
    """Refuse early a table that `write_objects` could not write.

    Raises
    ------
    InputError
        When the name says no format, or the package for it is missing.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (CSV, PARQUET):
        raise InputError(
            f"{path} says no format for the table of objects: give a name that ends in {CSV} or "
            f"{PARQUET}"
        )
    if suffix == PARQUET:
        from importlib.util import find_spec

        if find_spec("pyarrow") is None:
            raise InputError(
                f"{path} cannot be written without the package pyarrow: pip install pyarrow, or "
                f"choose a name that ends in {CSV}"
            )
    return path


def write_objects(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table of objects as CSV or Parquet, as the name says.

    Raises
    ------
    InputError
        As of `check_table_path`.
    StoreError
        When the file cannot be written.
    """
    path = check_table_path(path)
    with writing(path), whole_file(path) as unfinished:
        if path.suffix.lower() == CSV:
            table.to_csv(unfinished, index=False)
        else:
            table.to_parquet(unfinished, index=False)


def _centroids(found: FoundMasks) -> npt.NDArray[np.float64]:
    """Mean ``(y, x)`` of the pixels of each mask."""
    centroids = np.empty((len(found), 2))
    for row, (box, rle) in enumerate(zip(found.boxes.tolist(), found.rles, strict=True)):
        centroids[row] = centroid(lengths_of(rle), box[2] - box[0])
    return centroids + found.boxes[:, :2]
