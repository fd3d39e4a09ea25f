"""Intensity limits: the (low, high) of each channel that become 0 and 255.

One pair per channel holds for the whole image, never per tile: an empty tile must stay empty
and neighbours must look alike.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import median_filter

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.arrays import refuse_not_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.images.source import ImageSource

Limits = tuple[tuple[float, float], ...]
"""One (low, high) per channel."""

PERCENTILES = (0.2, 99.8)
"""Shares of the sample that become black and white, in percent."""

BLOCK = 256
"""Side of a sampled block in pixels."""

MIN_BLOCKS, MAX_BLOCKS = 4, 32
"""Blocks that are read to measure limits; fewer and larger ones where chunks are large."""

MAX_DECODED = 150_000_000
"""Values that are unpacked for it, about, unless `MIN_BLOCKS` alone take more."""

MAX_GUIDE = 16_000_000
"""Pixels up to which a coarsest level is read to find where there is something to see."""

READERS = 8
"""Blocks that are read at a time from a file: most of the time is spent waiting for it."""


def check_limits(limits: Any, n_channels: int) -> Limits:
    """Validate limits given by a user: one ``(low, high)`` or one pair per channel.

    Raises
    ------
    InputError
        When the number of pairs differs from the number of channels, a value is not finite or
        low is not below high.
    """
    try:
        pairs = np.asarray(limits, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputTypeError(
            f"limits {limits!r} are not numbers: expected (low, high) or one pair per channel"
        ) from None
    if pairs.shape == (2,):
        pairs = np.tile(pairs, (n_channels, 1))
    if pairs.shape != (n_channels, 2):
        raise InputError(
            f"limits of shape {pairs.shape} do not fit {n_channels} channel(s): give (low, high) "
            f"or {n_channels} such pairs"
        )
    if not np.isfinite(pairs).all() or (pairs[:, 0] >= pairs[:, 1]).any():
        raise InputError(
            f"limits {limits!r} cannot be used: low and high must be finite and low below high"
        )
    return tuple((float(low), float(high)) for low, high in pairs)


def measure_limits(image: ImageSource) -> Limits:
    """Limits of an image that came without, from a deterministic sample of level-0 blocks.

    Colour images of 8 bits are already what an eye should see and keep (0, 255). For others
    the sample holds blocks spread over the image and, where a coarser level shows which, the
    blocks with most contrast: an averaged pyramid itself has lost contrast, so its values are
    not used.
    """
    if image.is_rgb and image.dtype == np.uint8:
        return ((0.0, 255.0),) * image.n_channels
    if image.dtype == np.bool_:
        return ((0.0, 1.0),) * image.n_channels
    blocks = _sample(image)
    flat = np.concatenate([block.reshape(block.shape[0], -1) for block in blocks], axis=1)
    if image.is_rgb:  # one pair for all three keeps the hue
        return (_robust_range(flat.ravel()),) * image.n_channels
    return tuple(_robust_range(channel) for channel in flat)


def _robust_range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Low and high percentile; in a mostly empty image high comes from the objects alone."""
    values = values.astype(np.float64)
    low, median, high = (
        float(v) for v in np.percentile(values, (PERCENTILES[0], 50.0, PERCENTILES[1]))
    )
    noise = 1.4826 * float(np.median(np.abs(values - median)))
    objects = values[values > median + 8 * noise]
    if high <= median + 8 * noise and objects.size >= 25:
        high = float(np.percentile(objects, 90))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        high = low + 1.0
    return low, high


def _sample(image: ImageSource) -> list[npt.NDArray[Any]]:
    """Blocks ``(c, h, w)`` of level 0, without isolated hot or dead pixels."""
    count, side = _affordable(image)
    planes = _spread_planes(image.planes, count=4)
    places = [
        (plane, y, x)
        for plane in planes
        for y, x in _block_starts(image, plane, max(1, count // len(planes)), side)
    ]

    def block(place: tuple[tuple[int, ...], int, int]) -> npt.NDArray[Any]:
        plane, y, x = place
        values = image.read(plane, 0, (y, x, y + side, x + side))
        refuse_not_finite(values, image.name)
        return np.asarray(median_filter(values, size=(1, 3, 3)))

    if image.chunk_shape(0) == (1, 1):  # not a chunked file
        return [block(place) for place in places]
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(block, places))


def _affordable(image: ImageSource) -> tuple[int, int]:
    """Say how many blocks to read, and their side: of a large chunk all is unpacked anyway."""
    within = MAX_DECODED // image.decoded((BLOCK, BLOCK))
    count = min(max(within, MIN_BLOCKS), MAX_BLOCKS)
    return count, BLOCK * int((MAX_BLOCKS / count) ** 0.5)


def _spread_planes(planes: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    """Up to ``count`` plane indices spread evenly over all planes."""
    total = int(np.prod(planes, dtype=np.int64))
    picks = sorted({int(i) for i in np.linspace(0, total - 1, min(count, total))})
    return [
        tuple(int(i) for i in np.unravel_index(pick, planes)) if planes else () for pick in picks
    ]


def _block_starts(
    image: ImageSource, plane: tuple[int, ...], count: int, side: int
) -> Sequence[tuple[int, int]]:
    """Corners of the blocks to read: all of a small plane, else a spread and the busiest."""
    height, width = image.plane_shape
    rows, columns = -(-height // side), -(-width // side)
    if rows * columns <= count:
        return [(r * side, c * side) for r in range(rows) for c in range(columns)]
    busiest = _busiest(image, plane, count // 2, side)
    steps = max(1, int((count - len(busiest)) ** 0.5))
    spread = [
        (int((r + 0.5) * height / steps), int((c + 0.5) * width / steps))
        for r in range(steps)
        for c in range(steps)
    ]
    return [
        (
            min(max(y - side // 2, 0), max(height - side, 0)),
            min(max(x - side // 2, 0), max(width - side, 0)),
        )
        for y, x in dict.fromkeys(spread + busiest)
    ]


def _busiest(
    image: ImageSource, plane: tuple[int, ...], count: int, side: int
) -> list[tuple[int, int]]:
    """Level-0 centres of the brightest spots of the coarsest level, apart from each other."""
    level = image.n_levels - 1
    shape = image.level_shape(level)
    if level == 0 or count == 0 or shape[0] * shape[1] * image.n_channels > MAX_GUIDE:
        return []
    coarse = image.read(plane, level, (0, 0, *shape)).astype(np.float64).max(axis=0)
    factor = image.factors[level]
    reach = [max(1, int(side / f)) for f in factor]
    centres: list[tuple[int, int]] = []
    for _ in range(count):
        y, x = (int(i) for i in np.unravel_index(int(coarse.argmax()), coarse.shape))
        if not np.isfinite(coarse[y, x]):
            break
        centres.append((int((y + 0.5) * factor[0]), int((x + 0.5) * factor[1])))
        coarse[
            max(0, y - reach[0]) : y + reach[0] + 1, max(0, x - reach[1]) : x + reach[1] + 1
        ] = -np.inf
    return centres


def to_uint8(values: npt.NDArray[Any], limits: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Map one channel linearly so that low becomes 0 and high 255, clipped and rounded."""
    low, high = limits
    if values.dtype == np.uint8 and limits == (0.0, 255.0):
        return values
    if values.dtype in (np.uint8, np.uint16):  # a table is several times faster than arithmetic
        table = _map(np.arange(np.iinfo(values.dtype).max + 1, dtype=np.float64), low, high)
        return np.asarray(table[values])
    return _map(values.astype(np.float64), low, high)


def _map(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    scaled = np.clip((values - low) * (255.0 / (high - low)), 0.0, 255.0)
    return np.asarray(np.floor(scaled + 0.5), dtype=np.uint8)
