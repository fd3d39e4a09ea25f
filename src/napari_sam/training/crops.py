"""What a training step looks at: a turned, scaled piece of an annotated image in model pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from napari_sam.training.annotated import AnnotatedImage, Objects

__all__ = ["LABELS_PER_LOGIT", "Crop", "CropPlan", "cut", "plan_crop"]

TYPICAL_DIAMETER = 96.0
"""Diameter in model pixels around which objects are scaled: an object should be 1/16 to 1/4 of a
tile wide."""

OCTAVES = 2.0
"""Objects are scaled by up to this many octaves to either side of it: 24 to 384 model pixels."""

MAX_SCALE = 6.0
"""Model pixels per image pixel beyond which there is nothing more to see."""

FINEST = 4
"""Model pixels per image pixel of the finest sampling at which images are shown, 1/4."""

LABELS_PER_LOGIT = 2
"""Labels are sampled this much finer than mask logits, so that a target can be a share."""

_MODEL_PIXELS_PER_LOGIT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CropPlan:
    """Where a crop lies and how it is turned.

    Parameters
    ----------
    side : int
        Model pixels along each side.
    centre : (float, float)
        The image position ``(y, x)`` in its middle.
    scale : float
        Model pixels per image pixel.
    angle : float
        Turn in radians.
    mirrored : bool
        Whether it is mirrored as well.
    stretch : float
        Ratio of the scales along the two axes.
    corner : (int, int)
        Row and column of its first cell in the tile.
    anchor : int
        Id of the object it was planned around.
    """

    side: int
    centre: tuple[float, float]
    scale: float
    angle: float
    mirrored: bool
    stretch: float
    corner: tuple[int, int]
    anchor: int


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A piece of an annotated image.

    Parameters
    ----------
    pixels : Tensor
        RGB 0..255, float32, (3, S, S).
    inside : Tensor
        Where the plane is, bool, (S, S); beyond it there is nothing to see.
    labels : Tensor
        Ids, int64, (L, L) with L = S / 4 * `LABELS_PER_LOGIT`.
    corner : (int, int)
        As planned.
    anchor : int
        As planned.
    """

    pixels: Tensor
    inside: Tensor
    labels: Tensor
    corner: tuple[int, int]
    anchor: int

    def with_pixels(self, pixels: Tensor) -> Crop:
        """Return the crop with other pixels."""
        return replace(self, pixels=pixels)


def plan_crop(
    shape: tuple[int, ...],
    objects: Objects,
    side: int,
    free_cells: int,
    cell: int,
    rng: np.random.Generator,
    variety: float = 1.0,
    as_shown: float = 0.0,
) -> CropPlan:
    """Choose an object, how large it should look, and a crop that shows it.

    Objects are chosen with equal chance for every octave of size that the image has, so that the
    few large ones are seen as well.

    Parameters
    ----------
    shape : (int, int)
        Of the plane.
    objects : Objects
        Those of the image.
    side : int
        Model pixels along each side of the crop.
    free_cells : int
        How many cells the crop may be moved by in the tile.
    cell : int
        Model pixels along each side of a cell.
    rng : numpy Generator
        All chance comes from it.
    variety : float
        Share of the usual range of scales and of the usual chance of a free turn, 0..1.
    as_shown : float
        Chance that the scale is one of a user who looks at the image, 0..1: the power of two at
        which the plane fits a tile, or the next finer one. Objects then look as large as they
        happen to be.
    """
    octaves = np.floor(np.log2(objects.diameters))
    pick = int(rng.choice(np.flatnonzero(octaves == rng.choice(np.unique(octaves)))))
    diameter = float(objects.diameters[pick])
    wanted = TYPICAL_DIAMETER * 2 ** rng.triangular(-OCTAVES * variety, 0, OCTAVES * variety)
    scale = min(wanted / diameter, 0.75 * side / diameter, MAX_SCALE)
    if as_shown and rng.random() < as_shown:
        tile = side + free_cells * cell
        fitting = 2.0 ** math.floor(math.log2(tile / max(shape)))
        scale = min(fitting * 2 ** int(rng.integers(2)), FINEST, 0.75 * side / diameter)
    stretch = 2 ** rng.uniform(-0.25 * variety, 0.25 * variety)
    half = side / scale / 2
    centre = []
    for length, at in zip(shape, objects.centres[pick], strict=True):
        moved = at + rng.uniform(-0.7, 0.7) * max(half - diameter / 2, 0)
        low, high = half - 0.5, length - half - 0.5
        centre.append(float(min(max(moved, low), high) if low <= high else rng.uniform(high, low)))
    quarter = math.pi / 2 * int(rng.integers(4))
    is_free = rng.random() < 0.4 * variety
    turned = quarter + (rng.uniform(-math.pi / 4, math.pi / 4) if is_free else 0.0)
    off = math.hypot(*(objects.centres[pick] - centre))
    if off > 0.9 * half:  # in a corner: a turn could leave the object outside the crop
        turned, stretch = quarter, 1.0
    return CropPlan(
        side=side,
        centre=(centre[0], centre[1]),
        scale=scale,
        angle=turned,
        mirrored=bool(rng.random() < 0.5),
        stretch=stretch,
        corner=(int(rng.integers(free_cells + 1)), int(rng.integers(free_cells + 1))),
        anchor=int(objects.ids[pick]),
    )


def cut(image: AnnotatedImage, plan: CropPlan) -> Crop:
    """Sample a planned crop: pixels smoothly, labels at the nearest pixel."""
    height, width = image.labels.shape
    pixels = torch.from_numpy(image.pixels).permute(2, 0, 1).float()
    shrink = max(1, int(1 / plan.scale))  # averaged first, or fine structure would alias
    if shrink > 1:
        pixels = F.avg_pool2d(pixels[None], shrink, ceil_mode=True, count_include_pad=False)[0]
    y, x = _positions(plan, plan.side)
    inside = (y >= -0.5) & (y <= height - 0.5) & (x >= -0.5) & (x <= width - 0.5)
    # grid_sample counts from -1 to 1 across the outer edges of the outermost pixels.
    grid = torch.stack(
        [
            (2 * x + 1) / (pixels.shape[2] * shrink) - 1,
            (2 * y + 1) / (pixels.shape[1] * shrink) - 1,
        ],
        dim=-1,
    )
    sampled = F.grid_sample(pixels[None], grid[None], padding_mode="border", align_corners=False)[0]

    side = plan.side // _MODEL_PIXELS_PER_LOGIT * LABELS_PER_LOGIT
    y, x = _positions(plan, side)
    row, column = y.round().long(), x.round().long()
    known = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    ids = torch.from_numpy(image.labels.astype("int64"))
    labels = ids[row.clamp(0, height - 1), column.clamp(0, width - 1)] * known
    return Crop(sampled, inside, labels, plan.corner, plan.anchor)


def _positions(plan: CropPlan, side: int) -> tuple[Tensor, Tensor]:
    """Image positions ``(y, x)`` of the centres of side x side samples across the crop."""
    steps = ((torch.arange(side, dtype=torch.float32) + 0.5) / side - 0.5) * plan.side / plan.scale
    v, u = torch.meshgrid(
        steps * math.sqrt(plan.stretch), steps / math.sqrt(plan.stretch), indexing="ij"
    )
    if plan.mirrored:
        u = -u
    sin, cos = math.sin(plan.angle), math.cos(plan.angle)
    return plan.centre[0] + cos * v + sin * u, plan.centre[1] - sin * v + cos * u
