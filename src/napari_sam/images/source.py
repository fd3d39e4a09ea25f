"""An image of any kind as planes in RGB, read where and as finely as needed."""

from __future__ import annotations

import logging
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.arrays import refuse_not_finite
from napari_sam.images.axes import Axes, guess_axes
from napari_sam.images.channels import choose_channels, composite
from napari_sam.images.limits import Limits, check_limits, measure_limits, to_uint8
from napari_sam.images.pyramid import Pyramid
from napari_sam.images.readers import read_source
from napari_sam.images.resample import margin, resample
from napari_sam.images.strips import Strips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    import zarr

    from napari_sam.images.arrays import ArrayLike
    from napari_sam.images.channels import ChannelChoice
    from napari_sam.images.tiles import Window

LOGGER = logging.getLogger(__name__)

BAND_PIXELS = 16_000_000
"""Source pixels (of up to three channels) held at once while a window is resampled: this bounds
memory, not the window."""


def open_image(
    source: str | Path | ArrayLike | Sequence[ArrayLike] | zarr.Group | ImageSource,
    limits: Any = None,
    *,
    axes: str | None = None,
    channels: Sequence[int] | None = None,
    colors: Sequence[str] | None = None,
) -> ImageSource:
    """Open an image for prompting and segmentation.

    Parameters
    ----------
    source : path, array, sequence of arrays or zarr group
        An OME-Zarr or zarr folder, a TIFF file of any kind, or a PNG, JPEG or numpy file; an array
        ``(..., y, x)`` or ``(..., y, x, 3 or 4)``; or the levels of one image, finest first.
        Leading axes are planes.
    limits : (low, high) or one pair per channel in use, optional
        Intensities that become 0 and 255, for the whole image. Measured once when not given.
    axes : str, optional
        One letter per axis of the array, for example ``"ZYX"`` or ``"YXC"``; else what the file
        says, or a guess from the shape.
    channels : sequence of int, optional
        Up to three channels to use, in the order red, green, blue; any number with ``colors``.
    colors : sequence of str, optional
        A color, such as ``"magenta"`` or ``"#FF00FF"``, for each channel in use; they are added
        up. Else the file's own colors where all channels are used.

    Returns
    -------
    ImageSource

    Raises
    ------
    InputError, InputTypeError
        When this is not an image, or its axes, channels, colors or limits cannot be used; the
        message says what was found, what was expected and what to do.
    """
    if isinstance(source, ImageSource):
        return source
    name = str(source) if isinstance(source, (str, os.PathLike)) else "image"
    contents = read_source(source)
    shape = tuple(int(n) for n in contents.levels[0].shape)
    names = axes or contents.axes
    known = Axes(names) if names else guess_axes(shape)
    pyramid = Pyramid(contents.levels, known, contents.scales, contents.shifts, name)
    is_rgb = known.channel is not None and (
        contents.is_rgb or (known.channel == len(shape) - 1 and shape[-1] in (3, 4))
    )
    choice = choose_channels(
        1 if known.channel is None else shape[known.channel],
        channels,
        colors,
        file_colors=contents.colors,
        is_rgb=is_rgb,
        name=name,
    )
    image = ImageSource(pyramid, choice, limits=limits, is_rgb=is_rgb, name=name)
    LOGGER.debug("opened %r, channels %s, factors %s", image, image.channels, image.factors)
    return image


class ImageSource:
    """An image that is read on demand.

    Use `open_image` to make one. Nothing is read beyond what is asked for. It may be read from
    several threads.

    Parameters
    ----------
    pyramid : Pyramid
        Its levels.
    choice : ChannelChoice
        The channels in use and their colors.
    limits : (low, high) or one pair per channel, optional
        Measured when not given.
    is_rgb : bool
        Whether the channels are the colors of one picture, not separate stains.
    name : str
        For messages.

    Attributes
    ----------
    shape : tuple of int
        Shape of level 0 as it was given.
    plane_shape : tuple of int
        ``(height, width)`` in level-0 pixels.
    planes : tuple of int
        Lengths of the leading axes, ``()`` for a single plane.
    channels : tuple of int
        Channels in use.
    colors : tuple of (red, green, blue)
        What each channel in use becomes at its upper limit, 0 to 255.
    factors : tuple of tuple of float
        Level-0 pixels per pixel of each level, ``(y, x)``.
    limits : tuple of tuple of float
        ``(low, high)`` per channel in use.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        choice: ChannelChoice,
        *,
        limits: Any = None,
        is_rgb: bool = False,
        name: str = "image",
    ) -> None:
        self._pyramid = pyramid
        self.axes = pyramid.axes
        self.name = name
        self.is_rgb = is_rgb
        self.shape = pyramid.shapes[0]
        self.dtype = np.dtype(pyramid.levels[0].dtype)
        self.channels = choice.indices
        self.colors = choice.colors
        self.plane_shape = self.level_shape(0)
        self.planes = tuple(self.shape[i] for i in self.axes.leading)
        self.factors = tuple(pyramid.factor(level) for level in range(self.n_levels))
        refuse_not_finite(pyramid.levels[0], name)
        self.limits: Limits = (
            measure_limits(self) if limits is None else check_limits(limits, self.n_channels)
        )

    def __repr__(self) -> str:
        kind = f"{self.axes.names} {self.shape} {self.dtype}"
        return f"<ImageSource {self.name} {kind} limits {self.limits}>"

    @property
    def n_levels(self) -> int:
        """Number of levels of the pyramid."""
        return len(self._pyramid.levels)

    @property
    def n_channels(self) -> int:
        """Number of channels in use."""
        return len(self.channels)

    def level_shape(self, level: int) -> tuple[int, int]:
        """``(height, width)`` of a level in its own pixels."""
        shape = self._pyramid.shapes[level]
        return shape[self.axes.y], shape[self.axes.x]

    def chunk_shape(self, level: int) -> tuple[int, int]:
        """Pixels ``(y, x)`` of a level that are read at once; 1 where any can be read alone."""
        return self._pyramid.chunk(level)

    def decoded(self, size: tuple[int, int]) -> int:
        """Values of level 0 that are unpacked to read a block of ``(height, width)`` pixels."""
        return self._pyramid.decoded(0, size, self.n_channels)

    def check_plane(self, plane: Sequence[int]) -> tuple[int, ...]:
        """Validate the index of a plane: one whole number per leading axis.

        Numbers for axes of length 1 may be left out, all of them together.

        Returns
        -------
        tuple of int
            One for each leading axis.

        Raises
        ------
        InputError
            When there are too few or too many numbers, or one is out of range.
        """
        index = tuple(int(i) for i in plane)
        names = "".join(self.axes.names[i] for i in self.axes.leading)
        if len(index) == sum(length > 1 for length in self.planes):
            given = iter(index)
            index = tuple(next(given) if length > 1 else 0 for length in self.planes)
        if len(index) != len(self.planes):
            raise InputError(
                f"plane {index} has {len(index)} number(s), but this image has {len(self.planes)} "
                f"leading axes {names!r} of lengths {self.planes}: give one number for each"
            )
        for i, length, name in zip(index, self.planes, names, strict=True):
            if not 0 <= i < length:
                raise InputError(
                    f"plane {index} lies outside the image: {name} goes from 0 to {length - 1}"
                )
        return index

    def read(
        self, plane: Sequence[int], level: int, box: tuple[int, int, int, int]
    ) -> npt.NDArray[Any]:
        """Read pixels as they are stored.

        Parameters
        ----------
        plane : sequence of int
            Index for every leading axis.
        level : int
            Level of the pyramid.
        box : tuple of int
            ``(y0, x0, y1, x1)``, half-open, in pixels of the level; cut off at its edges.

        Returns
        -------
        ndarray, shape (channels, y, x)
        """
        return self._pyramid.read(level, self.check_plane(plane), self.channels, box)

    def level_for(self, sampling: tuple[float, float]) -> int:
        """Coarsest level that is still at least as fine as a sampling."""
        fits = [
            level
            for level, factor in enumerate(self.factors)
            if all(f <= s * 1.01 for f, s in zip(factor, sampling, strict=True))
        ]
        # Levels may differ in z alone: then the first of them is the finest.
        return max(fits, key=lambda level: math.prod(self.factors[level]), default=0)

    def render(self, window: Window, plane: Sequence[int] = ()) -> npt.NDArray[np.uint8]:
        """Draw what the model sees of a window.

        Parameters
        ----------
        window : Window
        plane : sequence of int
            Index for every leading axis.

        Returns
        -------
        ndarray of uint8, shape (3, h, w)
            RGB under the image's limits; ``h`` and ``w`` are at most ``window.size``, less where
            the window reaches over the far edges of the plane.

        Raises
        ------
        InputError
            When the window holds values that are not finite.
        """
        height, width = window.extent(self.plane_shape)
        level = self.level_for(window.sampling)
        level_height, level_width = self.level_shape(level)
        ry, rx = (s / f for s, f in zip(window.sampling, self.factors[level], strict=True))
        y0, x0 = self._pyramid.to_level(level, window.origin)
        x1 = x0 + width * rx
        left, right = max(0, math.floor(x0) - margin(rx)), math.ceil(x1) + margin(rx)

        def read(top: int, bottom: int) -> npt.NDArray[np.uint8]:
            block = self.read(plane, level, (top, left, bottom, right))
            refuse_not_finite(block, self.name)
            return np.stack([to_uint8(c, pair) for c, pair in zip(block, self.limits, strict=True)])

        band = max(1, int(BAND_PIXELS / (ry * rx * width * max(1.0, self.n_channels / 3))))
        strips = Strips(read, level_height, step=self.chunk_shape(level)[0] if band < height else 1)
        drawn = np.empty((self.n_channels, height, width), np.uint8)
        for row in range(0, height, band):
            rows = min(band, height - row)
            top, bottom = y0 + row * ry, y0 + (row + rows) * ry
            first = max(0, math.floor(top) - margin(ry))
            block = strips.rows(first, math.ceil(bottom) + margin(ry))
            # A level may be a fraction of a pixel short of its share of level 0.
            above, below = max(0, -math.floor(top)), max(0, math.ceil(bottom) - level_height)
            before, after = max(0, -math.floor(x0)), max(0, math.ceil(x1) - level_width)
            if above or below or before or after:
                block = np.pad(block, ((0, 0), (above, below), (before, after)), mode="edge")
            y, x = above - first, before - left
            box = (top + y, x0 + x, bottom + y, x1 + x)
            for channel, out in zip(block, drawn, strict=True):
                out[row : row + rows] = resample(channel, box, (rows, width))
        return composite(drawn, self.colors)
