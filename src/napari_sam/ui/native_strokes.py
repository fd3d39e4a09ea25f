"""What the user paints with napari's own tools into a Labels layer of ours, as changes of ours.

napari keeps its own history of strokes. Here every stroke is put back and handed over instead, to
be painted again by whoever keeps the journal: one owner of undo, and nothing that a journal does
not know.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.labels.patch import tight

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from napari.layers import Labels

    from napari_sam.segmentation.mask_grid import Box

    Repaint = Callable[[tuple[int, ...], Box, npt.NDArray[Any]], bool]

__all__ = ["NativeStrokes"]


class NativeStrokes:
    """Hands the strokes on a layer over, as long as it is watched.

    Parameters
    ----------
    layer : Labels
        Its data is an array in memory.
    repaint : callable
        Called with plane, box and the new pixels of a stroke that was put back; returns whether
        it painted them. What it refuses is not painted.
    """

    def __init__(self, layer: Labels, repaint: Repaint) -> None:
        self._layer = layer
        self._repaint = repaint
        self._refused: list[tuple[tuple[slice, ...], npt.NDArray[Any]]] = []
        layer.events.paint.connect(self._on_paint)
        layer.events.labels_update.connect(self._on_update)

    def close(self) -> None:
        """Let go of the layer."""
        self._layer.events.paint.disconnect(self._on_paint)
        self._layer.events.labels_update.disconnect(self._on_update)

    def _on_paint(self, event: Any) -> None:
        data = self._layer.data
        key = _cover(event.value, data.shape)
        if key is None:
            return
        before = np.array(data[key])
        for atom in reversed(event.value):
            _replay(atom, before, key, undoing=True)
        after = before.copy()
        for atom in event.value:
            _replay(atom, after, key, undoing=False)
        data[key] = before
        self._forget_history()
        for plane in itertools.product(*(range(n) for n in before.shape[:-2])):
            inside = tight(before[plane] != after[plane])
            if inside is None:
                continue
            place = tuple(part.start + i for part, i in zip(key[:-2], plane, strict=True))
            y, x = key[-2].start, key[-1].start
            rows, columns = inside
            box = (y + rows.start, x + columns.start, y + rows.stop, x + columns.stop)
            if not self._repaint(place, box, after[plane][inside]):
                # Filling tells of itself first and paints then: put back once more after that.
                self._refused.append((key, before))
                break

    def _on_update(self) -> None:
        refused, self._refused = self._refused, []
        for key, before in refused:
            self._layer.data[key] = before
        if refused:
            self._layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _forget_history(self) -> None:
        """Leave napari nothing to undo: it would paint what the journal does not know."""
        forget = getattr(self._layer, "_reset_history", None)
        if forget is not None:
            staged = self._layer._block_history
            forget()
            self._layer._block_history = staged


def _cover(atoms: list[Any], shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Smallest region that holds all that a stroke touched."""
    spans = []
    for atom in atoms:
        key = atom.slice_key if hasattr(atom, "slice_key") else atom[0]
        spans.append([_span(part, length) for part, length in zip(key, shape, strict=True)])
    if not spans:
        return None
    lows, highs = np.min(spans, axis=0)[:, 0], np.max(spans, axis=0)[:, 1]
    return tuple(slice(int(low), int(high)) for low, high in zip(lows, highs, strict=True))


def _span(part: Any, length: int) -> tuple[int, int]:
    if isinstance(part, slice):
        start, stop, _ = part.indices(length)
        return start, stop
    indices = np.atleast_1d(part)
    return int(indices.min()), int(indices.max()) + 1


def _replay(
    atom: Any, region: npt.NDArray[Any], origin: tuple[slice, ...], *, undoing: bool
) -> None:
    """Undo or redo one step of a stroke on a copy of its region."""
    starts = [part.start for part in origin]
    if not hasattr(atom, "slice_key"):
        indices, old, new = atom
        at = tuple(np.asarray(i) - start for i, start in zip(indices, starts, strict=True))
        region[at] = old if undoing else new
        return
    part = tuple(
        slice(key.start - start, key.stop - start)
        for key, start in zip(atom.slice_key, starts, strict=True)
    )
    values = atom.old_values if undoing else atom.new_value
    if atom.mask is None:
        region[part] = values
    else:
        region[part][atom.mask] = values
