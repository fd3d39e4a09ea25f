"""Levels of a synthetic slide: arrays that compute what is read of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.fluorescence import Fluorescence

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.hash_noise import Coordinates, Index
    from napari_sam.images.nuclei import NucleiLattice

BLOCK = (128, 512)
"""Samples computed at once: small enough for a processor's cache."""

CHUNK = 1024
"""Side of the parts that are best read at once by those who ask (dask)."""

MAX_ARRAY_BYTES = 2**32
"""What `numpy.asarray` of a level makes at most: more would be an accident."""


@dataclass(frozen=True)
class ImageLevel:
    """One level of a slide: read it with whole numbers and slices, like a numpy array.

    A pixel is the mean over what it covers, estimated from four samples in it, and noise.

    Parameters
    ----------
    lattice : NucleiLattice
    level : int
        Its pixels cover ``2**level`` pixels of the slide each way, from the slide's corner on; the
        last ones may reach over its far edges, where the slide is continued as it ends.
    """

    lattice: NucleiLattice
    level: int
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.uint16)
    ndim: ClassVar[int] = 2

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` in pixels of the level."""
        height, width = (-(-length // 2**self.level) for length in self.lattice.shape)
        return height, width

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes that all pixels would take."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, int]:
        """Shape of the parts that are best read at once; any other will do."""
        return min(CHUNK, self.shape[0]), min(CHUNK, self.shape[1])

    @property
    def factor(self) -> int:
        """Pixels of level 0 per pixel, along y and x."""
        return 1 << self.level

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Compute a part.

        Raises
        ------
        IndexError
            When the key is not of whole numbers and slices, or lies outside.
        """
        picks = [_pick(one, length) for one, length in zip(_two_keys(key), self.shape, strict=True)]
        (rows, keep_y), (columns, keep_x) = picks
        values = np.empty((len(rows), len(columns)), self.dtype)
        height, width = self._block
        for y in range(0, len(rows), height):
            for x in range(0, len(columns), width):
                values[y : y + height, x : x + width] = self._compute(
                    rows[y : y + height], columns[x : x + width]
                )
        return values[slice(None) if keep_y else 0, slice(None) if keep_x else 0]

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Compute the whole level, unless it is larger than `MAX_ARRAY_BYTES`.

        Raises
        ------
        InputError
            When the level is too large.
        """
        if copy is False:
            raise ValueError("a synthetic slide is computed when read: there is only a copy")
        if self.nbytes > MAX_ARRAY_BYTES:
            height, width = self.shape
            raise InputError(
                f"a level of {height} x {width} pixels is too large to be computed whole: read a "
                "part of it, for example level[:1024, :1024], or a coarser level"
            )
        return np.asarray(self[:, :], dtype=dtype)

    @property
    def _block(self) -> tuple[int, int]:
        """Rows and columns computed at once; what is computed does not depend on them."""
        return BLOCK if self.level == 0 else (BLOCK[0] // 2, BLOCK[1] // 2)

    def _compute(self, rows: Index, columns: Index) -> npt.NDArray[np.uint16]:
        """Pixels at every pair of a row and a column."""
        fluorescence = Fluorescence(self.lattice)
        if self.level == 0:
            y, x = (index.astype(np.float64) + 0.5 for index in (rows, columns))
            light = fluorescence.light(y, x, spacing=1.0)
        else:
            height, width = self.lattice.shape
            samples = fluorescence.light(
                _quarters(rows, self.factor, height),
                _quarters(columns, self.factor, width),
                spacing=self.factor / 2,
            )
            pairs = samples[::2] + samples[1::2]
            light = (pairs[:, ::2] + pairs[:, 1::2]) * np.float32(0.25)
        light += fluorescence.noise(light, self.level, rows, columns, self.factor**2)
        return np.rint(np.clip(light, 0, 2**16 - 1)).astype(np.uint16)


def _quarters(index: Index, factor: int, length: int) -> Coordinates:
    """Two samples in each pixel, at a quarter and three quarters of it, and inside the slide."""
    samples: Coordinates = (index[:, np.newaxis] + np.array([0.25, 0.75])) * factor
    return np.minimum(samples.ravel(), length - 0.5)


def _two_keys(key: Any) -> tuple[Any, Any]:
    """Write a key out for both axes."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(one is Ellipsis for one in keys):
        place = next(i for i, one in enumerate(keys) if one is Ellipsis)
        rest = (slice(None),) * (3 - len(keys))
        keys = keys[:place] + rest + keys[place + 1 :]
    keys = keys + (slice(None),) * (2 - len(keys))
    if len(keys) != 2:
        raise IndexError(f"{len(keys)} indices were given for the 2 axes of a slide")
    return keys[0], keys[1]


def _pick(key: Any, length: int) -> tuple[Index, bool]:
    """Positions that a key picks along one axis, and whether the axis stays."""
    if isinstance(key, slice):
        return np.arange(*key.indices(length), dtype=np.int64), True
    try:
        if isinstance(key, (bool, np.bool_)):
            raise TypeError
        index = operator.index(key)
    except TypeError:
        raise IndexError(
            f"a slide was indexed with {key!r}: use whole numbers and slices"
        ) from None
    if not -length <= index < length:
        raise IndexError(f"index {index} lies outside an axis of {length} pixels")
    return np.array([index % length], np.int64), False
