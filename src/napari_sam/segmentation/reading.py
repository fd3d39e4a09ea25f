"""Windows read ahead of the encoder, by several threads; those that show nothing are marked."""

from __future__ import annotations

import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from napari_sam.images.source import ImageSource
    from napari_sam.images.store import EmbeddingStore
    from napari_sam.images.tiles import Window


@dataclass(frozen=True, slots=True)
class WindowRead:
    """A window that has been looked at.

    Attributes
    ----------
    window : Window
    pixels : ndarray of uint8, shape (3, h, w), or None
        RGB, as `ImageSource.render` draws it.
        None where there is nothing to encode: the window is constant or in the store already.
    is_constant : bool
        Whether this read has found the window to be constant.
    """

    window: Window
    pixels: npt.NDArray[np.uint8] | None
    is_constant: bool


class ReadAhead:
    """Reads windows in their order while the model works on those before.

    Windows whose embedding is in the store are not rendered. Use it in a ``with`` statement: its
    end cancels what has not begun and waits for the rest.

    Parameters
    ----------
    image : ImageSource
    store : EmbeddingStore
        Where constant windows are marked.
    plane : tuple of int
    windows : iterable of Window
        Taken one by one as they are started, in the thread that asks for a batch.
    readers : int
        Windows to read at once.
    """

    def __init__(
        self,
        image: ImageSource,
        store: EmbeddingStore,
        plane: tuple[int, ...],
        windows: Iterable[Window],
        readers: int,
    ) -> None:
        self._image, self._store, self._plane = image, store, plane
        self._windows = iter(windows)
        self._readers = readers
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="read-tile")
        self._reads: deque[Future[WindowRead]] = deque()

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def next_batch(self, to_encode: int, at_most: int) -> list[WindowRead]:
        """Give the next windows, at least one unless all are done.

        Parameters
        ----------
        to_encode : int
            The batch ends with so many windows that have pixels.
        at_most : int
            It ends with so many windows in any case.

        Raises
        ------
        InputError
            When a window cannot be read or holds values that are not finite.
        StoreError
            When a constant window cannot be marked on disk.
        """
        for window in itertools.islice(
            self._windows, max(0, self._readers + to_encode - len(self._reads))
        ):
            self._reads.append(self._pool.submit(self._read, window))
        batch: list[WindowRead] = []
        while self._reads and to_encode > 0 and len(batch) < at_most:
            read = self._reads.popleft().result()
            batch.append(read)
            to_encode -= read.pixels is not None
        return batch

    def _read(self, window: Window) -> WindowRead:
        if self._store.state(self._plane, window) != "missing":
            return WindowRead(window, None, is_constant=False)
        pixels = self._image.render(window, self._plane)
        if (pixels == pixels[:, :1, :1]).all():
            self._store.mark_constant(self._plane, window)
            return WindowRead(window, None, is_constant=True)
        return WindowRead(window, pixels, is_constant=False)
