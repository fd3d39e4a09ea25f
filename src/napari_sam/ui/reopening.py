"""Offers what was there of an image: objects of earlier sessions, after a crash or later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam.errors import NapariSamError
from napari_sam.images.source import open_image
from napari_sam.ui.sight import first_sight
from napari_sam.ui.wording import count, time_of
from napari_sam.ui.workers import Rank

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from napari.layers import Image

    from napari_sam.segmentation.session.journal_format import ImageIdentity
    from napari_sam.ui.backend import ImageInput
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome, Report

__all__ = ["Offer", "Reopening"]


@dataclass(frozen=True, slots=True)
class Offer:
    """Objects that can be brought back.

    Attributes
    ----------
    folder : Path
        Journal of the session that they are from.
    text : str
        What they are, for people.
    """

    folder: Path
    text: str


class Reopening:
    """Looks for earlier sessions with the present image and brings them back when asked to.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        There is another offer, or none any more.
    offer : Offer or None
        The newest session with objects that are not on the screen.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._identities: dict[Hashable, ImageIdentity] = {}
        self._declined: set[Hashable] = set()
        self.offer: Offer | None = None
        session.objects.turned.connect(self.look)

    def look(self) -> None:
        """Look for sessions with the present image that hold objects; the disk is read elsewhere.

        Nothing is offered while there are objects.
        """
        session, image = self._session, self._session.image
        self._set(None)
        if image is None or session.objects.annotator is not None:
            return
        if image.unique_id in self._declined:
            return
        described = first_sight(image).input()
        session.worker.submit(
            partial(_look, described, image.name, self._identities.get(described.key)),
            partial(self._found, image, described.key),
            _say_nothing,
            rank=Rank.LOOK_UP,
        )

    def identity(self, image: Image) -> ImageIdentity:
        """Say what tells the image from others; known, or found out now.

        Raises
        ------
        NapariSamError
            When the image cannot be used.
        """
        described = first_sight(image).input()
        known = self._identities.get(described.key)
        if known is None:
            known = self._identities[described.key] = _identify(described, image.name)
        return known

    def bring_back(self) -> None:
        """Show the objects that are offered."""
        session, offer = self._session, self.offer
        if offer is None:
            return
        try:
            session.objects.reopen(offer.folder)
        except NapariSamError as error:
            session.refuse(error)
            return
        session.say(f"{count(len(session.objects.rows))} brought back.")

    def decline(self) -> None:
        """Offer nothing for this image any more; what is on the disk stays."""
        if self._session.image is not None:
            self._declined.add(self._session.image.unique_id)
        self._set(None)

    def close(self) -> None:
        """Look for nothing more."""
        self._session.objects.turned.disconnect(self.look)

    def _found(
        self, image: Image, key: Hashable, outcome: Outcome[tuple[ImageIdentity, Offer | None]]
    ) -> None:
        if outcome.error is not None:
            if isinstance(outcome.error, NapariSamError):
                return  # the first prompt says what is wrong with the image
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        identity, offer = outcome.unwrap()
        self._identities[key] = identity
        if image is self._session.image and self._session.objects.annotator is None:
            self._set(offer)

    def _set(self, offer: Offer | None) -> None:
        if offer != self.offer:
            self.offer = offer
            self.changed.emit()
            self._session.changed.emit()


def _look(
    image: ImageInput, name: str, identity: ImageIdentity | None, report: Report
) -> tuple[ImageIdentity, Offer | None]:
    """Find the newest session with an image that holds objects; runs on the worker's thread."""
    del report
    from napari_sam.segmentation.session.folders import sessions_of

    identity = identity or _identify(image, name)
    for found in sessions_of(identity):
        if found.objects and not found.in_use:
            text = f"{count(found.objects)} of this image from {time_of(found.changed)} are there."
            return identity, Offer(found.folder, text)
    return identity, None


def _identify(image: ImageInput, name: str) -> ImageIdentity:
    from napari_sam.segmentation.session.journal_format import ImageIdentity

    source = open_image(image.data, limits=image.limits, axes=image.axes)
    return ImageIdentity.of(source, name)


def _say_nothing(text: str) -> None:
    del text
