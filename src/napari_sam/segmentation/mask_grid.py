"""Mask logits as a grid on a window: drawn at level 0, moved to another, made from a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.tiles import Window

PROMPT_LOGIT = 8.0
"""Logit of a pixel that a boolean mask prompt is sure of; decoders' own confident logits."""

Box = tuple[int, int, int, int]
"""``(y0, x0, y1, x1)`` in whole level-0 pixels, half-open."""


def pixel_pitch(window: Window, side: int) -> tuple[float, float]:
    """Level-0 pixels per logit, ``(y, x)``, of ``side`` logits across a window."""
    return window.size * window.sampling[0] / side, window.size * window.sampling[1] / side


def valid_logits(window: Window, side: int, plane_shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of logits whose centres lie on the plane; what is beyond is padding."""
    rows, columns = (
        min(side, max(1, int(np.ceil((length - start) / pitch - 0.5))))
        for length, start, pitch in zip(
            plane_shape, window.origin, pixel_pitch(window, side), strict=True
        )
    )
    return rows, columns


def bounding_box(
    logits: npt.NDArray[np.float32], window: Window, plane_shape: tuple[int, int]
) -> Box | None:
    """Level-0 box that surely holds every pixel with a positive logit, or None without any.

    Parameters
    ----------
    logits : ndarray of float32, shape (..., M, M)
    """
    side = logits.shape[-1]
    # The first logit beyond the plane still reaches its last pixels.
    rows, columns = (min(n + 1, side) for n in valid_logits(window, side, plane_shape))
    positive = np.any((logits[..., :rows, :columns] > 0).reshape(-1, rows, columns), axis=0)
    if not positive.any():
        return None
    spans = []
    for along, start, pitch, length in zip(
        (1, 0), window.origin, pixel_pitch(window, side), plane_shape, strict=True
    ):
        hits = np.flatnonzero(np.any(positive, axis=along))
        # Between two centres the sign may change, so one logit of room on each side.
        low = int(np.floor(start + (hits[0] - 0.5) * pitch))
        high = int(np.ceil(start + (hits[-1] + 1.5) * pitch))
        spans.append((min(max(0, low), length - 1), min(length, high)))
    (y0, y1), (x0, x1) = spans
    return y0, x0, y1, x1


def draw(logits: npt.NDArray[np.float32], window: Window, box: Box) -> npt.NDArray[np.float32]:
    """Interpolate logits at the centres of level-0 pixels.

    Bilinear between the centres of logits, constant beyond the outermost, as the reference
    enlarges its masks.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, M, M)
    window : Window
        The window that the logits span.
    box : tuple of int
        Level-0 pixels to draw.

    Returns
    -------
    ndarray of float32, shape (n, y1 - y0, x1 - x0)
    """
    y0, x0, y1, x1 = box
    side = logits.shape[-1]
    pitch_y, pitch_x = pixel_pitch(window, side)
    rows = _positions(np.arange(y0, y1) + 0.5, window.origin[0], pitch_y, side)
    columns = _positions(np.arange(x0, x1) + 0.5, window.origin[1], pitch_x, side)
    return _interpolate(logits, rows, columns)


def move(
    logits: npt.NDArray[np.float32], source: Window, target: Window
) -> npt.NDArray[np.float32]:
    """Resample logits from the window that they span to another one.

    Parameters
    ----------
    logits : ndarray of float32, shape (M, M)

    Returns
    -------
    ndarray of float32, shape (M, M)
        The lowest logit where the source window says nothing.
    """
    if source == target:
        return logits
    side = logits.shape[-1]
    axes = []
    inside = []
    for axis in (0, 1):
        target_pitch, source_pitch = (
            pixel_pitch(target, side)[axis],
            pixel_pitch(source, side)[axis],
        )
        centres = target.origin[axis] + (np.arange(side) + 0.5) * target_pitch
        index = (centres - source.origin[axis]) / source_pitch
        inside.append((index >= 0) & (index <= side))
        axes.append(_positions(centres, source.origin[axis], source_pitch, side))
    moved = _interpolate(logits[np.newaxis], *axes)[0]
    seen = inside[0][:, None] & inside[1][None, :]
    return np.asarray(np.where(seen, moved, logits.min()), dtype=np.float32)


def from_mask(
    mask: npt.NDArray[np.bool_], origin: tuple[int, int], window: Window, side: int
) -> npt.NDArray[np.float32]:
    """Logits of a boolean mask: the share of each logit's area that the mask covers, scaled.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Level-0 pixels.
    origin : tuple of int
        ``(y, x)`` of the mask's first pixel in the plane.
    window : Window
        Window that the logits are to span.
    side : int
        Logits along each side.

    Returns
    -------
    ndarray of float32, shape (side, side)
        From -`PROMPT_LOGIT` (nothing covered) to +`PROMPT_LOGIT` (all covered).
    """
    pitch = pixel_pitch(window, side)
    edges = [
        np.clip(
            window.origin[axis] + np.arange(side + 1) * pitch[axis] - origin[axis],
            0,
            mask.shape[axis],
        )
        for axis in (0, 1)
    ]
    # A summed-area table read at fractional edges gives exact covered areas at any pitch.
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    table[1:, 1:] = mask.cumsum(0).cumsum(1)
    rows = _at_edges(table, edges[0])
    area = _at_edges(rows.T, edges[1]).T
    covered = np.diff(np.diff(area, axis=0), axis=1) / (pitch[0] * pitch[1])
    return np.asarray((2 * covered - 1) * PROMPT_LOGIT, dtype=np.float32)


_Positions = tuple["npt.NDArray[np.intp]", "npt.NDArray[np.intp]", "npt.NDArray[np.float32]"]


def _positions(centres: npt.NDArray[Any], origin: float, pitch: float, side: int) -> _Positions:
    """Neighbouring logits of each centre and the weight of the second."""
    index = np.clip((centres - origin) / pitch - 0.5, 0, side - 1)
    first = np.floor(index).astype(np.intp)
    second = np.minimum(first + 1, side - 1)
    return first, second, (index - first).astype(np.float32)


def _interpolate(
    logits: npt.NDArray[np.float32], rows: _Positions, columns: _Positions
) -> npt.NDArray[np.float32]:
    """Separable linear interpolation, rows first: the shorter pass over the smaller array.

    In torch, because it uses all cores: a click draws masks, and a large one has a million pixels.
    """
    import torch  # a second's import, which opening the napari panel does not need

    drawn = torch.from_numpy(logits.copy())  # torch takes no array that is read-only
    for axis, (first, second, weight) in ((1, rows), (2, columns)):
        along = torch.from_numpy(weight)
        drawn = torch.lerp(
            drawn.index_select(axis, torch.from_numpy(first)),
            drawn.index_select(axis, torch.from_numpy(second)),
            along[:, None] if axis == 1 else along,
        )
    interpolated: npt.NDArray[np.float32] = drawn.numpy()
    return interpolated


def _at_edges(table: npt.NDArray[Any], edges: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    first = np.minimum(np.floor(edges).astype(np.intp), table.shape[0] - 2)
    weight = (edges - first)[:, None]
    between: npt.NDArray[Any] = table[first] * (1 - weight) + table[first + 1] * weight
    return between
