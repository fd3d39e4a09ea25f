"""Labels of an image of any size: an OME-Zarr label image on disk, all levels kept in step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.pyramid import agreed_factor
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.blocks import blocks, highest, planes, read, whole_plane
from napari_sam.segmentation.labels.group import (
    create_group,
    layout_for,
    open_labels,
    recall_id,
    remember_id,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt
    import zarr

    from napari_sam.images.contents import Contents
    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.labels.patch import Patch
    from napari_sam.segmentation.mask_grid import Box

    Shown = tuple[Box, npt.NDArray[np.intp], npt.NDArray[np.intp]]

CHUNK = 512
"""Pixels along a side of a chunk: a small object rewrites little, a large one few files."""


class LabelPyramid:
    """An OME-Zarr label image and its levels.

    A pixel of a coarse level shows the level-0 pixel next to its centre, so what a level holds
    follows from level 0 alone, whatever was painted and taken back in which order. Chunks are
    there only where objects are. One process at a time may write.

    Use `create` for a new one and `open` for one on disk.

    Attributes
    ----------
    path : Path
    levels : list of zarr.Array
        Finest first. Anybody may read them; `napari_sam.segmentation.labels.edits` changes them.
    axes : str
        One letter an axis.
    """

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path = path
        self.axes = contents.axes or ""
        self.levels = [_checked(level, path) for level in contents.levels]
        self._shown = [_shown_pixels(contents, level) for level in range(len(self.levels))]

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        shape: Sequence[int],
        *,
        axes: str | None = None,
        dtype: npt.DTypeLike = np.uint32,
        scale: Sequence[float] | None = None,
        chunk: int = CHUNK,
        image_path: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Make an empty label image.

        At ``image.zarr/labels/name`` inside an OME-Zarr image it becomes one of the image's
        labels, with the image's levels, scales and version of the format. Anywhere else it is
        OME-Zarr 0.5, and levels halve until the longer side is 1,024 pixels or less.

        Parameters
        ----------
        path : path
            Where nothing is yet.
        shape : sequence of int
            Shape of the image without its channel axis, ``(..., y, x)``.
        axes : str, optional
            One letter an axis, for example ``"ZYX"``; the last of T, Z, Y, X when not given.
        dtype : dtype
            A type of whole numbers.
        scale : sequence of float, optional
            Physical size of a level-0 pixel along each axis. The image's when not given.
        chunk : int
            Pixels along a side of a chunk.
        image_path : path, optional
            Image that the labels are of, where they do not lie inside it.

        Raises
        ------
        InputError, InputTypeError
            When something is there already, or shape, axes, type or scale cannot be used.
        StoreError
            When the folder cannot be written.
        """
        path, dtype, shape = Path(path), np.dtype(dtype), tuple(int(n) for n in shape)
        if path.exists():
            raise InputError(
                f"{path} exists already and is not overwritten: choose another name, open it with "
                "LabelPyramid.open, or if it is an image put the labels into its folder labels, "
                f"for example {path / 'labels' / 'nuclei'}"
            )
        if dtype.kind not in "ui":
            raise InputTypeError(f"labels cannot hold {dtype}: choose whole numbers, like uint32")
        image = None if image_path is None else Path(image_path)
        layout, source = layout_for(path, shape, axes, scale, image)
        create_group(path, layout, dtype, chunk, source)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a label image, also one that another program wrote.

        Raises
        ------
        InputError
            When there is no OME-Zarr label image.
        """
        path = Path(path)
        return cls(path, open_labels(path))

    @classmethod
    def from_array(cls, path: str | os.PathLike[str], labels: LabelArray, **options: Any) -> Self:
        """Write a numpy or zarr array as a label image; ``options`` and errors as of `create`."""
        options.setdefault("dtype", labels.dtype)
        pyramid = cls.create(path, labels.shape, **options)
        top = 0
        for plane in planes(labels):
            for box in blocks(pyramid.levels[0], whole_plane(labels)):
                pixels = read(labels, plane, box)
                top = max(top, int(pixels.max()))
                label_blocks.replace(pyramid.levels[0], plane, box, pixels)
        pyramid.reserve(top)
        pyramid.rebuild()
        return pyramid

    def __repr__(self) -> str:
        return f"<LabelPyramid {self.path} {self.shape} {self.dtype}, {len(self.levels)} level(s)>"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of level 0."""
        return tuple(int(n) for n in self.levels[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the ids."""
        return np.dtype(self.levels[0].dtype)

    def next_id(self) -> int:
        """Return an id that was never given, as `edits.next_id` does."""
        return self._highest_id() + 1

    def reserve(self, value: int) -> None:
        """Take an id as given, so that neither it nor a lower one is given again.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        if value > self._highest_id():
            remember_id(self.path, value)

    def write(self, plane: tuple[int, ...], patches: Sequence[Patch]) -> None:
        """Give pixels of level 0 their values, then those of the coarser levels that show them.

        A process that is killed in between leaves coarser levels as they were: `rebuild` mends
        them.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        label_blocks.write(self.levels[0], plane, patches)
        coarse = range(1, len(self.levels))
        pieces: dict[int, list[Patch]] = {level: [] for level in coarse}
        for patch in patches:
            shown = [self._shown_in(level, patch.box) for level in coarse]
            for level, piece in zip(coarse, patch.sampled(shown), strict=True):
                pieces[level].extend([] if piece is None else [piece])
        for level in coarse:
            at = self._plane_on(level, plane)
            if at is not None:
                label_blocks.write(self.levels[level], at, pieces[level])

    def rebuild(self, box: Box | None = None, plane: tuple[int, ...] | None = None) -> None:
        """Make the coarser levels again from level 0.

        Parameters
        ----------
        box : tuple of int, optional
            ``(y0, x0, y1, x1)``, level-0 pixels, half-open; everything when not given.
        plane : tuple of int, optional
            All planes when not given.

        Raises
        ------
        StoreError
            When the folder cannot be read or written.
        """
        finest = self.levels[0]
        box = whole_plane(finest) if box is None else box
        for at in planes(finest) if plane is None else [plane]:
            for block in blocks(finest, box):
                self._rebuild_block(at, block)

    def _rebuild_block(self, plane: tuple[int, ...], block: Box) -> None:
        pixels = read(self.levels[0], plane, block)
        for level in range(1, len(self.levels)):
            box, rows, columns = self._shown_in(level, block)
            at = self._plane_on(level, plane)
            if at is None or not rows.size or not columns.size:
                continue
            shown = pixels[np.ix_(rows - block[0], columns - block[1])]
            if not np.array_equal(shown, read(self.levels[level], at, box)):
                label_blocks.replace(self.levels[level], at, box, shown)

    def _shown_in(self, level: int, box: Box) -> Shown:
        """Box of a level that shows pixels of a level-0 box; the rows and columns that it shows."""
        spans = []
        for axis, start, stop in ((-2, box[0], box[2]), (-1, box[1], box[3])):
            shown = self._shown[level][axis]
            first, last = np.searchsorted(shown, (start, stop)).tolist()
            spans.append((first, last, shown[first:last]))
        (y0, y1, rows), (x0, x1, columns) = spans
        return (y0, x0, y1, x1), rows, columns

    def _plane_on(self, level: int, plane: tuple[int, ...]) -> tuple[int, ...] | None:
        """Plane of a level that shows a plane of level 0; None when it shows others."""
        found = []
        for shown, index in zip(self._shown[level], plane, strict=False):
            at = int(np.searchsorted(shown, index))
            if at == len(shown) or shown[at] != index:
                return None
            found.append(at)
        return tuple(found)

    def _highest_id(self) -> int:
        """Highest id ever given; labels of another program are read through, once."""
        known = recall_id(self.path)
        if known is None:
            known = highest(self.levels[0])
            remember_id(self.path, known)
        return known


def _checked(level: Any, path: Path) -> zarr.Array[Any]:
    if np.dtype(level.dtype).kind not in "ui":
        raise InputTypeError(
            f"{path} holds {level.dtype}: expected labels, which are whole numbers"
        )
    return level  # type: ignore[no-any-return]


def _shown_pixels(contents: Contents, level: int) -> tuple[npt.NDArray[np.intp], ...]:
    """For each axis the level-0 pixel that every pixel of a level shows: the next to its centre.

    Of two that are equally near the later. Levels that do not say where they lie share their
    outer corner with level 0.
    """
    shown = []
    lengths = zip(contents.levels[0].shape, contents.levels[level].shape, strict=True)
    for axis, (length, short) in enumerate(lengths):
        scale = contents.scales[level][axis] if contents.scales else length / short
        factor = agreed_factor(scale, length, short)
        shift = contents.shifts[level][axis] if contents.shifts else (factor - 1) / 2
        # Physical units are not exact in binary, and a half must not fall below itself.
        nearest = np.floor(np.round(np.arange(short) * factor + shift + 0.5, 6))
        shown.append(np.clip(nearest, 0, length - 1).astype(np.intp))
    return tuple(shown)
