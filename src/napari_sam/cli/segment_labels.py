"""The label image of `napari-sam segment`: OME-Zarr, TIFF or PNG, whatever the image's size."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import click
import numpy as np
from PIL import Image

from napari_sam.cli.label_output import LARGEST_TIFF, TIFF_SUFFIXES
from napari_sam.cli.program import check_writable, writing
from napari_sam.errors import InputError
from napari_sam.segmentation.automatic.output import check_out, fits_memory
from napari_sam.segmentation.labels.tiff import write_tiff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.automatic.result import SegmentResult

__all__ = ["SegmentLabels"]

PNG = ".png"
LARGEST_PNG_ID = 2**16 - 1


class SegmentLabels:
    """Where labels go while a run lasts, and the file at its end; use as a context manager.

    Parameters
    ----------
    path : Path, optional
        None where no labels are wanted: a run makes them all the same.
    source : ImageSource
    planes : sequence of tuple of int, optional
        Those that are segmented; all that there may be when not given. A file of one plane has
        that plane alone.
    records : Path, optional
        Where a user wants the records.

    Attributes
    ----------
    is_zarr : bool
        Whether the labels are OME-Zarr.
    written : Path or None
        The labels, once they are written.

    Raises
    ------
    InputError
        If the name says no format, there is no such folder, or the format cannot hold the labels.
    """

    def __init__(
        self,
        path: Path | None,
        source: ImageSource,
        planes: Sequence[tuple[int, ...]] | None,
        records: Path | None,
    ) -> None:
        self.written: Path | None = None
        self.records = records
        self._path = path
        self._shape = (*source.planes, *source.plane_shape)
        one = planes[0] if planes is not None and len(planes) == 1 else None
        self._plane = one if source.planes else None
        self._exit = ExitStack()
        self.is_zarr = path is not None and _is_zarr(path)
        if path is not None:
            self._check(path)

    def _check(self, path: Path) -> None:
        if self.is_zarr:
            check_writable(path.parent if path.parent.name == "labels" else path)
            check_out(path)
            return
        check_writable(path)
        shape = self._shape if self._plane is None else self._shape[-2:]
        size = " x ".join(f"{length:,}" for length in shape)
        zarr = f"write OME-Zarr, for example -o {path.with_suffix('.zarr')}"
        if math.prod(shape) > LARGEST_TIFF:
            raise InputError(f"labels of {size} pixels are too large for one file: {zarr}")
        if not fits_memory(self._shape) and (self._plane is not None or _is_png(path)):
            raise InputError(f"labels of {size} pixels are too large for {path.name}: {zarr}")
        if _is_png(path) and math.prod(shape) != math.prod(shape[-2:]):
            raise InputError(
                f"{path} cannot hold the planes of a stack: choose one with --plane, or give a "
                "name that ends in .tif or .zarr"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def out(self) -> Path | None:
        """Where a run writes: the OME-Zarr labels, memory, or a folder for as long as it lasts.

        Raises
        ------
        InputError
            If there is no room for such a folder.
        """
        if self.is_zarr or fits_memory(self._shape):
            return self._path if self.is_zarr else None
        place = Path() if self._path is None else self._path.parent
        with writing(place):
            folder = TemporaryDirectory(prefix="labels-", dir=place)
        return Path(self._exit.enter_context(folder)) / "labels.zarr"

    def save(self, result: SegmentResult) -> None:
        """Finish the file.

        Raises
        ------
        NapariSamError
            If it cannot be written.
        """
        path, labels = self._path, result.labels
        if path is None or self.is_zarr:
            self.written = path
            return
        if isinstance(labels, np.ndarray):
            labels = labels[self._plane or ()]
        if _is_png(path) and isinstance(labels, np.ndarray):
            if len(result) <= LARGEST_PNG_ID:
                with writing(path):
                    pixels = labels.reshape(self._shape[-2:]).astype(np.uint16)
                    Image.fromarray(pixels).save(path)
                self.written = path
                return
            path = path.with_suffix(".tif")  # after a long run nothing is thrown away
            click.echo(f"a PNG holds {LARGEST_PNG_ID:,} objects: writing {path} instead", err=True)
        write_tiff(_smallest(labels, len(result)), path, overwrite=True)
        self.written = path


def _smallest(labels: Any, highest: int) -> Any:
    if not isinstance(labels, np.ndarray):
        return labels
    return labels.astype(np.promote_types(np.uint16, np.min_scalar_type(highest)))


def _is_png(path: Path) -> bool:
    return path.suffix.lower() == PNG


def _is_zarr(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in TIFF_SUFFIXES or suffix == PNG:
        return False
    if suffix == ".zarr" or path.parent.name == "labels":
        return True
    raise InputError(
        f"{path} says no format for the labels: give a name that ends in .tif or .png, or in .zarr "
        "for OME-Zarr"
    )
