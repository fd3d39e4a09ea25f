"""Label arrays read and written in blocks along their chunks, whatever their size."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import StoreError
from napari_sam.images.ome_zarr import place_of
from napari_sam.segmentation.labels.patch import cover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt
    import zarr

    from napari_sam.segmentation.labels.patch import Patch
    from napari_sam.segmentation.mask_grid import Box

    LabelArray = npt.NDArray[Any] | zarr.Array[Any]
    """A label image without levels: integers, shape (..., y, x)."""

BLOCK = 2048
"""Side in pixels of the blocks that labels are read, drawn and written in: bounds memory."""


def whole_plane(array: LabelArray) -> Box:
    """Box of all pixels of a plane."""
    height, width = array.shape[-2:]
    return 0, 0, height, width


def planes(array: LabelArray) -> Iterator[tuple[int, ...]]:
    """Index of every plane."""
    return itertools.product(*map(range, array.shape[:-2]))


def blocks(array: LabelArray, box: Box) -> Iterator[Box]:
    """Parts of a box no larger than about `BLOCK`, along the chunks of the array, row by row."""
    side_y, side_x = (unit * max(1, BLOCK // unit) for unit in _unit(array))
    y0, x0, y1, x1 = box
    for y in range(y0 - y0 % side_y, y1, side_y):
        for x in range(x0 - x0 % side_x, x1, side_x):
            yield max(y, y0), max(x, x0), min(y + side_y, y1), min(x + side_x, x1)


def read(array: LabelArray, plane: tuple[int, ...], box: Box) -> npt.NDArray[Any]:
    """Labels of a box; of an array in memory the pixels themselves, not a copy.

    Raises
    ------
    StoreError
        When they cannot be read.
    """
    key = _key(plane, box)
    if isinstance(array, np.ndarray):
        return array[key]
    try:
        return np.asarray(array[key])
    except (OSError, RuntimeError, ValueError) as error:  # the codecs raise all of these
        raise StoreError(
            f"{place_of(array)} could not be read in the box {box} ({error}): is the disk there, "
            "and the file whole?"
        ) from error


def replace(array: LabelArray, plane: tuple[int, ...], box: Box, pixels: npt.NDArray[Any]) -> None:
    """Write all labels of a box.

    Raises
    ------
    StoreError
        When they cannot be written.
    """
    try:
        array[_key(plane, box)] = pixels
    except OSError as error:
        place = "the array" if isinstance(array, np.ndarray) else place_of(array)
        raise write_failed(place, error) from error


def write_failed(path: object, error: OSError) -> StoreError:
    """Sentence for a disk that is full, gone or not ours."""
    return StoreError(
        f"{path} could not be written ({error.strerror or error}): make room on the disk or check "
        "who may write there, then try again"
    )


def highest(array: LabelArray) -> int:
    """Highest id in use, 0 without any; reads everything once."""
    if isinstance(array, np.ndarray):
        return int(array.max(initial=0))
    return max(
        int(read(array, plane, box).max())
        for plane in planes(array)
        for box in blocks(array, whole_plane(array))
    )


def write(array: LabelArray, plane: tuple[int, ...], patches: Iterable[Patch]) -> None:
    """Give the pixels of patches their values; all others keep theirs.

    Patches that share a block are written together, and chunks as a whole, so that each is
    decoded and encoded once.
    """
    for group in _by_block(patches):
        chunks = _whole_chunks(array, cover(patch.box for patch in group))
        region = read(array, plane, chunks)
        for patch in group:
            top, left = patch.box[0] - chunks[0], patch.box[1] - chunks[1]
            height, width = patch.shape
            region[top : top + height, left : left + width][patch.mask] = patch.pixels
        if not isinstance(array, np.ndarray):
            replace(array, plane, chunks, region)


def _key(plane: tuple[int, ...], box: Box) -> tuple[int | slice, ...]:
    y0, x0, y1, x1 = box
    return (*plane, slice(y0, y1), slice(x0, x1))


def _by_block(patches: Iterable[Patch]) -> Iterable[list[Patch]]:
    groups: dict[tuple[int, int], list[Patch]] = defaultdict(list)
    for patch in patches:
        groups[patch.box[0] // BLOCK, patch.box[1] // BLOCK].append(patch)
    return groups.values()


def _unit(array: LabelArray) -> tuple[int, int]:
    """Pixels that are stored together, ``(y, x)``; 1 where that does not matter."""
    if isinstance(array, np.ndarray):
        return 1, 1
    height, width = (array.shards or array.chunks)[-2:]
    # A whole row of blocks as one chunk would not fit into memory.
    return (height, width) if max(height, width) <= BLOCK else (1, 1)


def _whole_chunks(array: LabelArray, box: Box) -> Box:
    (unit_y, unit_x), (height, width) = _unit(array), array.shape[-2:]
    y0, x0, y1, x1 = box
    return (
        y0 - y0 % unit_y,
        x0 - x0 % unit_x,
        min(y1 + -y1 % unit_y, height),
        min(x1 + -x1 % unit_x, width),
    )
