"""Annotated images on disk: a folder, a table of several sources, or one packed file."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError
from napari_sam.training.annotated import MIN_AREA, AnnotatedImage, has_objects
from napari_sam.training.packed import read_packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["read_dataset"]

MANIFEST = "manifest.csv"
SILVER = "silver"
"""Where a manifest says this of its ground truth, the labels were made by a program."""

SUFFIXES = (".tif", ".tiff", ".png", ".npy")


def read_dataset(path: str | Path) -> Iterator[AnnotatedImage]:
    """Read annotated images one after the other.

    Parameters
    ----------
    path : str or Path
        A folder with ``images/`` and ``labels/`` in which files of one image have one name; a
        folder with a ``manifest.csv`` that has the columns ``source`` and ``name`` and, if need
        be, ``axes`` and ``gt`` (lines whose ``gt`` says silver are left out: those labels were
        made by a program), for files ``source/images/name`` and ``source/labels/name``; or a file
        that `pack_dataset` wrote, which needs no image library to be read.

    Yields
    ------
    AnnotatedImage
        Each plane of a stack is one; planes without objects are passed over.

    Raises
    ------
    InputError
        When something is missing, damaged, empty or does not fit together; it names the file.
    """
    path = Path(path).expanduser()
    if path.is_file():
        yield from read_packed(path)
    elif (path / MANIFEST).is_file():
        yield from _read_manifest(path)
    elif (path / "images").is_dir() and (path / "labels").is_dir():
        yield from _read_folder(path)
    else:
        raise InputError(
            f"{path} is no data set: expected a folder with images/ and labels/, or with a "
            f"{MANIFEST}, or a packed .npz file"
        )


def _read_folder(folder: Path) -> Iterator[AnnotatedImage]:
    files = sorted(
        file
        for file in (folder / "images").iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        raise InputError(f"{folder / 'images'} holds no TIFF, PNG or numpy file; put images there")
    for file in files:
        yield from _read_pair(file, folder / "labels", folder.resolve().name, None)


def _read_manifest(folder: Path) -> Iterator[AnnotatedImage]:
    file = folder / MANIFEST
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            table = csv.DictReader(opened)
            columns, rows = table.fieldnames or (), list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{file} is not a table of comma-separated values in UTF-8 ({error}); save it as one"
        ) from error
    if not {"source", "name"} <= set(columns):
        raise InputError(
            f"{file} has the columns {', '.join(columns) or '(none)'}; expected source and name "
            "among them"
        )
    if incomplete := [row for row in rows if not (row["source"] and row["name"])]:
        raise InputError(
            f"{file}: {len(incomplete)} of {len(rows)} lines lack a source or a name, the first "
            f"is {','.join(str(value or '') for value in incomplete[0].values())!r}; complete them"
        )
    used = [row for row in rows if SILVER not in (row.get("gt") or "").lower()]
    if not used:
        raise InputError(
            f"{file} lists {len(rows)} images and the labels of none were made by people (gt is "
            "silver where a program made them); list at least one"
        )
    for row in used:
        place = folder / row["source"]
        image = _find(place / "images", row["name"])
        yield from _read_pair(image, place / "labels", row["source"], row.get("axes") or None)


def _read_pair(
    image: Path, labels: Path, source: str, axes: str | None
) -> Iterator[AnnotatedImage]:
    """Read an image with its labels, plane by plane."""
    from napari_sam.images.source import open_image
    from napari_sam.images.tiles import Window

    label_file = _find(labels, image.stem)
    opened = open_image(image, axes=axes)
    ids = _read_labels(label_file)
    expected = (*opened.planes, *opened.plane_shape)
    if ids.shape != expected:
        raise InputError(
            f"{label_file} has shape {ids.shape} but {image} has {expected}; give the label image "
            "that belongs to it"
        )
    planes = [p for p in itertools.product(*map(range, opened.planes)) if has_objects(ids[p])]
    if not planes:
        raise InputError(
            f"{label_file} has no object of {MIN_AREA} pixels or more; leave the image out or "
            "label something in it"
        )
    window = Window(origin=(0.0, 0.0), sampling=(1.0, 1.0), size=max(opened.plane_shape))
    for plane in planes:
        pixels = np.ascontiguousarray(opened.render(window, plane).transpose(1, 2, 0))
        name = f"{image} {plane}" if plane else str(image)
        yield AnnotatedImage(name, source, pixels, _as_int32(ids[plane]))


def _read_labels(path: Path) -> npt.NDArray[np.generic]:
    from napari_sam.images.readers import read_path

    labels = np.asarray(read_path(path).levels[0])
    if labels.dtype.kind not in "iub":
        raise InputError(
            f"{path} holds {labels.dtype} of shape {labels.shape}; expected one whole number per "
            "pixel, 0 for background: save it with an integer type"
        )
    return labels


def _as_int32(ids: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """Renumber the objects where their ids are too large."""
    if ids.max() <= np.iinfo(np.int32).max:
        return ids.astype(np.int32)
    values = np.unique(ids[ids != 0])
    return np.where(ids == 0, 0, np.searchsorted(values, ids) + 1).astype(np.int32)


def _find(folder: Path, name: str) -> Path:
    """Find a file by its name without suffix."""
    for suffix in SUFFIXES:
        for written in (suffix, suffix.upper()):
            if (path := folder / f"{name}{written}").is_file():
                return path
    raise InputError(
        f"there is no file {folder / name} with one of the suffixes {', '.join(SUFFIXES)}; add "
        "it, or leave the image out"
    )
