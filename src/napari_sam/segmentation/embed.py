"""Embed a region of an image ahead of time: read, encode and write side by side."""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam.segmentation.encoding import batch_size, encode
from napari_sam.segmentation.reading import ReadAhead

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
    windows = _nearest_first(missing, grid, focus)
    with (
        _Writer(store, plane) as writer,
        ReadAhead(image, store, plane, windows, READERS) as reads,
    ):
        while batch := reads.next_batch(size, at_most=4 * size):
            shown = [
                (read.window, read.pixels)
                for read in batch
                if read.pixels is not None and store.state(plane, read.window) == "missing"
            ]
            if shown:
                embeddings = encode(model, [pixels for _, pixels in shown])
                for (window, _), embedding in zip(shown, embeddings, strict=True):
                    writer.write(window, embedding)
            encoded += len(shown)
            constant += sum(read.is_constant for read in batch)
            done += len(batch)
            of_batch = (grid.tile_of(read.window) for read in batch)
            finished = tuple(tile for tile in of_batch if tile is not None)
            yield EmbedProgress(done, len(tiles), encoded, constant, finished)


def _nearest_first(
    tiles: list[TileIndex],
    grid: TileGrid,
    focus: Callable[[], tuple[float, float] | None] | None,
) -> Iterator[Window]:
    """Windows of tiles, each time the one nearest to where the focus is by then."""
    waiting = dict.fromkeys(tiles)
    while waiting:
        point = focus() if focus is not None else None
        if point is None:
            tile = next(iter(waiting))
        else:
            stride = grid.step * grid.sampling
            row, column = (p / stride for p in point)
            tile = min(
                waiting, key=lambda t: math.hypot(t.row + 0.5 - row, t.column + 0.5 - column)
            )
        del waiting[tile]
        yield grid.window(tile)


class _Writer:
    """Writes embeddings behind the encoder, in one thread."""

    def __init__(self, store: EmbeddingStore, plane: tuple[int, ...]) -> None:
        self._store, self._plane = store, plane
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="write-tile")
        self._writes: deque[Future[None]] = deque()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None or kind is GeneratorExit:
            while self._writes:
                self._writes.popleft().result()

    def write(self, window: Window, embedding: npt.NDArray[np.float16]) -> None:
        while len(self._writes) > READERS or (self._writes and self._writes[0].done()):
            self._writes.popleft().result()  # raises what went wrong there
        self._writes.append(self._pool.submit(self._store.put, self._plane, window, embedding))
