"""The label image that a command is asked for: a TIFF file, or OME-Zarr of any size."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.cli.program import check_writable, writing
from napari_sam.errors import InputError
from napari_sam.segmentation.labels.edits import erase, paint
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.labels.tiff import write_tiff

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.candidates import Candidate
    from napari_sam.segmentation.labels.edits import Edit
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["LabelOutput", "is_zarr_path"]

TIFF_SUFFIXES = (".tif", ".tiff")

IN_MEMORY = 100_000_000
"""Pixels of a TIFF file up to which it is painted in memory; larger ones are on disk meanwhile."""

LARGEST_TIFF = 4_000_000_000
"""Pixels of a TIFF file: more takes minutes to write and no program opens it well."""


def is_zarr_path(path: Path) -> bool:
    """Whether a label image of this name is OME-Zarr: `labels.zarr`, `image.zarr/labels/name`.

    Raises
    ------
    InputError
        If the name says no format.
    """
    if path.suffix.lower() in TIFF_SUFFIXES:
        return False
    if path.suffix.lower() == ".zarr" or path.parent.name == "labels":
        return True
    raise InputError(
        f"{path} says no format for the labels: give a name that ends in .tif, or in .zarr for "
        "OME-Zarr"
    )


class LabelOutput:
    """A label image on its way into a file; use as a context manager.

    OME-Zarr has all planes of the image, is written as objects are painted, and stays when the
    run is stopped. A TIFF file is there after `save`.

    Objects may be painted in any order: where they overlap, the pixels are those of the one with
    the lowest rank.

    Parameters
    ----------
    path : Path
        See `is_zarr_path`.
    source : ImageSource
    image : str
        What the source was opened from.
    ids : sequence of int
        Every id that will be painted, in the order of their ranks.
    every_plane : bool
        Whether a TIFF file has all planes of the image, not one.
    pages : int, optional
        Pages of a TIFF file that shows one plane several times.

    Attributes
    ----------
    pixels : dict of int to int
        How many pixels each id has in the labels.

    Raises
    ------
    InputError
        If there is no such folder, OME-Zarr labels would be overwritten, or a TIFF file would be
        too large.
    """

    def __init__(
        self,
        path: Path,
        source: ImageSource,
        image: str,
        ids: Sequence[int],
        *,
        every_plane: bool = False,
        pages: int | None = None,
    ) -> None:
        self.path = path
        self.is_zarr = is_zarr_path(path)
        self.pages = pages
        self.pixels = dict.fromkeys(ids, 0)
        self._source, self._image = source, image
        self._every_plane = every_plane or self.is_zarr
        self._ids = np.sort(np.asarray(ids, dtype=np.int64))
        self._ranks = np.argsort(ids, kind="stable")
        self._last = -1
        self._exit = ExitStack()
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _check(self) -> None:
        check_writable(self.path.parent if self.path.parent.name == "labels" else self.path)
        if not self.is_zarr and math.prod(self.shape) > LARGEST_TIFF:
            size = " x ".join(f"{length:,}" for length in self.shape)
            raise InputError(
                f"labels of {size} pixels are too large for a TIFF file: write OME-Zarr, for "
                f"example -o {self.path.with_suffix('.zarr')}"
            )
        if self.is_zarr and self.pages is not None:
            raise InputError(f"{self.path} is OME-Zarr, but --all writes pages: choose a TIFF file")
        if self.is_zarr and self.path.exists():
            raise InputError(
                f"{self.path} exists already and is not overwritten: delete it or choose another "
                "name"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels, ``(..., y, x)``."""
        leading = () if self.pages is None else (self.pages,)
        return (*(self._source.planes if self._every_plane else leading), *self._source.plane_shape)

    @cached_property
    def labels(self) -> LabelPyramid | npt.NDArray[Any]:
        """The labels so far; they are made when the first object is painted.

        Raises
        ------
        NapariSamError
            If they cannot be.
        """
        top = int(self._ids[-1])
        if self.is_zarr:
            axes = self._source.axes.names.replace("C", "")
            folder = Path(self._image)
            image_path = folder if folder.is_dir() else None
            pyramid = LabelPyramid.create(self.path, self.shape, axes=axes, image_path=image_path)
        else:
            dtype = np.min_scalar_type(top)
            if math.prod(self.shape) <= IN_MEMORY:
                return np.zeros(self.shape, dtype)
            with writing(self.path):
                parent = TemporaryDirectory(prefix=f"{self.path.stem}-", dir=self.path.parent)
            unfinished = Path(self._exit.enter_context(parent)) / "labels.zarr"
            pyramid = LabelPyramid.create(unfinished, self.shape, dtype=dtype)
        pyramid.reserve(top)  # all at once, not one by one
        return pyramid

    def paint(self, candidate: Candidate, number: int, page: int | None = None) -> None:
        """Give a candidate's pixels an id, except those of objects of a lower rank.

        Parameters
        ----------
        candidate : Candidate
            It may be empty: whoever asked for a file gets one.
        number : int
            The id.
        page : int, optional
            Where there are pages, from 0.

        Raises
        ------
        NapariSamError
            If the labels cannot be made or written.
        """
        plane = candidate.plane if self._every_plane else ()
        plane = plane if page is None else (page,)
        labels, rank = self.labels, int(self._rank(np.array(number)))
        if rank < self._last:
            with suppress(InputError):  # there is nothing to take away
                self._count(erase(labels, _Hidden(self, candidate, plane, rank), plane=plane), 0)
        self._last = max(self._last, rank)
        with suppress(InputError):  # no pixel is left for it
            self._count(paint(labels, candidate, value=number, plane=plane), number)

    def save(self) -> None:
        """Finish the file.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        labels = self.labels
        if not self.is_zarr:
            write_tiff(labels, self.path, overwrite=True)

    def _rank(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        ranks: npt.NDArray[np.intp] = self._ranks[np.searchsorted(self._ids, numbers)]
        return ranks

    def _count(self, edit: Edit, number: int) -> None:
        if number:
            self.pixels[number] += edit.area
            return
        for patch in edit.before:
            for value, run in zip(patch.values.tolist(), patch.runs.tolist(), strict=True):
                self.pixels[value] -= run


class _Hidden:
    """The part of a candidate that lies on objects of a higher rank."""

    def __init__(
        self, output: LabelOutput, candidate: Candidate, plane: tuple[int, ...], rank: int
    ) -> None:
        self._output, self._candidate, self._rank = output, candidate, rank
        self.plane = plane

    @property
    def bounds(self) -> Box | None:
        return self._candidate.bounds

    def draw(self, box: Box) -> npt.NDArray[np.bool_]:
        labels = self._output.labels
        finest: Any = labels.levels[0] if isinstance(labels, LabelPyramid) else labels
        y0, x0, y1, x1 = box
        present = np.asarray(finest[(*self.plane, slice(y0, y1), slice(x0, x1))])
        hidden = present > 0
        hidden[hidden] = self._output._rank(present[hidden]) > self._rank
        return hidden & self._candidate.draw(box) if hidden.any() else hidden
