"""Arrays of any kind: what an image level has to offer, and how a part of it is read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam.errors import InputError, InputTypeError

if TYPE_CHECKING:
    import numpy.typing as npt


class ArrayLike(Protocol):
    """What an image level has to offer: numpy, zarr and dask arrays all do."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> Any: ...  # noqa: D102
    def __getitem__(self, key: Any) -> Any: ...


def as_levels(source: Any) -> list[ArrayLike]:
    """Levels of what a user gave: an array, a sequence of arrays, or nested lists of numbers.

    A sequence is asked before anything else: napari's ``MultiScaleData`` is one, and has a shape
    and a dtype too.
    """
    if (
        isinstance(source, Sequence)
        and len(source) > 0
        and all(hasattr(level, "shape") for level in source)
    ):
        return list(source)
    if hasattr(source, "shape") and hasattr(source, "dtype") and hasattr(source, "__getitem__"):
        return [source]
    try:
        return [np.asarray(source)]
    except ValueError:  # rows of different lengths
        raise InputTypeError(
            f"a {type(source).__name__} was given as an image: expected a path, an array, or a "
            "list of arrays with the finest level first"
        ) from None


def is_zarr_group(source: Any) -> bool:
    """Whether this is an open zarr group; zarr is not imported for the question."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(source, zarr.Group)


def fetch(array: ArrayLike, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
    """Read a part of an array; of a dask array just the chunks that it needs, in threads."""
    part = array[key]
    if hasattr(part, "__dask_graph__"):
        part = part.compute(scheduler="threads")
    values = np.asarray(part)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def chunk_shape(array: ArrayLike) -> tuple[int, ...] | None:
    """Shape of the blocks an array is read in, or None where any part can be read alone."""
    chunks: Any = getattr(array, "chunks", None)
    if not chunks:
        return None
    # dask lists the lengths of all chunks along each axis
    return tuple(int(max(c)) if isinstance(c, tuple) else int(c) for c in chunks)


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Refuse values that are no intensities.

    Raises
    ------
    InputTypeError
    """
    if dtype.kind not in "buif":
        raise InputTypeError(
            f"{name} holds values of type {dtype}: expected whole or real numbers; convert it, for "
            "example with array.astype('float32')"
        )


def refuse_not_finite(values: Any, name: str) -> None:
    """Refuse NaN and infinity in an array in memory; what is read later is looked at then.

    Raises
    ------
    InputError
    """
    in_memory = isinstance(values, np.ndarray) and not isinstance(values, np.memmap)
    if not in_memory or values.dtype.kind != "f" or not values.size:
        return
    low, high = values.min(), values.max()  # both carry a NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"{name} holds values that are not finite (NaN or infinity): expected finite "
            "intensities; replace them first, for example with numpy.nan_to_num"
        )
