"""Channels that lie in arrays of their own, as one array; nothing is copied ahead of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.images.arrays import chunk_shape, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from napari_sam.images.arrays import ArrayLike

__all__ = ["ChannelStack"]


class ChannelStack:
    """Arrays of one shape, stacked along a new first axis and read where they are asked for.

    Parameters
    ----------
    arrays : iterable of array
        One for each channel.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        The smallest that holds the values of all.
    chunks : tuple of int or None
        Blocks that are read at once; None where any part can be read alone.
    """

    def __init__(self, arrays: Iterable[ArrayLike]) -> None:
        self._arrays = tuple(arrays)
        self.shape = (len(self._arrays), *(int(n) for n in self._arrays[0].shape))
        self.dtype = np.result_type(*(np.dtype(array.dtype) for array in self._arrays))
        chunks = chunk_shape(self._arrays[0])
        self.chunks = None if chunks is None else (1, *chunks)

    def __getitem__(self, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        """Read a part; the first index, a slice, chooses the channels."""
        channels, place = key[0], key[1:]
        if not isinstance(channels, slice):
            raise TypeError("channels are read by a slice, for example stack[0:1, 5:9, 5:9]")
        chosen = self._arrays[channels]
        return np.stack([fetch(array, place) for array in chosen]).astype(self.dtype, copy=False)
