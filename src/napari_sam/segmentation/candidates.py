"""The masks a model offers for one prompt, best first, with the scores to choose by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError
from napari_sam.images.tiles import Window
from napari_sam.segmentation.mask_grid import bounding_box, draw, valid_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from napari_sam.segmentation.mask_grid import Box

STABILITY_OFFSET = 1.0
"""Logits above and below the threshold between which stability is measured (paper, section 5)."""

MAX_DRAWN_PIXELS = 2**30
"""Pixels of masks drawn at once at most: 1 GB."""

MAX_MEASURED_PIXELS = 2**22
"""Pixels of a mask's box up to which its area is counted at level 0."""


def stability_score(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Stability of masks: IoU between the mask thresholded high and low.

    Segment Anything, section 5 ("automatic mask generation"): a mask is stable when raising or
    lowering the threshold by `STABILITY_OFFSET` hardly changes it.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, h, w)

    Returns
    -------
    ndarray of float32, shape (n,)
        In 0..1; 0 for a mask that is empty even at the low threshold.
    """
    high = (logits > STABILITY_OFFSET).sum(axis=(1, 2))
    low = (logits > -STABILITY_OFFSET).sum(axis=(1, 2))
    return np.asarray(high / np.maximum(low, 1), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Masks for one prompt, the best predicted IoU first.

    They are kept as the decoder gives them, as logits over the window that the model saw, and
    drawn at level 0 only when asked for.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, M, M)
        Mask logits over `window`; a pixel belongs to the mask where they are above 0.
    scores : ndarray of float32, shape (n,)
        Predicted IoU as the model gives it.
    window : Window
        Where the model looked.
    plane : tuple of int
        Plane of the image.
    plane_shape : tuple of int
        ``(height, width)`` of the plane, level-0 pixels.
    stability : ndarray of float32, shape (n,)
        See `stability_score`; only what lies on the plane counts.
    """

    logits: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    window: Window
    plane: tuple[int, ...]
    plane_shape: tuple[int, int]
    stability: npt.NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(-self.scores, kind="stable")
        logits = np.ascontiguousarray(self.logits[order])
        rows, columns = valid_logits(self.window, logits.shape[-1], self.plane_shape)
        object.__setattr__(self, "logits", _frozen(logits))
        object.__setattr__(self, "scores", _frozen(self.scores[order]))
        object.__setattr__(self, "stability", _frozen(stability_score(logits[:, :rows, :columns])))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int) -> Candidate:
        if not -len(self) <= index < len(self):
            raise IndexError(f"candidate {index} was asked for, but there are {len(self)}")
        return Candidate(self, index % len(self))

    def __iter__(self) -> Iterator[Candidate]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        scores = ", ".join(f"{score:.2f}" for score in self.scores)
        return f"<{len(self)} candidate(s), predicted IoU {scores}>"

    def keep(self, indices: list[int]) -> Candidates:
        """Candidates with some of these masks only."""
        return Candidates(
            self.logits[indices], self.scores[indices], self.window, self.plane, self.plane_shape
        )

    @cached_property
    def _crop(self) -> Box:
        box = bounding_box(self.logits, self.window, self.plane_shape)
        if box is not None:
            return box
        y, x = (
            min(int(start), length - 1)
            for start, length in zip(self.window.origin, self.plane_shape, strict=True)
        )
        return y, x, y + 1, x + 1  # nothing to show: one empty pixel keeps shapes sane

    @property
    def origin(self) -> tuple[int, int]:
        """``(y, x)`` of the first pixel of `masks` in the plane."""
        return self._crop[:2]

    @cached_property
    def masks(self) -> npt.NDArray[np.bool_]:
        """Masks at level 0, shape (n, h, w), cropped to one box that holds them all.

        Raises
        ------
        InputError
            When they are too large to hold; `Candidate.draw` draws a part.
        """
        y0, x0, y1, x1 = self._crop
        pixels = len(self) * (y1 - y0) * (x1 - x0)
        if pixels > MAX_DRAWN_PIXELS:
            raise InputError(
                f"the masks of this prompt are {y1 - y0} x {x1 - x0} pixels at level 0, too many "
                "to hold at once: draw a part with candidate.draw((y0, x0, y1, x1))"
            )
        masks = np.zeros((len(self), y1 - y0, x1 - x0), dtype=np.bool_)
        for mask, candidate in zip(masks, self, strict=True):
            if candidate.bounds is not None:  # each is enlarged inside its own box only
                top, left, bottom, right = candidate.bounds
                inside = slice(top - y0, bottom - y0), slice(left - x0, right - x0)
                mask[inside] = candidate.draw(candidate.bounds)
        masks.flags.writeable = False
        return masks


@dataclass(frozen=True, eq=False)
class Candidate:
    """One of the `Candidates`; can be given back as ``mask=`` of the next prompt."""

    candidates: Candidates
    index: int

    @property
    def score(self) -> float:
        """Predicted IoU."""
        return float(self.candidates.scores[self.index])

    @property
    def stability(self) -> float:
        """Stability of the mask, see `stability_score`."""
        return float(self.candidates.stability[self.index])

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """Mask logits over `window`, shape (M, M)."""
        logits: npt.NDArray[np.float32] = self.candidates.logits[self.index]
        return logits

    @property
    def window(self) -> Window:
        """Where the model looked."""
        return self.candidates.window

    @property
    def plane(self) -> tuple[int, ...]:
        """Plane of the image."""
        return self.candidates.plane

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Mask at level 0, shape (h, w), cropped as all masks of its prompt."""
        mask: npt.NDArray[np.bool_] = self.candidates.masks[self.index]
        return mask

    @property
    def origin(self) -> tuple[int, int]:
        """``(y, x)`` of the first pixel of `mask` in the plane."""
        return self.candidates.origin

    @cached_property
    def bounds(self) -> Box | None:
        """Level-0 pixels ``(y0, x0, y1, x1)`` that hold the mask; None when it is empty.

        Found from the logits: cheap at any size, and up to one logit wider than the mask.
        """
        return bounding_box(self.logits, self.window, self.candidates.plane_shape)

    def draw(self, box: Box) -> npt.NDArray[np.bool_]:
        """Draw a part of the mask.

        Parameters
        ----------
        box : tuple of int
            ``(y0, x0, y1, x1)``, level-0 pixels of the plane, half-open.

        Returns
        -------
        ndarray of bool, shape (y1 - y0, x1 - x0)
        """
        drawn: npt.NDArray[np.bool_] = draw(self.logits[np.newaxis], self.window, box)[0] > 0
        return drawn

    @cached_property
    def _outline(self) -> tuple[int, tuple[float, float, float, float] | None]:
        """Area and tight box, measured in level-0 pixels, or of a huge mask in model pixels.

        So the cost is bounded by the window, however far it is zoomed out.
        """
        if self.bounds is None:
            return 0, None
        y0, x0, y1, x1 = self.bounds
        huge = (y1 - y0) * (x1 - x0) > MAX_MEASURED_PIXELS
        step = tuple(max(1.0, sampling) if huge else 1.0 for sampling in self.window.sampling)
        lattice = Window(
            origin=(self.window.origin[0] / step[0], self.window.origin[1] / step[1]),
            sampling=(self.window.sampling[0] / step[0], self.window.sampling[1] / step[1]),
            size=self.window.size,
        )
        height, width = self.candidates.plane_shape
        shape = math.ceil(height / step[0]), math.ceil(width / step[1])
        box = bounding_box(self.logits, lattice, shape)
        if box is None:
            return 0, None
        mask = draw(self.logits[np.newaxis], lattice, box)[0] > 0
        rows, columns = (np.flatnonzero(np.any(mask, axis=axis)) for axis in (1, 0))
        if not rows.size:
            return 0, None
        area = round(float(np.count_nonzero(mask)) * step[0] * step[1])
        return area, (
            float((box[0] + rows[0]) * step[0] - 0.5),
            float((box[1] + columns[0]) * step[1] - 0.5),
            min(float((box[0] + rows[-1] + 1) * step[0]), height) - 0.5,
            min(float((box[1] + columns[-1] + 1) * step[1]), width) - 0.5,
        )

    @property
    def area(self) -> int:
        """Level-0 pixels in the mask; of a huge one (2,000 pixels wide) to within a model pixel."""
        return self._outline[0]

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Tight box ``(y0, x0, y1, x1)``, or None of an empty mask.

        Continuous coordinates: a mask of pixels 10..19 has edges 9.5 and 19.5. Of a huge mask to
        within a model pixel.
        """
        return self._outline[1]


def _frozen(array: Any) -> Any:
    array.flags.writeable = False
    return array
