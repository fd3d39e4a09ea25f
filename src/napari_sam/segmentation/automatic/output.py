"""Where the labels of an automatic run go: memory, a folder on disk, or labels that are there."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.labels.blocks import write_failed
from napari_sam.segmentation.labels.edits import next_id
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.labels.edits import Labels

__all__ = ["LabelTarget", "check_out", "fits_memory", "records_beside"]

LONGEST_SIDE = 16_384
"""Pixels of a plane's side up to which labels are an array in memory: 1 GB of them a plane."""

MOST_PIXELS = 2**31
"""Pixels of all planes up to which they are; memory is taken only where objects are."""

UNFINISHED = ".unfinished"
"""Ending of the file beside labels on disk that says which run has begun them."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelTarget:
    """Labels that a run writes.

    Attributes
    ----------
    labels : ndarray, zarr array or LabelPyramid
        Shape of the image without its channel axis.
    first_id : int
        Lowest id of the run's objects; what has a lower one is not the run's.
    marker : Path, optional
        File that is there until the labels are finished.
    """

    labels: Labels
    first_id: int = 1
    marker: Path | None = None

    @classmethod
    def open(cls, out: Any, image: ImageSource, run: str) -> LabelTarget:
        """Make the labels that are asked for, or go on with those that this run has begun.

        Parameters
        ----------
        out : None, path, array or LabelPyramid
            An array in memory; OME-Zarr labels on disk (``name.zarr``, or ``labels/name`` inside
            an OME-Zarr image); or labels to add the objects to.
        image : ImageSource
        run : str
            What tells this run from others.

        Raises
        ------
        InputError, InputTypeError
            When there are other labels already, they do not fit the image, or the image is too
            large for memory.
        StoreError
            When the folder cannot be written.
        """
        shape = (*image.planes, *image.plane_shape)
        if out is None:
            return cls(_in_memory(shape))
        if isinstance(out, (str, os.PathLike)):
            return cls._on_disk(Path(out), shape, image, run)
        found = tuple(getattr(out, "shape", ()))
        if found != shape:
            raise InputError(
                f"labels of shape {found} do not fit an image of shape {shape}: give labels of the "
                "same shape, or the path of new ones"
            )
        if np.dtype(out.dtype).kind not in "ui":
            raise InputTypeError(f"labels hold {out.dtype}: expected whole numbers, like uint32")
        return cls(out, next_id(out))

    @classmethod
    def _on_disk(
        cls, path: Path, shape: tuple[int, ...], image: ImageSource, run: str
    ) -> LabelTarget:
        check_out(path)
        marker = _marker(path)
        if _begun_by(marker) == run and path.exists():
            try:
                return cls(LabelPyramid.open(path), marker=marker)
            except InputError:  # killed while the folder was made
                shutil.rmtree(path)
        if path.exists():
            raise InputError(
                f"{path} was begun by a run with other settings and not finished: choose another "
                "name, or delete it"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text(run, encoding="utf-8")
        except OSError as error:
            raise write_failed(path, error) from error
        labels = LabelPyramid.create(
            path,
            shape,
            axes=image.axes.names.replace("C", ""),
            image_path=Path(image.name) if _is_zarr(Path(image.name)) else None,
        )
        return cls(labels, marker=marker)

    def finish(self) -> None:
        """Say that all objects are in the labels."""
        if self.marker is not None:
            self.marker.unlink(missing_ok=True)


def check_out(path: Path) -> None:
    """Refuse early a path on which no labels can be made, nor gone on with.

    Raises
    ------
    InputError
        When the name is none of OME-Zarr labels, or finished labels are there.
    """
    if path.suffix.lower() != ".zarr" and path.parent.name != "labels":
        raise InputError(
            f"{path} is no name for labels on disk: give one that ends in .zarr, or the folder "
            "labels of an OME-Zarr image and a name in it"
        )
    if path.exists() and not _marker(path).exists():
        raise InputError(
            f"{path} exists already and is not overwritten: choose another name, or delete it"
        )


def fits_memory(shape: tuple[int, ...]) -> bool:
    """Whether labels of a shape are an array in memory where nobody says where they go."""
    return max(shape[-2:]) <= LONGEST_SIDE and math.prod(shape) <= MOST_PIXELS


def records_beside(out: Any) -> Path | None:
    """Folder for the found masks of a run whose labels are on disk; None where they are not.

    Beside the labels, and of labels inside an OME-Zarr image beside the image, where the folder is
    no part of it: ``labels.zarr`` has ``labels.records``, ``slide.zarr/labels/nuclei`` has
    ``slide.nuclei.records``.
    """
    if not isinstance(out, (str, os.PathLike)):
        return None
    path = Path(out)
    inside = path.parent.parent
    if path.parent.name == "labels" and _is_zarr(inside):
        inside = inside.resolve()
        return inside.with_name(f"{inside.stem}.{path.stem}.records")
    return path.with_name(f"{path.stem}.records")


def _in_memory(shape: tuple[int, ...]) -> Labels:
    if not fits_memory(shape):
        size = " x ".join(f"{length:,}" for length in shape)
        raise InputError(
            f"labels of {size} pixels are too large for memory: give out=, the path of OME-Zarr "
            "labels such as 'labels.zarr'"
        )
    return np.zeros(shape, np.uint32)


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup"))


def _marker(path: Path) -> Path:
    return path.with_name(path.name + UNFINISHED)


def _begun_by(marker: Path) -> str | None:
    try:
        return marker.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise write_failed(marker, error) from error
