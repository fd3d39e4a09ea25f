"""Annotated images on disk: a folder, a table of several sources, or one packed file."""

from __future__ import annotations

import csv
import itertools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError
from napari_sam.training.annotated import AnnotatedImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

__all__ = ["pack_dataset", "read_dataset"]

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
        Each plane of a stack is one; planes without objects are passed over unless it is the
        only one.

    Raises
    ------
    InputError
        When something is missing, damaged, empty or does not fit together; it names the file.
    """
    path = Path(path).expanduser()
    if path.is_file():
        yield from _read_pack(path)
    elif (path / MANIFEST).is_file():
        yield from _read_manifest(path)
    elif (path / "images").is_dir() and (path / "labels").is_dir():
        files = sorted(f for f in (path / "images").iterdir() if f.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"{path / 'images'} holds no TIFF, PNG or numpy file")
        for file in files:
            yield from _read_pair(file, path / "labels", path.resolve().name, None)
    else:
        raise InputError(
            f"{path} is no data set: expected a folder with images/ and labels/, or with a "
            f"{MANIFEST}, or a packed .npz file"
        )


def pack_dataset(images: Sequence[AnnotatedImage], path: str | Path) -> None:
    """Write annotated images to one compressed file that numpy alone can read."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "names": np.array([image.name for image in images]),
        "sources": np.array([image.source for image in images]),
    }
    for index, image in enumerate(images):
        grey = (image.pixels == image.pixels[..., :1]).all()
        arrays[f"pixels_{index}"] = image.pixels[..., 0] if grey else image.pixels
        small = image.labels.min() >= 0 and image.labels.max() < 2**16
        arrays[f"labels_{index}"] = image.labels.astype(np.uint16) if small else image.labels
    np.savez_compressed(Path(path), allow_pickle=False, **arrays)


def _read_pack(path: Path) -> Iterator[AnnotatedImage]:
    try:
        with np.load(path, allow_pickle=False) as pack:
            names, sources = pack["names"].tolist(), pack["sources"].tolist()
            for index, (name, source) in enumerate(zip(names, sources, strict=True)):
                pixels, labels = pack[f"pixels_{index}"], pack[f"labels_{index}"]
                if pixels.ndim == 2:
                    pixels = np.repeat(pixels[..., None], 3, axis=2)
                yield AnnotatedImage(name, source, pixels, labels.astype(np.int32))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not a packed data set, or a damaged one ({error}); pack it again"
        ) from error


def _read_manifest(folder: Path) -> Iterator[AnnotatedImage]:
    with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        if not {"source", "name"} <= set(table.fieldnames or ()):
            raise InputError(
                f"{folder / MANIFEST} has the columns {', '.join(table.fieldnames or ())}; "
                "expected source and name among them"
            )
        rows = list(table)
    for row in rows:
        if SILVER in (row.get("gt") or "").lower():
            continue
        place = folder / row["source"]
        file_ = _with_suffix(place / "images", row["name"])
        yield from _read_pair(file_, place / "labels", row["source"], row.get("axes") or None)


def _read_pair(
    image: Path, labels: Path, source: str, axes: str | None
) -> Iterator[AnnotatedImage]:
    """Read an image with its labels, plane by plane."""
    from napari_sam.images.source import open_image
    from napari_sam.images.tiles import Window

    label_file = _with_suffix(labels, image.stem)
    opened = open_image(image, axes=axes)
    ids = _read_labels(label_file)
    expected = (*opened.planes, *opened.plane_shape)
    if ids.shape != expected:
        raise InputError(
            f"{label_file} has shape {ids.shape} but {image} has {expected}; give the label image "
            "that belongs to it"
        )
    window = Window(origin=(0.0, 0.0), sampling=(1.0, 1.0), size=max(opened.plane_shape))
    planes = list(itertools.product(*map(range, opened.planes)))
    for plane in planes:
        if len(planes) > 1 and not ids[plane].any():
            continue
        pixels = np.ascontiguousarray(opened.render(window, plane).transpose(1, 2, 0))
        name = f"{image} {plane}" if plane else str(image)
        yield AnnotatedImage(name, source, pixels, ids[plane].astype(np.int32))


def _read_labels(path: Path) -> npt.NDArray[np.generic]:
    from napari_sam.images.readers import read_path

    levels = read_path(path).levels
    labels = np.asarray(levels[0])
    if labels.dtype.kind not in "iub":
        raise InputError(
            f"{path} holds {labels.dtype} of shape {labels.shape}; a label image holds one whole "
            "number per pixel, 0 for background"
        )
    return labels


def _with_suffix(folder: Path, name: str) -> Path:
    """Find a file by its name without suffix."""
    for suffix in SUFFIXES:
        for written in (suffix, suffix.upper()):
            if (path := folder / f"{name}{written}").is_file():
                return path
    raise InputError(f"there is no file {folder / name} with one of {', '.join(SUFFIXES)}")
