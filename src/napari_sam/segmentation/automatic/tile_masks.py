"""The masks of one tile: a grid of points decoded, scored and filtered; survivors drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.segmentation.automatic.duplicates import not_dominated
from napari_sam.segmentation.automatic.enlarge import enlarge
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.grid_masks import GridMask, measure, open_sides
from napari_sam.segmentation.automatic.skipping import PointQueue
from napari_sam.segmentation.automatic.small_regions import without_small_regions
from napari_sam.segmentation.mask_grid import pixel_pitch, valid_logits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_sam.images.tiles import TileIndex, Window
    from napari_sam.model.tile_decoder import DecoderTile, TileDecoder
    from napari_sam.segmentation.automatic.settings import AutomaticSettings

__all__ = ["POINTS_TOGETHER", "TileFinding", "find_in_tile"]

POINTS_TOGETHER = {"cpu": 4, "mps": 4, "cuda": 16}
"""Points decoded together on each kind of device.

Points of one batch do not know of each other's masks, so fewer are skipped. On a CPU four take 0.7
of the time that they take one after the other, eight no less; 4 % more points are then asked.
"""

HELD_BYTES = 2**28
"""Logits held before those of duplicates are let go, 256 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class TileFinding:
    """What a tile gave.

    Attributes
    ----------
    found : FoundMasks
        By prompt and token.
    asked, skipped : int
        Points that were decoded, and that needed not be.
    cut : int
        Masks that were not kept because they go on beyond the window: when there are any, a
        coarser sampling may show more.
    """

    found: FoundMasks
    asked: int
    skipped: int
    cut: int


class _Answer(NamedTuple):
    """One mask of a point."""

    prompt: int
    token: int
    score: float
    mask: GridMask


def find_in_tile(
    decoder: TileDecoder,
    tile: DecoderTile,
    window: Window,
    points: npt.NDArray[np.float64],
    settings: AutomaticSettings,
    plane_shape: tuple[int, int],
    *,
    tile_index: TileIndex,
    batch: int = 1,
    smallest: float = 0.0,
    on_points: Callable[[int, int], None] | None = None,
) -> TileFinding:
    """Find the objects of a tile that a grid of points meets.

    All happens at the decoder's resolution, but for the drawing of what is kept. The result
    depends on the arguments alone, and of the settings on none that may change later.

    Parameters
    ----------
    decoder : TileDecoder
    tile : DecoderTile
        The window, from `TileDecoder.prepare`.
    window : Window
    points : ndarray of float64, shape (n, 2)
        ``(y, x)``, level-0 pixels, in the window.
    settings : AutomaticSettings
    plane_shape : tuple of int
        ``(height, width)`` of the plane, level-0 pixels.
    tile_index : TileIndex
        Recorded with each mask.
    batch : int
        Points decoded together: always so many, the last one repeated where there are fewer.
    smallest : float
        Masks are left out whose box has no side of so many level-0 pixels: a finer sampling has
        shown them whole.
    on_points : callable, optional
        Called after each batch with the number of points that are done, and of all; may raise.
    """
    xy = window.to_model(points)
    looks = _looks(tile, xy, window, plane_shape) if settings.skip else None
    queue = PointQueue(xy[:, ::-1] / window.size, looks)
    sieve = _Sieve(window, plane_shape, settings, smallest)
    held: list[_Answer] = []
    asked = size = 0
    while numbers := queue.take(batch):
        padded = numbers + numbers[-1:] * (batch - len(numbers))
        scores, logits = _ask(decoder, tile, xy[padded], settings.keep_score)
        for row, number in enumerate(numbers):
            answers = sieve.good(number, scores[row], logits[row]) if row in logits else []
            queue.learn(number, [(answer.score, answer.mask) for answer in answers])
            whole = sieve.whole(answers)
            held += whole
            size += _bytes(whole)
        asked += len(numbers)
        if on_points is not None:
            on_points(len(points) - len(queue), len(points))
        if size > HELD_BYTES:
            held = sieve.without_duplicates(held)
            size = _bytes(held)
    found = _rows(sieve.without_duplicates(held), window, plane_shape, settings)
    here = np.tile(np.array(tile_index, np.int64), (len(found), 1))
    found = replace(found, points=points[found.prompts].reshape(-1, 2), tiles=here)
    return TileFinding(found, asked, len(points) - asked, sieve.cut)


def _bytes(answers: list[_Answer]) -> int:
    return sum(answer.mask.logits.nbytes for answer in answers)


def _looks(
    tile: DecoderTile,
    xy: npt.NDArray[np.float64],
    window: Window,
    plane_shape: tuple[int, int],
) -> npt.NDArray[np.float32]:
    """Embedding at points, shape (n, C), less its mean over what lies on the plane."""
    cells: npt.NDArray[np.float32] = tile.bare[0].float().cpu().numpy()
    side = math.isqrt(len(cells))
    grid = cells.reshape(side, side, -1)
    height, width = (math.ceil(n * side / window.size) for n in window.extent(plane_shape))
    mean = grid[:height, :width].mean(axis=(0, 1))
    x, y = np.clip(np.floor(xy * side / window.size).astype(np.intp), 0, side - 1).T
    looks: npt.NDArray[np.float32] = grid[y, x] - mean
    return looks


@torch.inference_mode()
def _ask(
    decoder: TileDecoder, tile: DecoderTile, xy: npt.NDArray[np.float64], least: float
) -> tuple[npt.NDArray[np.float32], dict[int, npt.NDArray[np.float32]]]:
    """Scores of three masks for each point, and their logits where not all score too low."""
    points = torch.from_numpy(xy[:, np.newaxis].astype(np.float32))
    labels = torch.ones(len(xy), 1, dtype=torch.long)
    answers = decoder.ask(tile, PromptTensors(points=points, labels=labels), multimask=True)
    scores = answers.iou.float().cpu().numpy()
    rows = np.flatnonzero((scores >= least).any(axis=1))
    if not rows.size:
        return scores, {}
    wanted = answers.take(torch.from_numpy(rows).to(answers.iou.device))
    return scores, dict(zip(rows.tolist(), decoder.masks(wanted).cpu().numpy(), strict=True))


class _Sieve:
    """Says which masks of a window are worth keeping."""

    def __init__(
        self,
        window: Window,
        plane_shape: tuple[int, int],
        settings: AutomaticSettings,
        smallest: float,
    ) -> None:
        self._window, self._plane_shape = window, plane_shape
        self._settings, self._smallest = settings, smallest
        self._sides = open_sides(window, plane_shape)
        self.cut = 0

    def good(
        self, prompt: int, scores: npt.NDArray[np.float32], logits: npt.NDArray[np.float32]
    ) -> list[_Answer]:
        """Masks of a point that are good enough to be kept and no background."""
        settings = self._settings
        rows, columns = valid_logits(self._window, logits.shape[-1], self._plane_shape)
        good = []
        for token, score in enumerate(scores.tolist(), start=1):
            if score < settings.keep_score:
                continue
            mask = measure(logits[token - 1], (rows, columns))
            if mask is None or mask.stability < settings.keep_stability:
                continue
            if mask.area <= settings.max_share * rows * columns:
                good.append(_Answer(prompt, token, score, mask))
        return good

    def whole(self, answers: list[_Answer]) -> list[_Answer]:
        """Leave out those that the window cuts, and those that a finer sampling has shown whole."""
        whole = []
        for answer in answers:
            mask = answer.mask
            y0, x0, y1, x1 = mask.extent
            pitch = pixel_pitch(self._window, mask.side)
            if max((y1 - y0) * pitch[0], (x1 - x0) * pitch[1]) < self._smallest:
                continue
            if mask.cut_by(self._sides):
                self.cut += 1
            else:
                whole.append(answer)
        return whole

    def without_duplicates(self, answers: list[_Answer]) -> list[_Answer]:
        """Leave out what other answers say as well and better, whatever the thresholds."""
        if not answers:
            return answers
        answers = sorted(answers, key=lambda answer: (answer.prompt, answer.token))
        pitch = pixel_pitch(self._window, answers[0].mask.side)
        edges = np.array([answer.mask.extent for answer in answers]) * (pitch * 2)
        # From pixel centre to pixel centre, as the reference has its boxes: this matters where
        # objects are few pixels.
        boxes = np.concatenate([np.ceil(edges[:, :2] - 0.5), np.floor(edges[:, 2:] - 0.5)], axis=1)
        scores = np.array([answer.score for answer in answers])
        stability = np.array([answer.mask.stability for answer in answers])
        rows = not_dominated(boxes, scores, stability, self._settings.nms_iou)
        return [answers[row] for row in sorted(rows.tolist())]


def _rows(
    answers: list[_Answer],
    window: Window,
    plane_shape: tuple[int, int],
    settings: AutomaticSettings,
) -> FoundMasks:
    """Draw masks at level 0; those that hold no pixel are left out."""
    sampling = window.sampling[0]
    kept, drawn = [], []
    for answer in answers:
        pitch = pixel_pitch(window, answer.mask.side)
        least = settings.least_region(sampling) / (pitch[0] * pitch[1])
        logits = without_small_regions(answer.mask.logits, least)
        enlarged = enlarge(replace(answer.mask, logits=logits).in_window(), window, plane_shape)
        if enlarged is not None:
            kept.append(answer)
            drawn.append(enlarged)
    rles = np.empty(len(kept), np.object_)
    rles[:] = [each.rle for each in drawn]
    return FoundMasks(
        boxes=np.array([each.box for each in drawn], np.int64).reshape(-1, 4),
        rles=rles,
        scores=np.array([answer.score for answer in kept], np.float32),
        stability=np.array([answer.mask.stability for answer in kept], np.float32),
        areas=np.array([each.area for each in drawn], np.int64),
        points=np.empty((len(kept), 2)),
        prompts=np.array([answer.prompt for answer in kept], np.int64),
        tokens=np.array([answer.token for answer in kept], np.uint8),
        samplings=np.full(len(kept), sampling, np.float64),
        tiles=np.empty((len(kept), 2), np.int64),
    )
