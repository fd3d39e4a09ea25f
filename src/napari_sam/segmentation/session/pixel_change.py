"""Pixels of one plane with what they hold before and after a step."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.labels.edits import write_patches
from napari_sam.segmentation.labels.patch import Patch, cover, tight, within
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from napari_sam.segmentation.labels.blocks import LabelArray
    from napari_sam.segmentation.labels.edits import Edit, Labels
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["PixelChange", "find_change", "finest_of"]


@dataclass(frozen=True, slots=True, eq=False)
class PixelChange:
    """Changed pixels of a plane. Making the change twice is the same as making it once.

    Attributes
    ----------
    plane : tuple of int
    before, after : tuple of Patch
        The same pixels with what they held, and with what they hold since.
    """

    plane: tuple[int, ...]
    before: tuple[Patch, ...]
    after: tuple[Patch, ...]

    @classmethod
    def of_edit(cls, edit: Edit) -> Self:
        """Change that an edit makes."""
        return cls(edit.plane, edit.before, tuple(p.filled(edit.value) for p in edit.before))

    @property
    def area(self) -> int:
        """Number of pixels."""
        return sum(patch.area for patch in self.before)

    @property
    def bounds(self) -> Box:
        """Tight box ``(y0, x0, y1, x1)`` of the pixels, half-open."""
        return cover(patch.box for patch in self.before)

    def make(self, labels: Labels) -> None:
        """Give the pixels what they hold afterwards.

        Raises
        ------
        StoreError
            When the labels cannot be written.
        """
        write_patches(labels, self.plane, self.after)

    def take_back(self, labels: Labels) -> None:
        """Give the pixels what they held before; errors as of `make`."""
        write_patches(labels, self.plane, self.before)

    def to_json(self) -> dict[str, Any]:
        """Values as JSON has them; see ``docs/journal.md``."""
        pairs = zip(self.before, self.after, strict=True)
        return {
            "plane": list(self.plane),
            "patches": [
                {
                    "box": list(before.box),
                    "bits": base64.b64encode(before.bits).decode("ascii"),
                    "before": _runs(before),
                    "after": _runs(after),
                }
                for before, after in pairs
            ],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            When these are not its values.
        """
        before: list[Patch] = []
        after: list[Patch] = []
        for patch in values["patches"]:
            y0, x0, y1, x1 = (int(edge) for edge in patch["box"])
            bits = base64.b64decode(patch["bits"], validate=True)
            for patches, runs in ((before, patch["before"]), (after, patch["after"])):
                pairs = np.array(runs, np.int64).reshape(-1, 2)
                patches.append(Patch((y0, x0, y1, x1), bits, pairs[:, 0], pairs[:, 1]))
        return cls(tuple(values["plane"]), tuple(before), tuple(after))


def find_change(
    labels: Labels,
    plane: tuple[int, ...],
    box: Box,
    wanted: Callable[[Box, npt.NDArray[Any]], npt.NDArray[Any]],
) -> PixelChange | None:
    """Find out which pixels of a box are to change, without changing them.

    Parameters
    ----------
    labels : ndarray, zarr array or LabelPyramid of int, shape (..., y, x)
    plane : tuple of int
        Index for every leading axis of the labels.
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open.
    wanted : callable
        Gets a part of the box and its labels, and returns those that it is to have.

    Returns
    -------
    PixelChange or None
        None when nothing differs.

    Raises
    ------
    StoreError
        When the labels cannot be read.
    """
    finest = finest_of(labels)
    before, after = [], []
    for part in label_blocks.blocks(finest, box):
        present = label_blocks.read(finest, plane, part)
        pixels = wanted(part, present)
        changed = pixels != present
        inside = tight(changed)
        if inside is None:
            continue
        mask, place = changed[inside], within(part, inside)
        old = Patch.pack(place, mask, present[inside][mask])
        new = Patch.pack(place, mask, pixels[inside][mask])
        before.append(old)
        after.append(replace(new, bits=old.bits))
    return PixelChange(plane, tuple(before), tuple(after)) if before else None


def finest_of(labels: Labels) -> LabelArray:
    """Array of the labels that have all pixels."""
    return labels.levels[0] if isinstance(labels, LabelPyramid) else labels


def _runs(patch: Patch) -> list[list[int]]:
    return np.stack([patch.values.astype(np.int64), patch.runs], axis=1).tolist()  # type: ignore[no-any-return]
