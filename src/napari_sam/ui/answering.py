"""Asks the model about what is drawn, and shows its answer: candidates, thumbnails, preview."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_sam.errors import NapariSamError
from napari_sam.ui.asking import answer_prompt
from napari_sam.ui.drawing import read_drawing
from napari_sam.ui.preview import hide_preview, show_preview
from napari_sam.ui.wording import NO_MARK, WORKING, what_next

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.ui.asking import Answer
    from napari_sam.ui.coordinates import DrawnPrompt
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome

__all__ = ["Answering"]


class Answering:
    """The question under way and the last answer.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    busy : bool
        Whether an answer is under way.
    drawn : DrawnPrompt or None
        What the candidates are for.
    thumbnails : list of ndarray
        One for each candidate.
    segmenter : Segmenter or None
        Who gave the last answer for this image.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ticket = 0
        self.busy = False
        self.drawn: DrawnPrompt | None = None
        self.thumbnails: list[npt.NDArray[np.uint8]] = []
        self.segmenter: Segmenter | None = None

    @property
    def device(self) -> str:
        """Model and device that gave the last answer."""
        if self.segmenter is None:
            return ""
        return f"{self.segmenter.model.name} on {self.segmenter.model.device}"

    def ask(self) -> None:
        """Ask the model about what is drawn on the plane in view."""
        session, objects = self._session, self._session.objects
        self._ticket += 1
        drawn, hint = read_drawing(session.viewer, session.image, session.prompts, objects.refined)
        if drawn is None or session.image is None:
            self.show_nothing(hint)
            return
        shown = objects.candidates
        if shown is not None and shown.plane != drawn.prompt.plane:
            self.show_nothing(WORKING)
        self.drawn = drawn
        self.busy = True
        session.say(WORKING)
        image = session.image_watch.input(session.image)
        session.worker.submit(
            partial(
                answer_prompt,
                session.backend,
                session.model,
                image,
                drawn.prompt,
                span=session.eye.span(session.image),
            ),
            partial(self._answered, self._ticket),
            partial(self._reported, self._ticket),
        )

    def drop(self) -> None:
        """Take no notice of an answer that is under way."""
        self._ticket += 1

    def turn(self) -> None:
        """Forget what belongs to the image before."""
        self.segmenter = None
        self.thumbnails = []
        self.drawn = None

    def show_chosen(self) -> None:
        """Show the chosen candidate on the canvas."""
        image, candidate = self._session.image, self._session.objects.candidate
        if image is not None and candidate is not None:
            show_preview(self._session.viewer, image, candidate)

    def show_nothing(self, status: str) -> None:
        """Forget the candidates and say what to do now."""
        session = self._session
        session.objects.clear()
        self.thumbnails = []
        self.drawn = None
        self.busy = False
        if session.image is not None:
            hide_preview(session.viewer, session.image)
        session.say(status)

    def _reported(self, ticket: int, text: str) -> None:
        if ticket == self._ticket:
            self._session.say(text)

    def _answered(self, ticket: int, outcome: Outcome[Answer]) -> None:
        if outcome.error is not None and not isinstance(outcome.error, NapariSamError):
            if ticket == self._ticket:
                self.show_nothing(f"This did not work: {outcome.error!r}")
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        if ticket != self._ticket:
            return
        try:
            self._show(outcome.unwrap())
        except NapariSamError as error:
            self.show_nothing(NO_MARK)
            self._session.refuse(error)

    def _show(self, answer: Answer) -> None:
        session = self._session
        self.segmenter = answer.segmenter
        prompt = None if self.drawn is None else self.drawn.prompt
        session.objects.offer(answer.segmenter, answer.candidates, prompt)
        self.busy = False
        self.thumbnails = answer.thumbnails
        self.show_chosen()
        session.say(what_next(len(answer.candidates)))
