"""Embeddings of an image, tile by tile: in memory, and on disk where a folder is given.

The seam between the slow and the interactive half of the program. What is in the store is whole
and was made from this image, with this model, under these limits; everything else is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from napari_sam.images.tile_files import TileFiles
from napari_sam.images.tiles import TileGrid

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.store_format import StoreIdentity
    from napari_sam.images.tiles import TileIndex, Window

MEMORY = 256 * 2**20
"""Bytes of embeddings kept in memory: 128 of 2 MB."""

Key = tuple[tuple[int, ...], "Window"]

TileState = Literal["missing", "ready", "constant"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Progress of `EmbeddingStore.verify`.

    Attributes
    ----------
    done, total : int
        Tiles checked so far, and all.
    damaged : str or None
        Name of the file when the tile just checked was damaged; it has been removed.
    """

    done: int
    total: int
    damaged: str | None


class EmbeddingStore:
    """Embeddings by plane and window.

    The tiles of the grid are kept in memory and on disk; windows between them (around an object
    that a tile would cut) in memory only. All methods may be called from any thread, and several
    processes may use one folder.

    Parameters
    ----------
    identity : StoreIdentity
        What the embeddings are made from and with.
    planes : tuple of int
        Lengths of the image's leading axes.
    plane_shape : tuple of int
        ``(height, width)`` in level-0 pixels.
    folder : path, optional
        Where to keep them; memory only when not given.
    memory : int
        Bytes to keep in memory; the least recently used go first.
    quota : int, optional
        Bytes to keep on disk; the least recently used go first. No limit when not given.

    Attributes
    ----------
    memory_limit : int
        `memory` as given; may be changed, which holds from the next embedding on.

    Raises
    ------
    StoreError
        When the folder holds something else or cannot be written.
    """

    def __init__(
        self,
        identity: StoreIdentity,
        planes: tuple[int, ...],
        plane_shape: tuple[int, int],
        folder: str | os.PathLike[str] | None = None,
        *,
        memory: int = MEMORY,
        quota: int | None = None,
    ) -> None:
        self.identity = identity
        self.plane_shape = plane_shape
        self._files = None if folder is None else TileFiles(Path(folder), identity, planes, quota)
        self._memory: OrderedDict[Key, npt.NDArray[np.float16]] = OrderedDict()
        self._constant: set[Key] = set()
        self.memory_limit = memory
        self._memory_bytes = 0
        self._lock = Lock()

    @property
    def in_memory(self) -> int:
        """Number of embeddings that are kept in memory now."""
        return len(self._memory)

    @property
    def folder(self) -> Path | None:
        """Folder on disk, or None of a store in memory."""
        return None if self._files is None else self._files.folder

    def grid(self, sampling: float) -> TileGrid:
        """Tiles of a plane at a sampling."""
        return TileGrid(
            self.plane_shape,
            sampling,
            self.identity.tile,
            halo=(self.identity.tile - self.identity.core) // 2,
        )

    def get(self, plane: tuple[int, ...], window: Window) -> npt.NDArray[np.float16] | None:
        """Embedding of a window, float16 (C, G, G), not to be changed; None when it is missing."""
        key = plane, window
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        place = self._place(window)
        if place is None or self._files is None:
            return None
        embedding = self._files.read(plane, *place)
        if embedding is not None:
            self._remember(key, embedding)
        return embedding

    def put(
        self, plane: tuple[int, ...], window: Window, embedding: npt.NDArray[np.float16]
    ) -> None:
        """Keep the embedding of a window.

        Raises
        ------
        StoreError
            When it cannot be written to disk; it is then still in memory.
        """
        self._remember((plane, window), embedding)
        place = self._place(window)
        if place is not None and self._files is not None:
            self._files.write(plane, *place, embedding)

    def state(self, plane: tuple[int, ...], window: Window) -> TileState:
        """Whether a window's embedding is at hand, without reading it."""
        key = plane, window
        with self._lock:
            if key in self._memory:
                return "ready"
            if key in self._constant:
                return "constant"
        place = self._place(window)
        if place is not None and self._files is not None:
            if self._files.exists(plane, *place):
                return "ready"
            if self._files.is_constant(plane, *place):
                return "constant"
        return "missing"

    def mark_constant(self, plane: tuple[int, ...], window: Window) -> None:
        """Remember that a window shows nothing to encode ahead of time."""
        with self._lock:
            self._constant.add((plane, window))
        place = self._place(window)
        if place is not None and self._files is not None:
            self._files.mark_constant(plane, *place)

    def verify(self) -> Iterator[Verified]:
        """Read every embedding on disk once; what is damaged is removed and counts as missing.

        Yields
        ------
        Verified
            After each tile.
        """
        if self._files is None:
            return
        total = len(self._files.chunks())
        for done, (file, good) in enumerate(self._files.verify(), start=1):
            yield Verified(done, max(done, total), None if good else file.name)

    def _place(self, window: Window) -> tuple[TileGrid, TileIndex] | None:
        """Grid and tile of a window that is one; None for a window between the tiles."""
        if window.sampling[0] != window.sampling[1]:
            return None
        grid = self.grid(window.sampling[0])
        tile = grid.tile_of(window)
        return None if tile is None else (grid, tile)

    def _remember(self, key: Key, embedding: npt.NDArray[np.float16]) -> None:
        embedding.flags.writeable = False
        with self._lock:
            if key in self._memory:
                self._memory_bytes -= self._memory.pop(key).nbytes
            self._memory[key] = embedding
            self._memory_bytes += embedding.nbytes
            while self._memory_bytes > self.memory_limit and len(self._memory) > 1:
                _, oldest = self._memory.popitem(last=False)
                self._memory_bytes -= oldest.nbytes
