"""An image as the model sees it, with the objects somebody outlined in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["MIN_AREA", "AnnotatedImage", "Objects", "has_objects"]

MIN_AREA = 12
"""Objects below this many pixels are not trained on: their outline is mostly noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """The objects of one label image, as arrays of one length.

    Parameters
    ----------
    ids : ndarray of int
        Their values in the label image.
    centres : ndarray of float, shape (n, 2)
        Middles of their boxes, ``(y, x)`` in pixels, pixel centres at integers.
    diameters : ndarray of float
        Of the disc with the same area, in pixels.
    """

    ids: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float64]
    diameters: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """One plane with instance labels.

    Parameters
    ----------
    name : str
        The file, or whatever an error should call it.
    source : str
        Images of one source look alike; sources are balanced against each other.
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB within the image's limits, 0..255.
    labels : ndarray of int32, shape (h, w)
        0 is background, every other value one object.

    Raises
    ------
    InputError
        When shapes or types differ from these, or no object is large enough to learn from.
    """

    name: str
    source: str
    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise InputError(
                f"{self.name}: the pixels are {self.pixels.dtype} of shape {self.pixels.shape}; "
                "expected uint8 of shape (h, w, 3)"
            )
        if self.labels.shape != self.pixels.shape[:2]:
            raise InputError(
                f"{self.name}: the image has {self.pixels.shape[0]} x {self.pixels.shape[1]} "
                f"pixels but its labels have {' x '.join(map(str, self.labels.shape))}; "
                "give the label image that belongs to it"
            )
        if self.labels.dtype.kind not in "iu":
            raise InputError(
                f"{self.name}: labels of type {self.labels.dtype} cannot be ids; expected whole "
                "numbers, 0 for background"
            )
        if not has_objects(self.labels):
            raise InputError(
                f"{self.name}: its label image has no object of {MIN_AREA} pixels or more; leave "
                "the image out or label something in it"
            )

    def objects(self) -> Objects:
        """Measure the objects that are large enough to learn from."""
        ids, flat = np.unique(self.labels, return_inverse=True)
        flat = flat.reshape(-1)
        areas = np.bincount(flat)
        y, x = np.indices(self.labels.shape).reshape(2, -1)
        low = np.full((len(ids), 2), np.iinfo(np.int64).max)
        high = np.full((len(ids), 2), -1)
        for axis, along in enumerate((y, x)):
            np.minimum.at(low[:, axis], flat, along)
            np.maximum.at(high[:, axis], flat, along)
        keep = (ids != 0) & (areas >= MIN_AREA)
        return Objects(
            ids=ids[keep].astype(np.int64),
            centres=(low[keep] + high[keep]) / 2,
            diameters=2 * np.sqrt(areas[keep] / np.pi),
        )


def has_objects(labels: npt.NDArray[np.generic]) -> bool:
    """Whether a label image has an object that is large enough to learn from."""
    ids, areas = np.unique(labels, return_counts=True)
    return bool(((ids != 0) & (areas >= MIN_AREA)).any())
