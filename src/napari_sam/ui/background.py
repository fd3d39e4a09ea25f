"""Encodes what is in view before it is clicked, nearest first, whenever nothing else is to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.asking import View, look_ahead
from napari_sam.ui.coordinates import current_plane
from napari_sam.ui.eye import visible_box
from napari_sam.ui.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image

    from napari_sam.ui.asking import TilesInView
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome

__all__ = ["Background"]

DELAY = 0.2
"""Seconds that the view stays as it is before its tiles are looked at."""


class Background:
    """The tiles in view of an image that was clicked, or hovered over with a tool in hand.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        Tiles came in, others came into view, or it was switched on or off.
    tiles : TilesInView or None
        Tiles in view; None before the image was looked at.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._enabled = True
        self._images: set[Hashable] = set()
        self._key: Hashable = None
        self._open: Hashable = None
        self._failed: Hashable = None
        self._problem = ""
        self._was_busy = False
        self._middle: tuple[float, float] | None = None
        self.tiles: TilesInView | None = None
        for event in self._view_events():
            event.connect(self._aim)
        session.image_watch.turned.connect(self._on_turned)
        session.image_watch.replaced.connect(self._aim)
        session.image_watch.contrast_changed.connect(self._aim)
        session.image_watch.moved.connect(self._aim)
        session.hover.looked.connect(self.start)
        session.changed.connect(self._on_session)

    @property
    def enabled(self) -> bool:
        """Whether tiles are encoded ahead of time; otherwise it only says which are ready."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            self._aim()
            self.changed.emit()

    @property
    def is_open(self) -> bool:
        """Whether model and image are at hand, so that a question does not wait for them."""
        return self._open is not None and self._open == self._present()

    @property
    def text(self) -> str:
        """What is going on, for the user; empty when there is nothing to say."""
        if self._problem or self.tiles is None:
            return self._problem
        total, ready = len(self.tiles.ready), sum(self.tiles.ready)
        if total == 1:
            return "The part in view is ready." if ready else "Looking at the part in view …"
        return f"{ready} of {total} tiles in view are ready."

    def start(self) -> None:
        """Begin with the present image, if that was not done before."""
        image = self._session.image
        if image is not None and image.unique_id not in self._images:
            self._images.add(image.unique_id)
            self._aim()

    def close(self) -> None:
        """Stop, and let go of the viewer."""
        session = self._session
        self._images.clear()
        self._stop()
        for event in self._view_events():
            event.disconnect(self._aim)
        session.image_watch.turned.disconnect(self._on_turned)
        session.image_watch.replaced.disconnect(self._aim)
        session.image_watch.contrast_changed.disconnect(self._aim)
        session.image_watch.moved.disconnect(self._aim)
        session.hover.looked.disconnect(self.start)
        session.changed.disconnect(self._on_session, missing_ok=True)

    # Where to look

    def _view_events(self) -> list[Any]:
        viewer = self._session.viewer
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        size = viewer.canvas.events.size
        return [camera.zoom, camera.center, size, dims.current_step, dims.ndisplay, dims.order]

    def _aim(self) -> None:
        """Turn to what is in view now, once it stays in view."""
        session, image = self._session, self._session.image
        if image is None or image.unique_id not in self._images:
            return
        sight, view, key = session.image_watch.sight, self._view(image), self._present()
        before, self._key = self._key, key
        if key != before or view is None:
            self._stop()
        if view is None or sight is None or key == self._failed:
            return
        y0, x0, y1, x1 = view.box
        self._middle = (y0 + y1) / 2, (x0 + x1) / 2
        session.worker.run_idle(
            partial(
                look_ahead,
                session.backend,
                session.model,
                sight.input(),
                view,
                self._focus,
                encode=self._enabled,
                is_loaded=key == self._open,
            ),
            self._on_tiles,
            self._on_done,
            delay=DELAY,
        )

    def _view(self, image: Image) -> View | None:
        viewer = self._session.viewer
        if image not in viewer.layers:
            return None
        try:
            plane = current_plane(viewer, image)
        except InputError:
            return None
        box = visible_box(viewer, image)
        return None if box is None else View(plane, box, self._session.eye.span(image))

    def _focus(self) -> tuple[float, float] | None:
        """Where to begin: at the mouse, else in the middle. Called on the worker's thread."""
        return self._session.hover.position or self._middle

    def _present(self) -> Hashable:
        """Model and image in use; another one has other tiles."""
        # Looking at it does not settle yet what the model sees; the first prompt does.
        sight = self._session.image_watch.sight
        return None if sight is None else (self._session.model, sight.input().key)

    # What comes in

    def _on_tiles(self, tiles: TilesInView) -> None:
        self._open = self._key
        self._problem = ""
        self.tiles = tiles
        self.changed.emit()
        self._session.hover.again()

    def _on_done(self, outcome: Outcome[None]) -> None:
        if outcome.error is None:
            return
        self._failed = self._key
        if not isinstance(outcome.error, NapariSamError):
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        self._problem = sentence(outcome.error)
        self.changed.emit()

    def _stop(self) -> None:
        self._session.worker.stop_idle()
        self._forget_tiles()

    def _forget_tiles(self) -> None:
        if self.tiles is not None or self._problem:
            self.tiles = None
            self._problem = ""
            self.changed.emit()

    # What the user does

    def _on_turned(self, before: Image | None) -> None:
        if before is not None and before not in self._session.viewer.layers:
            self._images.discard(before.unique_id)
        self._key = None
        self._stop()
        self._aim()

    def _on_session(self) -> None:
        """Begin with a click, follow the user to another model, go on when an answer loaded it."""
        session = self._session
        was_busy, self._was_busy = self._was_busy, session.busy
        if session.busy:
            self._failed = None
            self.start()
        if session.image is None or session.image.unique_id not in self._images:
            return
        key = self._present()
        if key != self._key or (was_busy and not session.busy and key != self._open):
            self._aim()
