"""Whatever a user gives as an image, as levels with what is known about them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.arrays import as_levels, is_zarr_group
from napari_sam.images.contents import Contents
from napari_sam.images.pictures import read_picture
from napari_sam.images.tiff import read_tiff

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
TIFFS = frozenset(
    # plain, large and pyramidal TIFF, and what microscopes and slide scanners call theirs
    {".tif", ".tiff", ".btf", ".tf8", ".ptif", ".ptiff", ".svs", ".ndpi", ".scn", ".bif"}
    | {".qptiff", ".lsm", ".stk"}
)


def read_source(source: Any) -> Contents:
    """Open a path, an array, a list of levels or an open zarr group.

    Raises
    ------
    InputError, InputTypeError
        When it is missing, of an unknown kind or cannot be read.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_path(source)
    if is_zarr_group(source):
        from napari_sam.images.ome_zarr import place_of, read_group

        return read_group(source, place_of(source))
    levels = as_levels(source)
    return Contents(tuple(levels), axes=_dimension_names(levels[0]))


def read_path(path: str | os.PathLike[str]) -> Contents:
    """Open an image file or a folder in the zarr format.

    Parameters
    ----------
    path : path
        A folder with an OME-Zarr image or a zarr array; a TIFF file of any kind; a PNG, JPEG or
        other picture; or a numpy file.

    Raises
    ------
    InputError
        When it is missing, of an unknown kind or cannot be read.
    """
    if "://" in str(path):
        raise InputError(
            f"{path} is not on this computer: open it with zarr, for example "
            "zarr.open_group(address, mode='r'), and give that"
        )
    file = Path(path)
    if not file.exists():
        raise InputError(f"there is no file {file}: check the path")
    if file.is_dir():
        return _read_folder(file)
    return _read_as(file, _reader_of(file))


def _reader_of(file: Path) -> Callable[[Path], Contents]:
    kind = file.suffix.lower()
    if kind in PICTURES:
        return read_picture
    if kind in TIFFS:
        return read_tiff
    if kind == ".npy":
        return _read_npy
    raise InputError(
        f"{file} is of a kind that is not read here ({kind or 'no suffix'}): expected an OME-Zarr "
        "folder, TIFF, PNG or JPEG, or open it yourself and give the array"
    )


def _read_as(file: Path, read: Callable[[Path], Contents]) -> Contents:
    try:
        return read(file)
    except InputError:
        raise
    except Exception as error:  # the readers raise many kinds for a damaged file
        raise InputError(f"{file} could not be read as an image: {error}") from error


def _read_npy(file: Path) -> Contents:
    return Contents((np.load(file, mmap_mode="r", allow_pickle=False),))


def _read_folder(folder: Path) -> Contents:
    import zarr

    from napari_sam.images.ome_zarr import looks_like_zarr, read_group

    if not looks_like_zarr(folder):
        raise InputError(
            f"the folder {folder} is not in the zarr format: give an OME-Zarr folder, or one "
            "image file"
        )
    try:
        opened = zarr.open(str(folder), mode="r")
    except Exception as error:  # damaged metadata raise many kinds
        raise InputError(f"{folder} could not be read as zarr: {error}") from error
    if isinstance(opened, zarr.Array):
        return Contents((opened,), axes=_dimension_names(opened))
    return read_group(opened, str(folder))


def _dimension_names(array: Any) -> str | None:
    """Axes of a zarr array that names its dimensions, when they are letters that can be used."""
    names = getattr(getattr(array, "metadata", None), "dimension_names", None)
    if not names or not all(isinstance(name, str) and len(name) == 1 for name in names):
        return None
    axes = "".join(names).upper()
    return axes if {"Y", "X"} <= set(axes) and len(set(axes)) == len(axes) else None
