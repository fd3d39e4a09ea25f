"""Which part of a plane is to be segmented: a rectangle, or what a mask image says."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.readers import read_source
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Region"]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a plane.

    A point of the grid is asked when it lies in the region, and what it finds is an object as a
    whole, also where it reaches beyond.

    Attributes
    ----------
    box : (y0, x0, y1, x1)
        Level-0 pixels, continuous; holds all of it.
    plane_shape : tuple of int
        ``(height, width)`` in level-0 pixels.
    mask : ndarray of bool, shape (h, w), optional
        What of the plane belongs to the region, at any resolution; all of the box without one.
    """

    box: tuple[float, float, float, float]
    plane_shape: tuple[int, int]
    mask: npt.NDArray[np.bool_] | None = None

    @classmethod
    def read(cls, source: Any, plane_shape: tuple[int, int]) -> Region:
        """Take what a user gives as a region.

        Parameters
        ----------
        source : (y0, x0, y1, x1), array, path or None
            A rectangle in level-0 pixels; a mask image of the plane at any resolution, an array or
            a file, which is 0 outside; None for the whole plane.
        plane_shape : tuple of int

        Raises
        ------
        InputError, InputTypeError
            When it is none of these, or nothing of the plane lies in it.
        """
        height, width = plane_shape
        if source is None:
            return cls((-0.5, -0.5, height - 0.5, width - 0.5), plane_shape)
        if isinstance(source, Region):
            return source
        if isinstance(source, (str, os.PathLike)):
            return cls._from_mask(_read_mask(source), plane_shape, str(source))
        if np.ndim(source) == 2:
            return cls._from_mask(np.asarray(source), plane_shape, "the mask")
        y0, x0, y1, x1 = Prompt(box=source).inside(plane_shape).box.tolist()
        return cls((y0, x0, y1, x1), plane_shape)

    @classmethod
    def _from_mask(cls, image: npt.NDArray[Any], plane_shape: tuple[int, int], name: str) -> Region:
        height, width = plane_shape
        if image.dtype.kind not in "bui" or image.ndim != 2:
            raise InputError(
                f"{name} is {image.dtype} of shape {image.shape}: expected a mask of the plane, "
                "whole numbers or true and false, 0 outside the region"
            )
        rows, columns = image.shape
        # Levels of a pyramid are rounded to whole pixels.
        if abs(columns * height - rows * width) > max(height, width):
            raise InputError(
                f"{name} has {rows} x {columns} pixels, but the plane {height} x {width}: expected "
                "the same shape, or a smaller one of the same proportions"
            )
        mask = image != 0
        ys, xs = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if not len(ys):
            raise InputError(f"{name} is 0 everywhere: nothing would be segmented")
        step_y, step_x = height / rows, width / columns
        box = ys[0] * step_y, xs[0] * step_x, (ys[-1] + 1) * step_y, (xs[-1] + 1) * step_x
        y0, x0, y1, x1 = (float(edge) - 0.5 for edge in box)
        return cls((y0, x0, y1, x1), plane_shape, mask)

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the plane."""
        height, width = self.plane_shape
        return self.mask is None and self.box == (-0.5, -0.5, height - 0.5, width - 0.5)

    @property
    def key(self) -> str | None:
        """What tells regions of one plane apart; None for all of it."""
        if self.is_whole:
            return None
        if self.mask is None:
            return "rectangle " + " ".join(f"{edge:g}" for edge in self.box)
        digest = hashlib.sha256(np.packbits(self.mask).tobytes()).hexdigest()[:16]
        return f"mask {self.mask.shape[0]}x{self.mask.shape[1]} {digest}"

    def holds(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Whether points ``(y, x)``, shape (n, 2), lie in the region."""
        low, high = np.reshape(self.box, (2, 2))
        inside = ((points >= low) & (points < high)).all(axis=1)
        if self.mask is not None:
            share = (points + 0.5) / self.plane_shape
            pixel = np.clip(share * self.mask.shape, 0, np.array(self.mask.shape) - 1)
            inside &= self.mask[tuple(pixel.astype(np.intp).T)]
        return np.asarray(inside)


def _read_mask(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    level = read_source(path).levels[0]
    return np.asarray(level[(slice(None),) * len(level.shape)]).squeeze()
