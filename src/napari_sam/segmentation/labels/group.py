"""The folder of an OME-Zarr label image: made once, listed by its image, opened again."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import zarr
from zarr.codecs import ZstdCodec
from zarr.errors import BaseZarrError

from napari_sam.errors import InputError
from napari_sam.images.ome_zarr import read_group
from napari_sam.segmentation.labels.blocks import write_failed
from napari_sam.segmentation.labels.metadata import (
    HIGHEST_ID,
    OWN_KEY,
    Layout,
    halved,
    image_label,
    is_label_image,
    layout_of_image,
    make_axes,
    place,
    with_label,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_sam.images.contents import Contents


def layout_for(
    path: Path,
    shape: tuple[int, ...],
    axes: str | None,
    scale: Sequence[float] | None,
    image_path: Path | None,
) -> tuple[Layout, str | None]:
    """Layout that new labels are to have, and the relative path to their image.

    Inside an image the levels are its own; elsewhere they halve, in the place of the image if
    there is one that says it.

    Raises
    ------
    InputError
        When shape, axes or scale cannot be used or do not fit the image.
    """
    inside = _holding_image(path)
    if inside is not None:
        _check_fit(inside, shape, axes, path.parent.parent)
        if scale is not None:
            raise InputError("labels inside an image have its scale: leave the scale out")
        return inside, "../../"
    given = make_axes(axes, shape)
    if scale is not None and (len(scale) != len(shape) or min(scale) <= 0):
        raise InputError(
            f"the scale {tuple(scale)} does not fit {len(shape)} axes: give one size above 0 each"
        )
    source = None if image_path is None else _relative(image_path, path)
    group = None if image_path is None else _open(image_path)
    image = None if group is None else layout_of_image(group)
    if image is not None:
        _check_fit(image, shape, axes, image_path)
        given = image.axes
    if image is None or scale is not None:
        return halved(shape, given, scale or (1.0,) * len(shape), (0.0,) * len(shape)), source
    return halved(shape, given, *place(image)), source


def create_group(
    path: Path, layout: Layout, dtype: np.dtype[Any], chunk: int, source: str | None
) -> None:
    """Make the folder of a label image with empty levels.

    Its metadata come last, and its name in the image's list after them: a folder that was not
    finished is no label image, and is removed where it failed.

    Parameters
    ----------
    path : Path
        Where nothing is yet.
    layout : Layout
    dtype : dtype
    chunk : int
        Pixels along a side of the chunks of all levels; planes have their own chunks.
    source : str or None
        Relative path to the image.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    zarr_format: Literal[2, 3] = 2 if layout.version == "0.4" else 3
    try:
        listing = None
        if _holding_image(path) is not None:
            listing = zarr.open_group(path.parent, mode="a", zarr_format=zarr_format)
        group = zarr.create_group(path, zarr_format=zarr_format)
        for dataset, shape in zip(layout.datasets, layout.shapes, strict=True):
            group.create_array(
                dataset["path"],
                shape=shape,
                dtype=dtype,
                chunks=(1,) * (len(shape) - 2) + tuple(min(chunk, n) for n in shape[-2:]),
                fill_value=0,
                **_storage(layout, zarr_format),
            )
        attributes = image_label(layout, path.stem, source)
        group.update_attributes({**attributes, OWN_KEY: {HIGHEST_ID: 0}})
        if listing is not None:
            listed = with_label(listing.attrs.asdict(), path.name, layout.version)
            listing.update_attributes(listed)
            _consolidate_again(path.parent.parent)
    except OSError as error:
        _remove(path)
        raise write_failed(path, error) from error


def _remove(path: Path) -> None:
    """Remove a folder that zarr may still be writing to.

    It writes several files at once; when one fails, the others are on their way and make the
    folder again. So it has to stay away for a moment.
    """
    absent = 0
    for _ in range(50):
        absent = 0 if path.exists() else absent + 1
        if absent == 3:
            return
        shutil.rmtree(path, ignore_errors=True)
        time.sleep(0.02)


def open_labels(path: Path) -> Contents:
    """Open the levels of a label image.

    Raises
    ------
    InputError
        When there is no label image.
    """
    group = _open(path)
    if group is None:
        raise InputError(
            f"there is no label image at {path}: check the path, or make one with "
            "LabelPyramid.create"
        )
    if not is_label_image(group.attrs.asdict()):
        raise InputError(
            f"{path} is not an OME-Zarr label image (its attributes have no 'multiscales' with an "
            "'image-label'): labels of an image lie in its folder labels, for example "
            f"{path / 'labels' / 'nuclei'}"
        )
    return read_group(group, str(path))


def recall_id(path: Path) -> int | None:
    """Highest id that was ever given, as the folder has it now; None when it does not say."""
    group = _open(path)
    own = None if group is None else group.attrs.get(OWN_KEY)
    found = own.get(HIGHEST_ID) if isinstance(own, dict) else None
    return int(found) if isinstance(found, int) else None


def remember_id(path: Path, value: int) -> None:
    """Keep the highest id that was ever given; all other attributes stay.

    Raises
    ------
    StoreError
        When the folder cannot be written.
    """
    try:
        group = zarr.open_group(path, mode="r+", use_consolidated=False)
        group.update_attributes({OWN_KEY: {HIGHEST_ID: value}})
    except OSError as error:
        raise write_failed(path, error) from error


def _open(path: Path) -> zarr.Group | None:
    """Open a zarr group as it is now, or None when there is none."""
    try:
        return zarr.open_group(path, mode="r+", use_consolidated=False)
    except (FileNotFoundError, BaseZarrError):
        return None


def _holding_image(path: Path) -> Layout | None:
    """Layout of the image that ``image.zarr/labels/name`` lies in, or None of other paths."""
    group = _open(path.parent.parent) if path.parent.name == "labels" else None
    if group is None:
        return None
    layout = layout_of_image(group)
    if layout is None:
        raise InputError(
            f"{path.parent.parent} holds data in the zarr format, but is no OME-Zarr image: put "
            "labels into the folder labels of an image, or somewhere else"
        )
    return layout


def _check_fit(image: Layout, shape: tuple[int, ...], axes: str | None, name: object) -> None:
    names = "".join(image.names)
    if image.shapes[0] != shape or (axes is not None and axes.lower() != names):
        wanted = f"labels of shape {shape}" + (f" with the axes {axes!r}" if axes else "")
        raise InputError(
            f"{wanted} do not fit the image {name}: without channels its shape is "
            f"{image.shapes[0]} and its axes are {names.upper()!r}"
        )


def _relative(image: Path, labels: Path) -> str:
    try:
        return Path(os.path.relpath(image, labels)).as_posix()
    except ValueError:  # another drive
        return image.absolute().as_posix()


def _storage(layout: Layout, zarr_format: int) -> dict[str, Any]:
    if zarr_format == 2:
        return {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    # Without a checksum a flipped bit would come back as another label.
    return {"dimension_names": layout.names, "compressors": ZstdCodec(level=0, checksum=True)}


def _consolidate_again(image: Path) -> None:
    """Where an image keeps a copy of all metadata in one place, add the new labels to it."""
    if zarr.open_group(image, mode="r").metadata.consolidated_metadata is None:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        zarr.consolidate_metadata(image)
