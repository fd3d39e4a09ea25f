"""What the model sees of an image: chosen once, shown, and changed knowing what that costs.

A model looks at an image tile by tile and remembers what it saw. Other channels or limits make
another image of it, so it has to look again. A change is therefore proposed first: it is shown,
and what it costs is said, before it is applied.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.images.limits import check_limits
from napari_sam.ui.coordinates import current_plane
from napari_sam.ui.effort import Effort
from napari_sam.ui.eye import Eye, visible_box
from napari_sam.ui.models import Models
from napari_sam.ui.sight import MOST_CHANNELS, Sight, can_join, first_sight
from napari_sam.ui.sight_picture import draw_sight, measure_sight
from napari_sam.ui.split_channels import channel_axes, split
from napari_sam.ui.wording import sentence
from napari_sam.ui.workers import LatestWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    from napari.layers import Image

    from napari_sam.images.limits import Limits
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.session import Session
    from napari_sam.ui.split_channels import ChannelAxis
    from napari_sam.ui.workers import Outcome

__all__ = ["Vision"]

MEASURING = "Measuring the image …"


class Vision:
    """What the model sees of the session's image.

    Parameters
    ----------
    session : Session
    helper : Worker, optional
        What draws and measures in the background; one of its own when not given.
    models : Models, optional

    Attributes
    ----------
    models : Models
        Which model looks, and how it computes.
    changed : Signal
        Something that is shown has changed.
    message : str
        What is going on, or why something was not done.
    picture : ndarray of uint8, shape (side, side, 3), or None
        What the model gets of the view, as proposed.
    """

    changed = Signal()

    def __init__(
        self, session: Session, helper: Worker | None = None, models: Models | None = None
    ) -> None:
        self._session = session
        self.models = models or Models(session)
        self._watch = session.image_watch
        self._helper: Worker = helper or LatestWorker()
        self._eye = Eye(session.viewer)
        self._proposed: Sight | None = None
        self._ticket = 0
        self._is_measuring = False
        self._is_watched = False
        self.message = ""
        self.picture: npt.NDArray[np.uint8] | None = None
        self._connected: tuple[tuple[Any, Callable[..., None]], ...] = (
            (self._watch.turned, self._on_turned),
            (self._watch.replaced, self._on_replaced),
            (self._watch.contrast_changed, self.changed.emit),
            (session.viewer.layers.events.removed, self._on_layers),
            (session.viewer.layers.events.inserted, self._on_layers),
        )
        for event, callback in self._connected:
            event.connect(callback)

    def close(self) -> None:
        """Let go of the image and stop what goes on in the background."""
        for event, callback in self._connected:
            event.disconnect(callback)
        self.changed.disconnect()
        self._ticket += 1
        self.models.close()
        self._helper.close()

    # What there is

    @property
    def sight(self) -> Sight | None:
        """What the model sees; with a change that is proposed, if there is one."""
        return self._proposed or self._watch.sight

    @property
    def is_pending(self) -> bool:
        """Whether a change is proposed that is not applied yet."""
        return self._proposed is not None

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks at the picture; otherwise none is drawn."""
        return self._is_watched

    @is_watched.setter
    def is_watched(self, is_watched: bool) -> None:
        self._is_watched = is_watched
        self.refresh()

    @property
    def channels(self) -> list[Image]:
        """Layers that can be channels of the image: the image itself, and others that lie on it."""
        image = self._watch.image
        if image is None:
            return []
        others = (layer for layer in self._session.viewer.layers if layer is not image)
        return [image, *(layer for layer in others if can_join(image, layer))]

    @property
    def axes(self) -> list[ChannelAxis]:
        """Axes of the image that may hold channels, those that say so first."""
        image = self._watch.image
        return [] if image is None else channel_axes(image)

    @property
    def effort(self) -> Effort:
        """What the model would do again if the change were applied and all of it looked at."""
        now, then = self._watch.sight, self._proposed
        if now is None or then is None:
            return Effort()
        effort, model = self._session.backend.effort, self._session.model
        return Effort() if effort(model, then.input()).tiles else effort(model, now.input())

    @property
    def cost(self) -> str:
        """What the proposed change costs, in a sentence or two."""
        return self.effort.cost

    # What can be changed

    def use_channels(self, layers: Sequence[Image]) -> None:
        """Propose other channels: one in grey, or two or three as red, green and blue."""
        if self._watch.sight is None:
            return
        if not 1 <= len(set(layers)) == len(layers) <= MOST_CHANNELS:
            self._say("Choose one layer, or two or three different ones.")
            return
        self._propose(first_sight(*layers))

    def use_shown_limits(self) -> None:
        """Propose the contrast that the layers show now."""
        if self.sight is not None:
            self._propose(first_sight(*self.sight.layers))

    def use_limits(self, limits: Sequence[tuple[float, float]]) -> None:
        """Propose limits that were typed, one (low, high) for each channel."""
        sight = self.sight
        if sight is None:
            return
        try:
            checked = check_limits(limits, len(sight.layers))
        except NapariSamError as error:
            self._say(sentence(error))
            return
        self._propose(Sight(sight.layers, checked, "typed"))

    def measure(self) -> None:
        """Measure limits over the whole image, in the background, and propose them."""
        sight = self.sight
        if sight is None:
            return
        self._ticket += 1
        self._is_measuring = True
        self._helper.submit(
            partial(measure_sight, sight.input()),
            partial(self._measured, self._ticket, sight),
            self._say,
        )
        self._say(MEASURING)

    def apply(self) -> None:
        """Let the model see the image as proposed from now on."""
        proposed, self._proposed = self._proposed, None
        if proposed is not None:
            self._watch.see(proposed)

    def discard(self) -> None:
        """Leave everything as it is."""
        self._forget_proposal()
        self._say("")
        self.refresh()

    def split(self, axis: int) -> None:
        """Make a layer of each channel along an axis of the image, and see up to three of them."""
        image = self._watch.image
        if image is None or axis not in [each.axis for each in self.axes]:
            return
        layers = split(self._session.viewer, image, axis)
        self._session.use_image(layers[0])
        if len(layers) <= MOST_CHANNELS:
            self.use_channels(layers)

    # The picture

    def refresh(self) -> None:
        """Draw what the model gets of the view, in the background, if anybody looks."""
        image, sight = self._watch.image, self.sight
        if image is None or sight is None or self._is_measuring or not self._is_watched:
            return
        self._ticket += 1
        viewer = self._session.viewer
        try:
            plane = current_plane(viewer, image)
        except InputError as error:
            self._say(sentence(error))
            return
        box = visible_box(viewer, image)
        if box is None:
            return
        self._helper.submit(
            partial(draw_sight, sight.input(), plane, box, self._eye.span(image)),
            partial(self._drawn, self._ticket),
            self._say,
        )

    def _propose(self, sight: Sight) -> None:
        self._forget_proposal()
        self._proposed = None if sight == self._watch.sight else sight
        self.message = ""
        if self.is_pending and not self.effort.tiles:
            self.apply()
            return
        self.changed.emit()
        self.refresh()

    def _measured(self, ticket: int, sight: Sight, outcome: Outcome[Limits]) -> None:
        if ticket != self._ticket:
            return
        self._is_measuring = False
        try:
            limits = outcome.unwrap()
        except NapariSamError as error:
            self._say(sentence(error))
            return
        self._propose(Sight(sight.layers, limits[: len(sight.layers)], "measured"))

    def _drawn(self, ticket: int, outcome: Outcome[npt.NDArray[np.uint8]]) -> None:
        if ticket != self._ticket:
            return
        try:
            self.picture = outcome.unwrap()
        except NapariSamError as error:
            self._say(sentence(error))
            return
        self.changed.emit()

    def _on_turned(self, _: object = None) -> None:
        self._forget_proposal()
        self.picture = None
        self._say("")
        self.refresh()

    def _on_replaced(self) -> None:
        self._forget_proposal()
        self._say("")
        self.refresh()

    def _on_layers(self, _: object = None) -> None:
        layers = self._session.viewer.layers
        if self._proposed is not None and any(each not in layers for each in self._proposed.layers):
            self._forget_proposal()
        self.changed.emit()

    def _forget_proposal(self) -> None:
        """Drop what is proposed or being measured, and every answer that is under way."""
        self._ticket += 1
        self._is_measuring = False
        self._proposed = None

    def _say(self, message: str) -> None:
        self.message = message
        self.changed.emit()
