"""What the labels show of an automatic run: a file that is written when all of it is painted."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.errors import StoreError
from napari_sam.segmentation.automatic.merge import ResolvedObjects
from napari_sam.segmentation.session.durable import write_durably
from napari_sam.segmentation.session.object_row import ObjectRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box

__all__ = ["PaintedRun"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PaintedRun:
    """Objects of a run that show somewhere, one row each, and the blocks where they do.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
    planes : ndarray of int64, shape (n, k)
        Index for every leading axis.
    boxes : ndarray of int64, shape (n, 4)
        ``(y0, x0, y1, x1)`` of the whole mask, half-open.
    areas : ndarray of int64, shape (n,)
        Pixels that show.
    scores, stability : ndarray of float32, shape (n,)
    points : ndarray of float64, shape (n, 2)
        Grid point ``(y, x)`` that was asked; not a number where a box was.
    block_planes : ndarray of int64, shape (b, k)
    block_boxes : ndarray of int64, shape (b, 4)
    """

    ids: npt.NDArray[np.int64]
    planes: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]
    areas: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    stability: npt.NDArray[np.float32]
    points: npt.NDArray[np.float64]
    block_planes: npt.NDArray[np.int64]
    block_boxes: npt.NDArray[np.int64]

    @classmethod
    def gather(
        cls,
        objects: Mapping[tuple[int, ...], Sequence[ResolvedObjects]],
        areas: Mapping[int, int],
        blocks: Sequence[tuple[tuple[int, ...], Box, tuple[int, ...]]],
        *,
        of_boxes: bool,
    ) -> Self:
        """Put together what is known of the objects of a run.

        Parameters
        ----------
        objects : mapping of plane to sequence of ResolvedObjects
        areas : mapping of id to int
            Pixels of those that show.
        blocks : sequence of (plane, box, ids)
        of_boxes : bool
            Whether boxes were asked, not points.
        """
        found = ResolvedObjects.together([part for parts in objects.values() for part in parts])
        counts = [sum(map(len, parts)) for parts in objects.values()]
        planes = np.repeat(_indices(list(objects)), counts, axis=0)
        shown = np.array([areas.get(number, 0) for number in found.ids.tolist()], np.int64)
        rows = np.flatnonzero(shown)
        masks = found.found.take(rows)
        return cls(
            ids=found.ids[rows],
            planes=planes[rows],
            boxes=masks.boxes,
            areas=shown[rows],
            scores=masks.scores,
            stability=masks.stability,
            points=np.full_like(masks.points, np.nan) if of_boxes else masks.points,
            block_planes=_indices([plane for plane, _, _ in blocks]),
            block_boxes=np.array([box for _, box, _ in blocks], np.int64).reshape(-1, 4),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, model: str) -> dict[int, ObjectRow]:
        """Rows of the objects by id."""
        columns = (
            self.ids,
            self.planes,
            self.boxes,
            self.areas,
            self.scores,
            self.stability,
            self.points,
        )
        return {
            number: ObjectRow(
                id=number,
                plane=tuple(plane),
                box=tuple(box),
                area=area,
                score=score,
                stability=stability,
                source="automatic",
                prompt=None if np.isnan(point[0]) else {"points": [point], "labels": [1]},
                model=model,
            )
            for number, plane, box, area, score, stability, point in zip(
                *(column.tolist() for column in columns), strict=True
            )
        }

    def is_same(self, other: PaintedRun) -> bool:
        """Whether the same objects show the same number of pixels in the same places."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("ids", "planes", "boxes", "areas")
        )

    def save(self, path: Path) -> None:
        """Write it, so that it is there whole or not at all.

        Raises
        ------
        StoreError
            When it cannot be written.
        """
        file = io.BytesIO()
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        write_durably(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read what `save` wrote; None when it is not there.

        Raises
        ------
        StoreError
            When it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                values: dict[str, Any] = {field.name: file[field.name] for field in fields(cls)}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(
                f"{path} could not be read ({error}): delete it, and the objects of this run are "
                "painted again from its records"
            ) from error
        return cls(**values)


def _indices(planes: Sequence[tuple[int, ...]]) -> npt.NDArray[np.int64]:
    """Planes as rows, of an image of one plane with no column."""
    return np.array(planes, np.int64).reshape(len(planes), -1 if planes and planes[0] else 0)
