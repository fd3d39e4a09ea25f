"""Embed a region of an image ahead of time: read, encode and write side by side."""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam.segmentation.encoding import batch_size, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.source import ImageSource
    from napari_sam.images.store import EmbeddingStore
    from napari_sam.images.tiles import TileGrid, TileIndex, Window
    from napari_sam.model.sam import Sam

READERS = 8
"""Tiles read at once: hides a slow source, and 8 of 1024 x 1024 pixels take 25 MB."""


@dataclass(frozen=True, slots=True)
class EmbedProgress:
    """Where an embedding run stands.

    Attributes
    ----------
    done, total : int
        Tiles finished so far and tiles of the region; `done` counts those that were there before.
    encoded : int
        Tiles this run has encoded.
    constant : int
        Tiles this run has found to show nothing; they are not encoded.
    tiles : tuple of TileIndex
        Tiles finished since the last report.
    """

    done: int
    total: int
    encoded: int
    constant: int
    tiles: tuple[TileIndex, ...]


def embed(
    image: ImageSource,
    model: Sam,
    store: EmbeddingStore,
    *,
    plane: tuple[int, ...],
    sampling: float,
    region: tuple[float, float, float, float] | None = None,
    focus: Callable[[], tuple[float, float] | None] | None = None,
) -> Iterator[EmbedProgress]:
    """Encode the missing tiles of a region into a store.

    Reading (several threads), encoding (here) and writing (one thread) overlap. Closing the
    generator stops it between two batches; what is encoded by then is written.

    Parameters
    ----------
    region : (y0, x0, y1, x1), optional
        Level-0 pixels; the whole plane when not given.
    focus : callable, optional
        Gives a level-0 point (y, x), or None. It is asked again before each tile, and the nearest
        missing one comes next: a viewport may move while this runs.

    Yields
    ------
    EmbedProgress
        At once, and after each batch.

    Raises
    ------
    StoreError
        When the store cannot be written; what is in it stays valid.
    """
    grid = store.grid(sampling)
    tiles = list(grid) if region is None else grid.tiles_in(region)
    missing = [tile for tile in tiles if store.state(plane, grid.window(tile)) == "missing"]
    if missing:  # several processes on one store start at different tiles
        start = os.getpid() % len(missing)
        missing = missing[start:] + missing[:start]
    done = len(tiles) - len(missing)
    yield EmbedProgress(done, len(tiles), 0, 0, ())
    encoded = constant = 0
    size = batch_size(model)
    with _Pipeline(image, store, grid, plane, _Queue(missing, grid, focus)) as pipeline:
        while batch := pipeline.next_batch(size):
            shown = [
                (read.window, read.pixels)
                for read in batch
                if read.pixels is not None and store.state(plane, read.window) == "missing"
            ]
            if shown:
                embeddings = encode(model, [pixels for _, pixels in shown])
                for (window, _), embedding in zip(shown, embeddings, strict=True):
                    pipeline.write(window, embedding)
            encoded += len(shown)
            constant += sum(read.is_constant for read in batch)
            done += len(batch)
            yield EmbedProgress(
                done, len(tiles), encoded, constant, tuple(read.tile for read in batch)
            )


@dataclass(frozen=True, slots=True)
class _Read:
    """A tile that has been looked at; `pixels` is None when there is nothing to encode."""

    tile: TileIndex
    window: Window
    pixels: npt.NDArray[np.uint8] | None
    is_constant: bool


class _Queue:
    """Tiles still to do, the nearest to the focus first."""

    def __init__(
        self,
        tiles: list[TileIndex],
        grid: TileGrid,
        focus: Callable[[], tuple[float, float] | None] | None,
    ) -> None:
        self._tiles = dict.fromkeys(tiles)
        self._grid = grid
        self._focus = focus

    def pop(self) -> TileIndex | None:
        if not self._tiles:
            return None
        point = self._focus() if self._focus is not None else None
        if point is None:
            tile = next(iter(self._tiles))
        else:
            stride = self._grid.step * self._grid.sampling
            row, column = (p / stride for p in point)
            tile = min(
                self._tiles, key=lambda t: math.hypot(t.row + 0.5 - row, t.column + 0.5 - column)
            )
        del self._tiles[tile]
        return tile


class _Pipeline:
    """Readers ahead of the encoder and a writer behind it."""

    def __init__(
        self,
        image: ImageSource,
        store: EmbeddingStore,
        grid: TileGrid,
        plane: tuple[int, ...],
        queue: _Queue,
    ) -> None:
        self._image, self._store, self._grid, self._plane = image, store, grid, plane
        self._queue = queue
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read-tile")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write-tile")
        self._reads: deque[Future[_Read]] = deque()
        self._writes: deque[Future[None]] = deque()

    def __enter__(self) -> _Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True)
        if kind is None or kind is GeneratorExit:
            while self._writes:
                self._writes.popleft().result()

    def next_batch(self, size: int) -> list[_Read]:
        """Next tiles in the order they were started, at least one unless all are done."""
        while len(self._reads) < READERS + size and (tile := self._queue.pop()) is not None:
            self._reads.append(self._readers.submit(self._read, tile))
        batch: list[_Read] = []
        to_encode = 0
        while self._reads and to_encode < size and len(batch) < 4 * size:
            read = self._reads.popleft().result()
            batch.append(read)
            to_encode += read.pixels is not None
        return batch

    def write(self, window: Window, embedding: npt.NDArray[np.float16]) -> None:
        while len(self._writes) > READERS or (self._writes and self._writes[0].done()):
            self._writes.popleft().result()  # raises what went wrong there
        self._writes.append(self._writer.submit(self._store.put, self._plane, window, embedding))

    def _read(self, tile: TileIndex) -> _Read:
        window = self._grid.window(tile)
        if self._store.state(self._plane, window) != "missing":  # by another process meanwhile
            return _Read(tile, window, None, is_constant=False)
        pixels = self._image.render(window, self._plane)
        if (pixels == pixels[:, :1, :1]).all():
            self._store.mark_constant(self._plane, window)
            return _Read(tile, window, None, is_constant=True)
        return _Read(tile, window, pixels, is_constant=False)
