"""Shows what a click would find, while the mouse moves, and what a box would, while it is drawn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.segmentation.prompt import Prompt
from napari_sam.ui.asking import answer_hover
from napari_sam.ui.coordinates import current_plane, image_shape
from napari_sam.ui.preview import hide_preview, show_picture
from napari_sam.ui.workers import Outcome, Rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Image

    from napari_sam.ui.preview import Picture
    from napari_sam.ui.session import Session

__all__ = ["Hover"]


class Hover:
    """The mask under the mouse, as long as there are no marks with candidates of their own.

    The newest position wins: one is asked about at a time, and of those that come meanwhile only
    the last. Only where the tiles are ready; nothing is encoded for it.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        It was switched on or off, or a mask was shown or hidden.
    looked : Signal
        The mouse, with the tool in hand, is over the image.
    position : (y, x) or None
        Where it is, in level-0 pixels; None when it is elsewhere.
    """

    changed = Signal()
    looked = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._enabled = True
        self._next: Prompt | None = None
        self._missed: Prompt | None = None
        self._under_way = False
        self._ticket = 0
        self._image: Image | None = None
        self.position: tuple[float, float] | None = None
        viewer = session.viewer
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_drag)
        viewer.events.mouse_over_canvas.connect(self._on_canvas)
        for event in self._ends():
            event.connect(self._forget)
        session.prompts.marks_changed.connect(self._drop)
        session.image_watch.turned.connect(self._forget)
        session.image_watch.replaced.connect(self._forget)

    @property
    def enabled(self) -> bool:
        """Whether masks are shown at all."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            self._hide()
            self.changed.emit()

    def again(self) -> None:
        """Ask once more about the place under the mouse, if nothing was ready there before."""
        if self._missed is not None:
            self._want(self._missed)

    def close(self) -> None:
        """Let go of the viewer."""
        self._forget()
        viewer, session = self._session.viewer, self._session
        viewer.mouse_move_callbacks.remove(self._on_move)
        viewer.mouse_drag_callbacks.remove(self._on_drag)
        viewer.events.mouse_over_canvas.disconnect(self._on_canvas)
        for event in self._ends():
            event.disconnect(self._forget)
        session.prompts.marks_changed.disconnect(self._drop)
        session.image_watch.turned.disconnect(self._forget)
        session.image_watch.replaced.disconnect(self._forget)

    # What the mouse does

    def _on_move(self, viewer: Any, event: Any) -> None:
        """Follow the mouse; no button is held."""
        del viewer
        image, points = self._session.image, self._session.prompts.points
        if image is None or points is None or not self._in_hand(points, "add"):
            self._forget()
            return
        try:
            plane = current_plane(self._session.viewer, image)
        except InputError:
            self._forget()
            return
        y, x = (float(p) for p in image.world_to_data(event.position)[-2:])
        height, width = image_shape(image)[-2:]
        if not (-0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5):
            self._forget()
            return
        self.position = y, x
        self.looked.emit()
        # A click that says background finds no object.
        if self._session.prompts.polarity == "positive":
            self._want(Prompt(points=[(y, x)], plane=plane))
        else:
            self._hide()

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Follow a box while it is drawn: napari says nothing of it before it is finished."""
        del viewer
        boxes = self._session.prompts.boxes
        if boxes is None or not self._in_hand(boxes, "add_rectangle", "add_ellipse"):
            return
        corner = event.position
        self._hide()
        self.looked.emit()
        yield
        while event.type == "mouse_move":
            self._want_box(corner, event.position)
            yield

    def _on_canvas(self) -> None:
        if not self._session.viewer.mouse_over_canvas:
            self._forget()

    def _in_hand(self, layer: Any, *modes: str) -> bool:
        viewer = self._session.viewer
        return (
            viewer.layers.selection.active is layer
            and str(layer.mode) in modes
            and viewer.dims.ndisplay == 2
        )

    def _ends(self) -> list[Any]:
        """Events after which the mouse points at something else."""
        viewer = self._session.viewer
        dims = viewer.dims.events
        return [dims.current_step, dims.ndisplay, dims.order, viewer.layers.selection.events.active]

    # Questions, one at a time

    def _want_box(self, *corners: tuple[float, ...]) -> None:
        """Ask about a box between two positions in the world; the layer itself is a move behind."""
        image = self._session.image
        if image is None:
            return
        yx = np.array([image.world_to_data(corner)[-2:] for corner in corners])
        try:
            plane = current_plane(self._session.viewer, image)
            prompt = Prompt(box=(*yx.min(axis=0), *yx.max(axis=0)), plane=plane)
        except InputError:  # it has no area yet
            return
        self._want(prompt)

    def _want(self, prompt: Prompt) -> None:
        self._next = self._missed = None
        if not self._enabled or not self._is_free():
            return
        if not self._session.background.is_open:
            self._missed = prompt
            return
        self._next = prompt
        if not self._under_way:
            self._ask()

    def _is_free(self) -> bool:
        """Whether the preview shows no mask that belongs to marks, and is not about to."""
        session = self._session
        return not session.busy and session.objects.candidates is None

    def _ask(self) -> None:
        session, image, prompt = self._session, self._session.image, self._next
        sight = session.image_watch.sight
        self._next = None
        if image is None or sight is None or prompt is None:
            return
        self._under_way = True
        session.worker.submit(
            partial(
                answer_hover,
                session.backend,
                session.model,
                sight.input(),
                prompt,
                span=session.eye.span(image),
            ),
            partial(self._answered, self._ticket, prompt),
            _say_nothing,
            rank=Rank.HOVER,
        )

    def _answered(self, ticket: int, prompt: Prompt, outcome: Outcome[Picture | None]) -> None:
        self._under_way = False
        if outcome.error is not None and not isinstance(outcome.error, NapariSamError):
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        if ticket == self._ticket and self._is_free():
            # An error that the user can do something about is told when something is clicked.
            self._show(outcome.value)
            self._missed = prompt if outcome == Outcome() else None
        self._ask()

    # The preview

    def _show(self, picture: Picture | None) -> None:
        image = self._session.image
        if picture is None or image is None or image not in self._session.viewer.layers:
            self._hide_picture()
            return
        show_picture(self._session.viewer, image, picture, "hover")
        self._image = image
        self.changed.emit()

    def _hide_picture(self) -> None:
        if self._image is not None:
            hide_preview(self._session.viewer, self._image, "hover")
            self._image = None
            self.changed.emit()

    def _drop(self) -> None:
        """Ask nothing more; what is shown stays until the answer to the marks replaces it."""
        self._ticket += 1
        self._next = self._missed = None

    def _hide(self) -> None:
        self._drop()
        self._hide_picture()

    def _forget(self) -> None:
        """Show nothing: the mouse is elsewhere."""
        self.position = None
        self._hide()


def _say_nothing(text: str) -> None:
    del text
