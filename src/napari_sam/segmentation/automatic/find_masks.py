"""From the tiles of a plane to recorded masks, asked by a grid of points."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.point_grid import tile_points
from napari_sam.segmentation.automatic.tile_feed import prepared_tiles
from napari_sam.segmentation.automatic.tile_masks import POINTS_TOGETHER, find_in_tile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.tiles import TileGrid, TileIndex
    from napari_sam.segmentation.automatic.records import Records
    from napari_sam.segmentation.automatic.settings import AutomaticSettings
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.regions import Region

__all__ = ["FoundTile", "OnPoints", "find_by_grid", "tiles_of"]

OnPoints = Callable[[int, int], None]
"""Told how many points of the tile at hand are done, and of how many; may raise to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundTile:
    """A tile that is recorded.

    Attributes
    ----------
    found : FoundMasks
        What it holds.
    total : int
        Tiles of its plane, as far as is known: there are more where objects turn out larger than
        a tile.
    core : (y0, x0, y1, x1), optional
        What of the plane belongs to it alone, level-0 pixels.
    smallest : float
        Level-0 pixels: what is shorter should have been found whole at the sampling below.
    asked, skipped : int
        Prompts that were decoded for it in this run, and those that needed not be.
    is_new : bool
        Whether it was found in this run, not before.
    """

    found: FoundMasks
    total: int
    core: tuple[float, float, float, float] | None = None
    smallest: float = 0.0
    asked: int = 0
    skipped: int = 0
    is_new: bool = False


def find_by_grid(
    segmenter: Segmenter,
    records: Records,
    settings: AutomaticSettings,
    plane: tuple[int, ...],
    region: Region,
    on_points: OnPoints | None = None,
) -> Iterator[FoundTile]:
    """Find the masks of a plane and record them, tile by tile; what is recorded is not done again.

    Every point of a grid is asked in the tile whose core holds it. Where a window cuts good masks
    off, the tiles of the next sampling are asked too, with a grid of their own, and so on until
    nothing is cut or a tile shows all of the plane.

    Yields
    ------
    FoundTile
        After each tile.

    Raises
    ------
    InputError
        When the image holds values that are not finite.
    StoreError
        When the records cannot be written or read.
    """
    sampling, smallest = segmenter.usual_sampling, 0.0
    config = segmenter.model.config
    spacing = settings.spacing(sampling, config.image_size, segmenter.diameter)
    tiles = tiles_of(segmenter.store.grid(sampling), region, spacing)
    total = 0
    while tiles:
        total += len(tiles)
        grid = segmenter.store.grid(sampling)
        work = _Work(
            segmenter, records, settings, plane, region, grid, spacing, smallest, on_points
        )
        yield from work.run(tiles, total)
        cut = [tile for tile in tiles if _cut(records, plane, sampling, tile)]
        if len(grid) == 1:
            return
        coarser = segmenter.store.grid(2 * sampling)
        above = {
            tile
            for each in cut
            # A little less than the core, which a core beside it may touch.
            for tile in coarser.tiles_in(_shrunk(grid.core(each)))
        }
        wanted = tiles_of(coarser, region, spacing)
        tiles = [tile for tile in wanted if tile in above]
        # What is shorter than the halo was whole in some tile below.
        smallest = grid.halo * sampling
        sampling *= 2


def tiles_of(grid: TileGrid, region: Region, spacing: float) -> list[TileIndex]:
    """Tiles with points of the grid in a region, row by row."""
    if region.is_whole:
        return list(grid)
    return [tile for tile in grid.tiles_in(region.box) if len(_points(grid, tile, region, spacing))]


@dataclass(frozen=True, slots=True)
class _Work:
    """The tiles of one plane at one sampling."""

    segmenter: Segmenter
    records: Records
    settings: AutomaticSettings
    plane: tuple[int, ...]
    region: Region
    grid: TileGrid
    spacing: float
    smallest: float
    on_points: OnPoints | None

    def run(self, tiles: Iterable[TileIndex], total: int) -> Iterator[FoundTile]:
        """Find what is not recorded."""
        sampling = self.grid.sampling
        missing = []
        for tile in tiles:
            # Asked first: a damaged record counts as missing.
            record = None
            if self.records.has(self.plane, sampling, tile):
                record = self.records.get(self.plane, sampling, tile)
            if record is None:
                missing.append(tile)
            else:
                yield self._found(tile, record.found, total)
        decoder = self.segmenter.model.tile_decoder()
        windows = map(self.grid.window, missing)
        with closing(prepared_tiles(self.segmenter, decoder, self.plane, windows)) as prepared:
            for tile, ready in zip(missing, prepared, strict=True):
                if ready is None:
                    self.records.add(self.plane, sampling, tile, FoundMasks.empty())
                    yield self._found(tile, FoundMasks.empty(), total, is_new=True)
                    continue
                finding = find_in_tile(
                    decoder,
                    ready,
                    self.grid.window(tile),
                    _points(self.grid, tile, self.region, self.spacing),
                    self.settings,
                    self.grid.plane_shape,
                    tile_index=tile,
                    batch=POINTS_TOGETHER[self.segmenter.model.device.type],
                    smallest=self.smallest,
                    on_points=self.on_points,
                )
                self.records.add(self.plane, sampling, tile, finding.found, finding.cut)
                yield self._found(
                    tile,
                    finding.found,
                    total,
                    asked=finding.asked,
                    skipped=finding.skipped,
                    is_new=True,
                )

    def _found(self, tile: TileIndex, found: FoundMasks, total: int, **counts: Any) -> FoundTile:
        core = self.grid.core(tile)
        # A tile below shows all objects whose middle lies in its core and that are so small.
        return FoundTile(found, total, core, 2 * self.smallest, **counts)


def _points(
    grid: TileGrid, tile: TileIndex, region: Region, spacing: float
) -> npt.NDArray[np.float64]:
    points = tile_points(grid, tile, spacing)
    return points if region.is_whole else points[region.holds(points)]


def _cut(records: Records, plane: tuple[int, ...], sampling: float, tile: TileIndex) -> bool:
    record = records.get(plane, sampling, tile)
    return record is not None and record.cut > 0


def _shrunk(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    y0, x0, y1, x1 = box
    return y0, x0, y1 - 1e-6, x1 - 1e-6
