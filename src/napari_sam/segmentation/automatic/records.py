"""Masks that were found, tile by tile: kept, so that other rules need no model."""

from __future__ import annotations

import heapq
import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.images.tiles import TileGrid, TileIndex
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge import Batch
from napari_sam.segmentation.automatic.record_files import RecordFiles, read_identity
from napari_sam.segmentation.automatic.records_format import RecordsIdentity, TileRecord

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from napari_sam.images.store_format import StoreIdentity
    from napari_sam.segmentation.mask_grid import Box

    Key = tuple[tuple[int, ...], float, TileIndex]

__all__ = ["Records"]


class Records:
    """Found masks by plane, sampling and tile, in memory or in a folder.

    In memory they take about 250 bytes a mask; a folder is read tile by tile.

    Parameters
    ----------
    identity : StoreIdentity
        Image, limits and model; for a folder with its fingerprints.
    finding : mapping
        Settings that say what is found, as JSON can hold them; see `RecordsIdentity`.
    plane_shape : tuple of int
        ``(height, width)`` in level-0 pixels.
    folder : path, optional
        Where to keep them, made for this image, model, limits and settings alone.

    Raises
    ------
    StoreError
        When the folder holds something else or cannot be written.
    """

    def __init__(
        self,
        identity: StoreIdentity,
        finding: Mapping[str, Any],
        plane_shape: tuple[int, int],
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.identity = identity
        self.finding = dict(finding)
        self.plane_shape = plane_shape
        self._memory: dict[Key, TileRecord] = {}
        self._files: RecordFiles | None = None
        if folder is not None:
            own = RecordsIdentity(identity, plane_shape, self.finding)
            self._files = RecordFiles(Path(folder), own)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Open a folder for what it was made for, without image and model.

        Raises
        ------
        StoreError
            When it holds no found masks.
        """
        own = read_identity(Path(folder))
        return cls(own.made_from, own.finding, own.plane_shape, folder)

    @property
    def folder(self) -> Path | None:
        """Folder on disk, or None of records in memory."""
        return None if self._files is None else self._files.folder

    def grid(self, sampling: float) -> TileGrid:
        """Tiles of a plane at a sampling."""
        tile, core = self.identity.tile, self.identity.core
        return TileGrid(self.plane_shape, sampling, tile, (tile - core) // 2)

    def add(
        self,
        plane: tuple[int, ...],
        sampling: float,
        tile: TileIndex,
        found: FoundMasks,
        cut: int = 0,
    ) -> None:
        """Keep what was found in a tile, also when it is nothing.

        Parameters
        ----------
        found : FoundMasks
            With boxes inside the tile's window.
        cut : int
            Good masks that the window cut off.

        Raises
        ------
        StoreError
            When it cannot be written; what is there stays valid.
        """
        record = TileRecord(found, cut)
        if self._files is None:
            self._memory[plane, sampling, tile] = record
        else:
            self._files.write(plane, sampling, tile, record)

    def copy_to(self, folder: str | os.PathLike[str]) -> Records:
        """Write records that are in memory into a folder.

        Returns
        -------
        Records
            Those in the folder.

        Raises
        ------
        StoreError
            When it holds something else, or cannot be written.
        """
        copy = Records(self.identity, self.finding, self.plane_shape, folder)
        for (plane, sampling, tile), record in list(self._memory.items()):
            copy.add(plane, sampling, tile, record.found, record.cut)
        return copy

    def get(self, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> TileRecord | None:
        """Masks of a tile, and how many were cut off; None when it was not looked at.

        Raises
        ------
        StoreError
            When its file cannot be read or is damaged.
        """
        if self._files is None:
            return self._memory.get((plane, sampling, tile))
        return self._files.read(plane, sampling, tile)

    def has(self, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> bool:
        """Whether a tile was looked at; its file is read, so a damaged one does not count."""
        if self._files is None:
            return (plane, sampling, tile) in self._memory
        return self._files.has(plane, sampling, tile)

    def batches(self, plane: tuple[int, ...], region: Box | None = None) -> Iterator[Batch]:
        """Masks of a plane from its top to its bottom, one row of tiles at a time.

        All samplings come together, each row of tiles where it begins. Tiles that were not looked
        at are left out; the order in which they were found does not matter.

        Parameters
        ----------
        region : tuple of int, optional
            ``(y0, x0, y1, x1)``, level-0 pixels, half-open: only masks whose boxes meet it.

        Yields
        ------
        Batch
            The last one has an infinite frontier; at least one.

        Raises
        ------
        StoreError
            When a file cannot be read or is damaged.
        """
        box = (0, 0, *self.plane_shape) if region is None else region
        rows = [self._tile_rows(plane, sampling, box) for sampling in self._samplings()]
        ahead: Batch | None = None
        for start, grid, tiles in heapq.merge(*rows, key=lambda row: row[:1]):
            if ahead is not None:
                yield ahead._replace(frontier=math.floor(start))
            parts = [self.get(plane, grid.sampling, tile) for tile in tiles]
            found = FoundMasks.together([part.found for part in parts if part is not None])
            ahead = Batch(_meeting(found, box), math.inf)
        yield Batch(FoundMasks.empty(), math.inf) if ahead is None else ahead

    def bounds(self, plane: tuple[int, ...]) -> Box | None:
        """Smallest ``(y0, x0, y1, x1)`` that holds all masks of a plane; None when there are none.

        Raises
        ------
        StoreError
            When a file cannot be read or is damaged.
        """
        boxes = [batch.found.boxes for batch in self.batches(plane) if len(batch.found)]
        if not boxes:
            return None
        (y0, x0), (y1, x1) = (
            np.min([each[:, :2].min(axis=0) for each in boxes], axis=0).tolist(),
            np.max([each[:, 2:].max(axis=0) for each in boxes], axis=0).tolist(),
        )
        return y0, x0, y1, x1

    def _tile_rows(
        self, plane: tuple[int, ...], sampling: float, box: Box
    ) -> Iterator[tuple[float, TileGrid, list[TileIndex]]]:
        """Rows of the tiles that may hold masks in a box, and the y where each row begins."""
        grid = self.grid(sampling)
        y0, x0, y1, x1 = box
        reach = grid.halo * sampling + 1
        first, last = grid.tile_at((y0 - reach, x0 - reach)), grid.tile_at((y1 + reach, x1 + reach))
        near = sorted(
            tile
            for tile in self._tiles(plane, sampling)
            if first.row <= tile.row <= last.row and first.column <= tile.column <= last.column
        )
        for _, row in itertools.groupby(near, key=lambda tile: tile.row):
            tiles = list(row)
            yield grid.window(tiles[0]).origin[0], grid, tiles

    def _tiles(self, plane: tuple[int, ...], sampling: float) -> list[TileIndex]:
        """List the tiles that were looked at: few of a huge plane, whose others cost nothing."""
        if self._files is not None:
            return self._files.tiles(plane, sampling)
        return [tile for known, at, tile in list(self._memory) if (known, at) == (plane, sampling)]

    def _samplings(self) -> list[float]:
        if self._files is not None:
            return self._files.samplings()
        return sorted({sampling for _, sampling, _ in list(self._memory)})


def _meeting(found: FoundMasks, box: Box) -> FoundMasks:
    y0, x0, y1, x1 = box
    top, left, bottom, right = found.boxes.T
    return found.take((top < y1) & (left < x1) & (bottom > y0) & (right > x0))
