"""Labels as one TIFF file, whatever their size."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tifffile

from napari_sam.durable import whole_file
from napari_sam.errors import InputError
from napari_sam.segmentation.labels.blocks import planes, read, whole_plane
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.labels.blocks import LabelArray

TILE = 512
"""Side of a tile of the file in pixels."""

LARGEST_UNTILED = 4096 * 4096
"""Pixels of a plane up to which it is written in strips, which every program reads."""

LARGEST_CLASSIC = 2**32 - 2**25
"""Bytes of labels up to which the offsets of classic TIFF surely suffice."""

IN_FLIGHT = 2**26
"""Bytes of labels that are compressed at the same time."""


def write_tiff(
    labels: LabelArray | LabelPyramid, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Write labels as a compressed TIFF, of a pyramid the finest level.

    Large planes are tiled, and files that could grow beyond 4 GB are BigTIFF. Little of the
    labels is in memory at any time, and the file is there only when it is whole.

    Parameters
    ----------
    labels : ndarray, zarr array or LabelPyramid, shape (..., y, x)
    path : path
    overwrite : bool
        Whether a file of this name may be replaced.

    Raises
    ------
    InputError
        When there is a file already.
    StoreError
        When the file cannot be written.
    """
    array = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
    path = Path(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already: choose another name, or allow overwriting it")
    height, width = array.shape[-2:]
    tiled = height * width > LARGEST_UNTILED
    size = array.dtype.itemsize * math.prod(array.shape)
    with writing(path), whole_file(path) as unfinished:
        tifffile.imwrite(
            unfinished,
            _tiles(array) if tiled else _planes(array),
            shape=array.shape,
            dtype=array.dtype,
            tile=(TILE, TILE) if tiled else None,
            bigtiff=size > LARGEST_CLASSIC,
            compression="zlib",
            photometric="minisblack",
            metadata={"axes": labels.axes} if isinstance(labels, LabelPyramid) else {},
            buffersize=IN_FLIGHT,
        )


def _planes(array: LabelArray) -> Iterator[npt.NDArray[Any]]:
    return (read(array, plane, whole_plane(array)) for plane in planes(array))


def _tiles(array: LabelArray) -> Iterator[npt.NDArray[Any]]:
    """Tiles of all planes, row by row; those at the far edges are what is left."""
    height, width = array.shape[-2:]
    for plane in planes(array):
        for y in range(0, height, TILE):
            for x in range(0, width, TILE):
                yield read(array, plane, (y, x, min(y + TILE, height), min(x + TILE, width)))
