"""The paper's zero-shot edge map: where masks of a coarse grid of points change over."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from scipy.special import expit

from napari_sam.errors import InputError
from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.segmentation.automatic.point_grid import tile_points
from napari_sam.segmentation.automatic.proposals import distinct_boxes
from napari_sam.segmentation.automatic.tile_feed import prepared_tiles
from napari_sam.segmentation.mask_grid import draw, valid_logits
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from napari_sam.images.tiles import Window
    from napari_sam.model.tile_decoder import DecoderTile, TileDecoder
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.predict import Segmenter

    Floats = npt.NDArray[np.float32]

__all__ = ["edge_map"]

POINTS_PER_SIDE = 16
"""Points along a side of a tile (paper, appendix D.2)."""

NMS_IOU = 0.7
"""IoU of two boxes from which on a mask is redundant."""

LARGEST = 4096 * 4096
"""Pixels of an edge map: thinning takes some 50 bytes for each."""

RIDGE = 2.0
"""Pixels over which the direction of an edge is measured."""


def edge_map(
    segmenter: Segmenter,
    plane: Sequence[int] = (),
    region: tuple[float, float, float, float] | None = None,
) -> Floats:
    """Find edges without training for it.

    Segment Anything, appendix D.2: 16 x 16 points a tile with three masks each, redundant ones
    left out; of every mask the Sobel gradient of its probabilities, where it runs along the
    outline; the largest of all at each pixel, scaled to 0..1 and thinned.

    Parameters
    ----------
    segmenter : Segmenter
    plane : sequence of int
        Index for every leading axis of the image.
    region : (y0, x0, y1, x1), optional
        Level-0 pixels; the whole plane when not given.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Strength of the edge at each level-0 pixel of the region, 0 where there is none.

    Raises
    ------
    InputError
        When the plane or region cannot be used, or the region is too large.
    """
    plane = segmenter.image.check_plane(plane)
    box = _whole_pixels(region, segmenter.image.plane_shape)
    y0, x0, y1, x1 = box
    if (y1 - y0) * (x1 - x0) > LARGEST:
        raise InputError(
            f"an edge map of {y1 - y0:,} x {x1 - x0:,} pixels is too large: give a region of at "
            f"most {LARGEST:,} pixels"
        )
    edges = np.zeros((y1 - y0, x1 - x0), np.float32)
    grid = segmenter.store.grid(segmenter.usual_sampling)
    decoder = segmenter.model.tile_decoder()
    tiles = grid.tiles_in((y0, x0, y1 - 1, x1 - 1))
    prepared = prepared_tiles(segmenter, decoder, plane, map(grid.window, tiles))
    for tile, ready in zip(tiles, prepared, strict=True):
        if ready is None:
            continue
        points = tile_points(grid, tile, grid.size / POINTS_PER_SIDE)
        logits, scores = _ask(decoder, ready, grid.window(tile), points)
        rows, columns = valid_logits(grid.window(tile), logits.shape[-1], grid.plane_shape)
        found = np.zeros(logits.shape[-2:], np.float32)
        found[:rows, :columns] = _edges(logits[:, :rows, :columns], scores)
        top, left, bottom, right = (math.ceil(edge) for edge in grid.core(tile))
        part = max(top, y0), max(left, x0), min(bottom, y1), min(right, x1)
        inside = slice(part[0] - y0, part[2] - y0), slice(part[1] - x0, part[3] - x0)
        edges[inside] = draw(found[np.newaxis], grid.window(tile), part)[0]
    strongest = float(edges.max())
    return _thin(edges / np.float32(strongest)) if strongest else edges


def _ask(
    decoder: TileDecoder, tile: DecoderTile, window: Window, points: npt.NDArray[np.float64]
) -> tuple[Floats, Floats]:
    """Mask logits (n, M, M) and predicted IoU (n,) of all masks of all points."""
    logits, scores = [], []
    for point in window.to_model(points).astype(np.float32):
        prompt = PromptTensors(
            points=torch.from_numpy(point)[None, None],
            labels=torch.ones(1, 1, dtype=torch.int64),
            boxes=None,
            masks=None,
        )
        masks, iou = decoder.decode(tile, prompt, multimask=True)
        logits.append(masks[0].cpu().numpy())
        scores.append(iou[0].cpu().numpy())
    return np.concatenate(logits), np.concatenate(scores)


def _edges(logits: Floats, scores: Floats) -> Floats:
    """Strength of edges at the resolution of the decoder's masks."""
    edges = np.zeros(logits.shape[1:], np.float32)
    some = (logits > 0).any(axis=(1, 2))
    logits, scores = logits[some], scores[some]
    order = np.argsort(-scores, kind="stable")
    for mask in logits[order[distinct_boxes(_boxes(logits > 0)[order], NMS_IOU)]]:
        probability = expit(mask)
        gradient = np.hypot(ndimage.sobel(probability, 0), ndimage.sobel(probability, 1))
        # The outer boundary: pixels beside the mask, and those of the mask that they touch.
        within = ndimage.binary_erosion(mask > 0, border_value=1)
        outline = ndimage.binary_dilation(mask > 0) & ~within
        np.maximum(edges, gradient * outline, out=edges)
    return edges


def _boxes(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Boxes ``(y0, x0, y1, x1)`` of masks that are not empty, half-open."""
    spans = []
    for axis in (2, 1):
        hit = np.asarray(masks.any(axis=axis))
        spans.append((hit.argmax(1), hit.shape[1] - hit[:, ::-1].argmax(1)))
    (y0, y1), (x0, x1) = spans
    return np.stack([y0, x0, y1, x1], axis=1)


def _thin(edges: Floats) -> Floats:
    """Keep what is strongest across an edge: non-maximum suppression along the normal.

    The normal of a ridge is the direction in which the smoothed map bends down most, an
    eigenvector of its second derivatives.
    """
    smooth = ndimage.gaussian_filter(edges, RIDGE, mode="nearest")
    yy, xx, yx = (
        ndimage.gaussian_filter(edges, RIDGE, order=order, mode="nearest")
        for order in ((2, 0), (0, 2), (1, 1))
    )
    along = np.arctan2(2 * yx, xx - yy) / 2  # of the largest eigenvalue, from x towards y
    normal = np.stack([np.cos(along), -np.sin(along)])
    here = np.indices(edges.shape, dtype=np.float32)
    is_ridge = np.ones(edges.shape, np.bool_)
    for side in (1, -1):
        beside = ndimage.map_coordinates(smooth, here + side * normal, order=1, mode="nearest")
        is_ridge &= np.asarray(smooth >= beside)
    return edges * is_ridge


def _whole_pixels(
    region: tuple[float, float, float, float] | None, plane_shape: tuple[int, int]
) -> Box:
    """Pixels whose centres lie in a region."""
    if region is None:
        return (0, 0, *plane_shape)
    box = Prompt(box=region).inside(plane_shape).box
    y0, x0, y1, x1 = (math.ceil(float(edge)) for edge in box)
    if y0 >= y1 or x0 >= x1:
        raise InputError(f"the region {tuple(region)} holds no pixel: give a larger one")
    return y0, x0, min(y1, plane_shape[0]), min(x1, plane_shape[1])
