"""Keeps what is found on the screen, as the view, the rules and the records change."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import NapariSamError
from napari_sam.ui.coordinates import current_plane, image_shape
from napari_sam.ui.eye import visible_box
from napari_sam.ui.found_preview import draw_found, hide_found, show_found
from napari_sam.ui.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Image

    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.found_preview import FoundView
    from napari_sam.ui.workers import Outcome

__all__ = ["FoundDrawing"]

DEBOUNCE = 0.06
"""Seconds that view and rules stay as they are before they are drawn."""

BETWEEN = 0.4
"""Seconds between two drawings while more and more is found."""


class FoundDrawing:
    """Draws the objects in view on a worker of its own; only the newest drawing is shown.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    make_worker : callable
        Makes the worker, when there is something to draw for the first time.
    find_annotator : callable
        Gives who keeps the objects that are there; None when there is nobody.

    Attributes
    ----------
    changed : Signal
        Something else is shown.
    view : FoundView or None
        What is shown.
    hint : str
        Why nothing is shown; empty when something is, or nothing is to be.
    """

    changed = Signal()

    def __init__(
        self,
        viewer: Any,
        make_worker: Callable[[], Worker],
        find_annotator: Callable[[], Annotator | None],
    ) -> None:
        self._viewer = viewer
        self._make_worker = make_worker
        self._find_annotator = find_annotator
        self._worker: Worker | None = None
        self._image: Image | None = None
        self._folder: Path | None = None
        self._rules: MergeRules | None = None
        self._drawing = False
        self._is_outdated = False
        self.view: FoundView | None = None
        self.hint = ""
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        self._events = (
            camera.zoom,
            camera.center,
            viewer.canvas.events.size,
            dims.current_step,
            dims.ndisplay,
            dims.order,
        )
        for event in self._events:
            event.connect(self._on_view)

    @property
    def is_on(self) -> bool:
        """Whether objects are to be shown."""
        return self._image is not None

    def show(self, image: Image, folder: Path, rules: MergeRules) -> None:
        """Show from now on what the records in a folder hold."""
        if self._image is not None and self._image is not image:
            self.hide()
        self._image, self._folder, self._rules = image, folder, rules
        self._draw(DEBOUNCE)

    def use_rules(self, rules: MergeRules) -> None:
        """Choose among what is found by other rules."""
        self._rules = rules
        self._draw(DEBOUNCE)

    def again(self) -> None:
        """Draw anew: there are other objects than before."""
        self._draw(DEBOUNCE)

    def more(self) -> None:
        """There is more in the records: draw it when what is being drawn is done."""
        if self._drawing:
            self._is_outdated = True
        else:
            self._draw(BETWEEN)

    def hide(self) -> None:
        """Show nothing any more."""
        image, self._image = self._image, None
        self._nothing("")
        if image is not None:
            hide_found(self._viewer, image)

    def close(self) -> None:
        """Let go of the viewer and stop the worker; the layer stays, empty."""
        for event in self._events:
            event.disconnect(self._on_view)
        self.hide()
        if self._worker is not None:
            self._worker.close()

    def _on_view(self) -> None:
        self._draw(DEBOUNCE)

    def _draw(self, delay: float) -> None:
        image = self._image
        if image is None or self._folder is None or self._rules is None:
            return
        if image not in self._viewer.layers:
            self.hide()
            return
        try:
            plane, box = current_plane(self._viewer, image), _box_in_view(self._viewer, image)
        except NapariSamError as error:
            self._nothing(sentence(error))
            hide_found(self._viewer, image)
            return
        if box is None:
            self._nothing("")
            return
        if self._worker is None:
            self._worker = self._make_worker()
        self._drawing, self._is_outdated = True, False
        self._worker.run_idle(
            partial(draw_found, self._folder, self._rules, plane, box, self._find_annotator()),
            self._on_drawn,
            self._on_end,
            delay,
        )

    def _on_drawn(self, view: FoundView | None) -> None:
        image = self._image
        if view is None or image is None or image not in self._viewer.layers:
            return
        self.view = view
        self.hint = "" if view.is_complete else "Zoom in to see the objects."
        show_found(self._viewer, image, view)
        self.changed.emit()

    def _on_end(self, outcome: Outcome[None]) -> None:
        self._drawing = False
        if isinstance(outcome.error, NapariSamError):
            self._nothing(sentence(outcome.error))
        elif outcome.error is not None:
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        elif self._is_outdated:
            self._draw(BETWEEN)

    def _nothing(self, hint: str) -> None:
        if self._worker is not None:
            self._worker.stop_idle()
        self._drawing, self.view, self.hint = False, None, hint
        self.changed.emit()


def _box_in_view(viewer: Any, image: Image) -> Box | None:
    """Whole level-0 pixels that are in view, ``(y0, x0, y1, x1)``, half-open."""
    box = visible_box(viewer, image)
    if box is None:
        return None
    height, width = image_shape(image)[-2:]
    y0, x0 = (math.floor(edge + 0.5) for edge in box[:2])
    y1, x1 = (math.ceil(edge + 0.5) for edge in box[2:])
    return max(y0, 0), max(x0, 0), min(y1, height), min(x1, width)
