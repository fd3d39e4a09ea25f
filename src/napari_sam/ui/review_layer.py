"""The Labels layer during a review: its keys, its colours, the object selected on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.ui.review_keys import REVIEW_KEYS
from napari_sam.ui.score_colours import ScoreColours
from napari_sam.ui.shortcuts import bind_keys, unbind_keys

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.review import Review

__all__ = ["ReviewLayer"]


class ReviewLayer:
    """Gives the layer of objects what the review needs, and takes it away again.

    Parameters
    ----------
    review : Review
    """

    def __init__(self, review: Review) -> None:
        self._review = review
        self._viewer: Any = review.session.viewer
        self._layer: Labels | None = None
        self._colours = ScoreColours()
        self._coloured = False
        self._viewer.layers.events.removed.connect(self._on_removed)

    @property
    def coloured(self) -> bool:
        """Whether objects are shown in the colours of their scores."""
        return self._coloured

    @coloured.setter
    def coloured(self, wanted: bool) -> None:
        self._coloured = wanted
        self.colour()

    def turn_to(self, layer: Labels | None) -> None:
        """Take another layer; the one before gets its keys and colours back."""
        self._let_go()
        self._layer = layer
        if layer is not None:
            bind_keys(layer, self._review, REVIEW_KEYS)
            layer.events.selected_label.connect(self._on_selected_label)

    def select(self, id_: int) -> None:
        """Select an object on the layer, and the layer itself, so that its keys work."""
        if self._layer is not None:
            self._layer.selected_label = id_
            self._viewer.layers.selection.active = self._layer

    def colour(self) -> None:
        """Show the layer in the colours that are wanted, once its objects are read."""
        if self._layer is None or self._review.reader.filling:
            return
        if not self._coloured:
            self._colours.hide()
        elif not self._colours.shown:
            objects = self._review.objects
            self._colours.show(self._layer, objects.ids, objects.scores)

    def update(self, change: Change) -> None:
        """Colour what a step changed."""
        rows = self._review.rows
        changed = [rows[id_] for id_ in change.ids if id_ in rows]
        self._colours.update(
            np.array([row.id for row in changed], np.int64),
            np.array([np.nan if row.score is None else row.score for row in changed], np.float64),
            change.plane,
            change.box,
        )

    def close(self) -> None:
        """Let go of layer and viewer."""
        self._let_go()
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_selected_label(self) -> None:
        """Pick the object that was picked with napari's own picker."""
        if self._layer is not None:
            id_ = int(self._layer.selected_label)
            if id_ != self._review.current and id_ in self._review.rows:
                self._review.pick([id_])

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._let_go()

    def _let_go(self) -> None:
        if self._layer is not None:
            self._colours.hide()
            unbind_keys(self._layer, REVIEW_KEYS)
            self._layer.events.selected_label.disconnect(self._on_selected_label)
            self._layer = None
