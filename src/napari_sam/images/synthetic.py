"""A synthetic slide: nuclei of any number, known exactly, computed where they are looked at."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.nuclei import MAX_EXTENT, NucleiLattice
from napari_sam.images.slide_level import BLOCK, ImageLevel

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_SIDE = 200_000
"""Longest side of a slide in pixels."""

COARSEST = 1024
"""Longest side of the coarsest level at most."""

OBJECT_BLOCK = 2048
"""Side of the blocks in which objects are looked for."""


@dataclass(frozen=True, eq=False)
class SlideObjects:
    """Nuclei of a synthetic slide, one row each, in the order of their ids.

    Attributes
    ----------
    ids : ndarray of uint32, shape (n,)
        Values in the label image.
    centres : ndarray of float64, shape (n, 2)
        Mean ``(y, x)`` of their pixels, pixel centres at integers.
    boxes : ndarray of float64, shape (n, 4)
        Tight ``(y0, x0, y1, x1)``; around pixels 10..19 it is 9.5..19.5.
    areas : ndarray of int64, shape (n,)
        Pixels.
    """

    ids: npt.NDArray[np.uint32]
    centres: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]
    areas: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def radii(self) -> npt.NDArray[np.float64]:
        """Radius of the disc of the same area, in pixels."""
        return np.asarray(np.sqrt(self.areas / np.pi))


@dataclass(frozen=True)
class SyntheticSlide:
    """Fluorescent nuclei in a section of tissue, with their exact labels.

    A pyramid of up to 200,000 x 200,000 pixels of which nothing exists until it is read: every
    pixel follows from the seed and its position. Each level is half as large as the one before
    (rounded up) and covers the slide exactly, down to a longest side of at most 1024; its pixels
    are means of what they cover, estimated from four samples each.

    Parameters
    ----------
    shape : tuple of int
        ``(height, width)`` in pixels, each from 1 to 200,000. Nuclei are 16 to 80 pixels wide and
        whole, so a slide smaller than that holds none.
    seed : int
        Another seed gives another slide.

    Raises
    ------
    InputError, InputTypeError
        When the shape or the seed cannot be used.

    Examples
    --------
    >>> slide = SyntheticSlide((100_000, 100_000), seed=1)
    >>> slide.levels[0][50_000:50_100, 50_000:50_100].shape
    (100, 100)
    >>> objects = slide.objects((50_000, 50_000, 51_000, 51_000))
    >>> image = open_image(slide.levels)
    """

    shape: tuple[int, int] = (100_000, 100_000)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _check_shape(self.shape))
        object.__setattr__(self, "seed", _check_seed(self.seed))

    @cached_property
    def _lattice(self) -> NucleiLattice:
        return NucleiLattice(self.shape, self.seed)

    @property
    def levels(self) -> list[ImageLevel]:
        """Image, finest level first: ``uint16`` arrays that compute what is read of them."""
        return [ImageLevel(self._lattice, level) for level in range(self._n_levels)]

    @property
    def _n_levels(self) -> int:
        return max(0, (-(-max(self.shape) // COARSEST) - 1).bit_length()) + 1

    @cached_property
    def n_objects(self) -> int:
        """Number of nuclei; counted once, in less than a second."""
        return self._lattice.count()

    def labels(self, box: Any) -> npt.NDArray[np.uint32]:
        """Exact labels of a part of level 0.

        Parameters
        ----------
        box : tuple of int
            ``(y0, x0, y1, x1)``, half-open, pixels of level 0.

        Returns
        -------
        ndarray of uint32, shape (y1 - y0, x1 - x0)
            Ids of the nuclei, 0 between them. An id is the same wherever it is read.

        Raises
        ------
        InputError
            When the box is not four whole numbers, is empty or leaves the slide.
        """
        y0, x0, y1, x1 = self._check_box(box)
        rows, columns = (np.arange(*ends, dtype=np.float64) + 0.5 for ends in ((y0, y1), (x0, x1)))
        labels = np.empty((y1 - y0, x1 - x0), np.uint32)
        height, width = BLOCK
        for y in range(0, y1 - y0, height):
            for x in range(0, x1 - x0, width):
                labels[y : y + height, x : x + width] = self._lattice.labels(
                    rows[y : y + height], columns[x : x + width]
                )
        return labels

    def objects(self, box: Any) -> SlideObjects:
        """Nuclei whose centre lies in a part of level 0, measured on their exact labels.

        Boxes that partition the slide partition its nuclei.

        Parameters
        ----------
        box : tuple of int
            ``(y0, x0, y1, x1)``, half-open, pixels of level 0.

        Returns
        -------
        SlideObjects

        Raises
        ------
        InputError
            As for `labels`.
        """
        y0, x0, y1, x1 = self._check_box(box)
        found = [
            self._objects_in((y, x, min(y + OBJECT_BLOCK, y1), min(x + OBJECT_BLOCK, x1)))
            for y in range(y0, y1, OBJECT_BLOCK)
            for x in range(x0, x1, OBJECT_BLOCK)
        ]
        ids = np.concatenate([objects.ids for objects in found])
        order = np.argsort(ids)
        return SlideObjects(
            ids[order],
            np.concatenate([objects.centres for objects in found])[order],
            np.concatenate([objects.boxes for objects in found])[order],
            np.concatenate([objects.areas for objects in found])[order],
        )

    def _objects_in(self, box: tuple[int, int, int, int]) -> SlideObjects:
        y0, x0, y1, x1 = box
        height, width = self.shape
        # What is cut off at this wider border has no pixel near the box.
        top, left = max(0, y0 - MAX_EXTENT), max(0, x0 - MAX_EXTENT)
        bottom, right = min(height, y1 + MAX_EXTENT), min(width, x1 + MAX_EXTENT)
        labels = self.labels((top, left, bottom, right))
        y, x = np.nonzero(labels)
        ids, which = np.unique(labels[y, x], return_inverse=True)
        y, x = y + top, x + left
        areas = np.bincount(which, minlength=len(ids))
        sums = [np.bincount(which, weights=p, minlength=len(ids)) for p in (y, x)]
        centres = np.stack(sums, axis=1) / areas[:, np.newaxis]
        boxes = np.empty((len(ids), 4))
        for axis, positions in enumerate((y, x)):
            first, last = np.full(len(ids), MAX_SIDE), np.zeros(len(ids), np.int64)
            np.minimum.at(first, which, positions)
            np.maximum.at(last, which, positions)
            boxes[:, axis], boxes[:, axis + 2] = first - 0.5, last + 0.5
        low, high = (y0 - 0.5, x0 - 0.5), (y1 - 0.5, x1 - 0.5)
        inside = ((centres >= low) & (centres < high)).all(axis=1)
        return SlideObjects(ids[inside], centres[inside], boxes[inside], areas[inside])

    def _check_box(self, box: Any) -> tuple[int, int, int, int]:
        try:
            y0, x0, y1, x1 = (operator.index(value) for value in box)
        except (TypeError, ValueError):
            raise InputError(
                f"box {box!r} cannot be used: expected four whole numbers (y0, x0, y1, x1)"
            ) from None
        height, width = self.shape
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            raise InputError(
                f"box {(y0, x0, y1, x1)} is empty or leaves the slide: expected y0 < y1 and "
                f"x0 < x1 within (0, 0, {height}, {width})"
            )
        return y0, x0, y1, x1


def _check_shape(shape: Any) -> tuple[int, int]:
    try:
        height, width = (operator.index(length) for length in shape)
    except (TypeError, ValueError):
        raise InputError(
            f"shape {shape!r} cannot be used: expected two whole numbers (height, width)"
        ) from None
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InputError(
            f"a slide of shape {(height, width)} cannot be made: each side must be 1 to "
            f"{MAX_SIDE} pixels"
        )
    return height, width


def _check_seed(seed: Any) -> int:
    try:
        value = operator.index(seed)
    except TypeError:
        raise InputTypeError(f"seed {seed!r} cannot be used: give a whole number") from None
    if not 0 <= value < 2**63:
        raise InputError(f"seed {value} cannot be used: give a whole number from 0 to 2**63 - 1")
    return value
