"""OME-Zarr images, versions 0.4 (zarr 2) and 0.5 (zarr 3): levels, axes, scales and colours.

The layout is that of https://ngff.openmicroscopy.org: a group whose attributes (from 0.5 on those
under "ome") list the arrays of the levels under "multiscales". docs/adr/0003 says why they are read
here and not by a library.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.channels import parse_color
from napari_sam.images.contents import Contents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import zarr

    from napari_sam.images.channels import Color

VERSIONS = ("0.4", "0.5")
"""Versions of the layout that are read."""

SPARE_LETTERS = "ABDEFGHIJKLMNOPQRSUVW"
"""For axes whose names are longer than a letter."""

Attributes = dict[str, Any]
Vectors = tuple[tuple[float, ...], ...]


def looks_like_zarr(folder: Path) -> bool:
    """Whether a folder is a zarr group or array of either format."""
    return any((folder / name).exists() for name in ("zarr.json", ".zgroup", ".zarray"))


def place_of(node: zarr.Group | zarr.Array[Any]) -> str:
    """Where a group or an array is kept: a path on this computer, elsewhere its address."""
    from zarr.storage import LocalStore

    place = node.store_path
    if isinstance(place.store, LocalStore):
        return str(place.store.root / place.path)
    return str(place)


def read_group(group: zarr.Group, name: str) -> Contents:
    """Open the image of a zarr group.

    Scales and translations are those of the levels; those of the whole multiscale move all levels
    alike. Where no level has a translation, levels are taken to share their outer corner, as
    averaged ones do. The display windows of "omero" are not used: limits are measured.

    Parameters
    ----------
    group : zarr.Group
        An image, or the output of bioformats2raw, of which the first image is opened.
    name : str
        For messages.

    Raises
    ------
    InputError
        When the group is no image, its version is not read here, or its metadata cannot be used.
    """
    attributes = _attributes(group)
    if "multiscales" not in attributes:
        if "bioformats2raw.layout" in attributes and "plate" not in attributes:
            return read_group(_first_series(group, name), name)
        raise _no_image(group, attributes, name)
    try:
        return _read_image(group, attributes, name)
    except InputError:
        raise
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"the OME-Zarr metadata of {name} cannot be used ({type(error).__name__}: {error}): "
            "open its arrays with zarr and give them as a list of levels"
        ) from error


def _attributes(group: zarr.Group) -> Attributes:
    attributes: Attributes = group.attrs.asdict()
    ome = attributes.get("ome")
    return attributes | ome if isinstance(ome, dict) else attributes


def _read_image(group: zarr.Group, attributes: Attributes, name: str) -> Contents:
    multiscale = attributes["multiscales"][0]
    version = multiscale.get("version", attributes.get("version"))
    if version is not None and not str(version).startswith(VERSIONS):
        raise InputError(
            f"{name} is an OME-Zarr image of version {version}: expected {' or '.join(VERSIONS)}; "
            "open its arrays with zarr and give them as a list of levels"
        )
    axes = _letters(multiscale["axes"], name)
    datasets = multiscale["datasets"]
    levels = tuple(_level(group, dataset["path"], name) for dataset in datasets)
    scales, shifts = _placement(datasets, len(axes), name)
    colors = _colors(attributes.get("omero"))
    return Contents(levels, axes=axes, scales=scales, shifts=shifts, colors=colors)


def _letters(axes: Sequence[Mapping[str, str]], name: str) -> str:
    """One letter for each axis; C, Y and X are the channels and the plane."""
    names = [axis["name"].upper() for axis in axes]
    if not {"Y", "X"} <= set(names):
        raise InputError(
            f"{name} has the axes {[axis['name'] for axis in axes]}: expected y and x among them"
        )
    spare = iter([letter for letter in SPARE_LETTERS if letter not in names])
    letters = ""
    for axis, long_name in zip(axes, names, strict=True):
        letter = "C" if axis.get("type") == "channel" else long_name
        letters += letter if len(letter) == 1 else next(spare)
    return letters


def _level(group: zarr.Group, path: str, name: str) -> zarr.Array[Any]:
    import zarr

    array = group.get(path)
    if not isinstance(array, zarr.Array):
        raise InputError(
            f"the metadata of {name} list a level {path!r}, but there is no such array: the image "
            "was not copied or written to its end"
        )
    return array


def _placement(
    datasets: Sequence[Attributes], n_axes: int, name: str
) -> tuple[Vectors | None, Vectors | None]:
    """Scales and shifts of the levels in level-0 pixels, each None where the metadata lack it."""
    steps = [_vector(dataset, "scale", n_axes) for dataset in datasets]
    moves = [_vector(dataset, "translation", n_axes) for dataset in datasets]
    if any(step is None for step in steps):
        return None, None
    scales = np.array(steps)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise InputError(f"the scales of {name} cannot be used: expected finite numbers above 0")
    shifts = None
    if any(move is not None for move in moves):
        offsets = np.array([move or [0.0] * n_axes for move in moves])
        shifts = _rows((offsets - offsets[0]) / scales[0])
    return _rows(scales / scales[0]), shifts


def _vector(dataset: Attributes, kind: str, n_axes: int) -> list[float] | None:
    """Numbers of a dataset's scale or translation."""
    for transformation in dataset.get("coordinateTransformations", ()):
        if transformation["type"] == kind:
            vector = [float(value) for value in transformation[kind]]
            if len(vector) != n_axes:
                raise ValueError(f"{kind} {vector} for {n_axes} axes")
            return vector
    return None


def _rows(values: np.ndarray[Any, np.dtype[np.float64]]) -> Vectors:
    return tuple(tuple(row) for row in values.tolist())


def _colors(omero: Attributes | None) -> tuple[Color, ...]:
    """Colours of the channels, as many as have one; none when one of them is no colour."""
    channels = (omero or {}).get("channels", [])
    try:
        return tuple(parse_color(channel["color"]) for channel in channels if "color" in channel)
    except InputError:
        return ()


def _first_series(group: zarr.Group, name: str) -> zarr.Group:
    import zarr

    ome = group.get("OME")
    paths = _attributes(ome).get("series") if isinstance(ome, zarr.Group) else None
    path = str(paths[0]) if paths else "0"
    series = group.get(path)
    if not isinstance(series, zarr.Group):
        raise InputError(
            f"{name} was written by bioformats2raw, but its first image {path!r} is not there"
        )
    return series


def _no_image(group: zarr.Group, attributes: Attributes, name: str) -> InputError:
    if "plate" in attributes or "well" in attributes:
        kind, example = ("plate", "A/1/0") if "plate" in attributes else ("well", "0")
        return InputError(
            f"{name} is a {kind} with many images: give the path of one of them, for example "
            f"{name.rstrip('/')}/{example}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files that are none of zarr's
        members = sorted(path for path, _ in group.members(max_depth=0))
    found = ", ".join(members[:8]) or "nothing"
    return InputError(
        f"{name} is a zarr group, but no OME-Zarr image (it has no 'multiscales' metadata): give "
        f"the path of an image or array in it (it holds {found})"
    )
