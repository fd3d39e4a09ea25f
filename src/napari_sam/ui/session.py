"""What the panel shows and does, without a window: layers in, candidates and objects out.

Every button and key is one call on `Session`. It reads the prompt layers, has a worker ask the
model, and keeps preview and labels up to date; what accepting and undoing mean is the
`Annotator`'s.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.asking import answer_prompt
from napari_sam.ui.coordinates import current_plane
from napari_sam.ui.drawing import read_drawing
from napari_sam.ui.image_watch import ImageWatch
from napari_sam.ui.layer_roles import PROMPTS, find_image, role_of
from napari_sam.ui.objects import Objects
from napari_sam.ui.placement import move_onto
from napari_sam.ui.preview import hide_preview, show_preview
from napari_sam.ui.prompt_layers import box_layer, point_layer, target_image
from napari_sam.ui.prompt_watch import PromptWatch
from napari_sam.ui.wording import (
    NO_IMAGE,
    NO_MARK,
    NOTHING_TO_UNDO,
    WAIT,
    WORKING,
    sentence,
    what_next,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from napari.layers import Image, Labels, Layer

    from napari_sam.ui.asking import Answer, Worker
    from napari_sam.ui.backend import Backend
    from napari_sam.ui.coordinates import DrawnPrompt
    from napari_sam.ui.workers import Outcome

__all__ = ["Session"]


class Session:
    """One viewer's prompts, candidates and objects.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    backend : Backend
        Where models come from.
    worker : Worker
        What asks them without stopping the GUI.

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    image_watch : ImageWatch
        The image that prompts are for, and the limits that the model sees it in.
    prompts : PromptWatch
        What is drawn for that image.
    model : str or Path
        What `load_model` takes.
    objects : Objects
        Candidates, the chosen one, and the layer that accepted objects go into.
    status : str
        What is going on, or what to do next.
    busy : bool
        Whether an answer is under way.
    device : str
        Model and device that gave the last answer.
    thumbnails : list of ndarray
        One for each candidate.
    """

    changed = Signal()

    def __init__(self, viewer: Any, backend: Backend, worker: Worker) -> None:
        self.viewer = viewer
        self.backend = backend
        self.model: str | Path = backend.choices()[0].model
        self.image_watch = ImageWatch(viewer)
        self.objects = Objects(viewer)
        self.status = NO_IMAGE
        self.busy = False
        self.device = ""
        self.thumbnails: list[npt.NDArray[np.uint8]] = []
        self.prompts = PromptWatch(viewer, self)
        self._worker = worker
        self._drawn: DrawnPrompt | None = None
        self._ticket = 0
        self.prompts.marks_changed.connect(self.ask)
        self.prompts.polarity_changed.connect(self.changed.emit)
        self.image_watch.turned.connect(self._on_turned)
        self.image_watch.moved.connect(self._on_moved)
        self.image_watch.replaced.connect(self.ask)
        self.image_watch.contrast_changed.connect(self.changed.emit)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        self.image_watch.turn_to(target_image(viewer))

    # What the user picks

    @property
    def image(self) -> Image | None:
        """The layer that prompts are for."""
        return self.image_watch.image

    def use_image(self, image: Image | None) -> None:
        """Turn to another image."""
        self.image_watch.turn_to(image)

    def use_labels(self, layer: Labels | None) -> None:
        """Put objects into another layer from now on; None for a new one."""
        try:
            self.objects.use_layer(layer)
        except NapariSamError as error:
            self._refuse(error)
        self.changed.emit()

    def use_model(self, model: str | Path) -> None:
        """Ask another model from now on."""
        if model != self.model:
            self.model = model
            self.ask()

    def draw_points(self) -> None:
        """Select the image's point prompts, ready to click; make the layer when there is none."""
        self._draw(point_layer)

    def draw_boxes(self) -> None:
        """Select the image's box prompts, ready to draw; make the layer when there is none."""
        self._draw(box_layer)

    # What the user does

    def ask(self) -> None:
        """Ask the model about what is drawn on the plane in view."""
        self._ticket += 1
        drawn, hint = read_drawing(self.viewer, self.image, self.prompts)
        if drawn is None or self.image is None:
            self._show_nothing(hint)
            return
        shown = self.objects.candidates
        if shown is not None and shown.plane != drawn.prompt.plane:
            self._show_nothing(WORKING)
        self._drawn = drawn
        self.busy, self.status = True, WORKING
        image = self.image_watch.input(self.image)
        self._worker.submit(
            partial(answer_prompt, self.backend, self.model, image, drawn.prompt),
            partial(self._answered, self._ticket),
            partial(self._reported, self._ticket),
        )
        self.changed.emit()

    def choose(self, index: int) -> None:
        """Choose a candidate, 0 for the best; nothing happens when there is none of that number."""
        if self.objects.choose(index):
            self._show_chosen()
            self.changed.emit()

    def accept(self) -> None:
        """Make the chosen candidate an object and wipe its marks; the rest is the next prompt."""
        if self.busy:
            self._say(WAIT)
            return
        try:
            edit = self.objects.accept()
        except InputError as error:
            self._refuse(error)
            return
        if edit is None:
            self._say(read_drawing(self.viewer, self.image, self.prompts)[1])
            return
        if self._drawn is not None:
            self.prompts.wipe(self._drawn.points, self._drawn.box)
        self.ask()
        if not self.busy:
            self._say(f"Object {edit.value} accepted ({edit.area:,} pixels). {NO_MARK}")

    def undo(self) -> None:
        """Take the last accepted object back."""
        edit = self.objects.undo()
        self._say(NOTHING_TO_UNDO if edit is None else f"Object {edit.value} taken back.")

    def clear(self) -> None:
        """Wipe the marks of the plane in view and forget the candidates."""
        if self.image is not None:
            try:
                self.prompts.wipe_plane(current_plane(self.viewer, self.image))
            except InputError as error:
                self._refuse(error)
                return
        self.ask()

    def close(self) -> None:
        """Let go of the viewer and stop the worker; layers stay as they are."""
        self._ticket += 1
        self._worker.close()
        if self.image is not None:
            hide_preview(self.viewer, self.image)
        self.prompts.close()
        self.image_watch.close()
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    # Answers

    def _reported(self, ticket: int, text: str) -> None:
        if ticket == self._ticket:
            self._say(text)

    def _answered(self, ticket: int, outcome: Outcome[Answer]) -> None:
        if outcome.error is not None and not isinstance(outcome.error, NapariSamError):
            if ticket == self._ticket:
                self._show_nothing(f"This did not work: {outcome.error!r}")
            raise outcome.error  # a mistake of ours: napari shows it with its traceback
        if ticket != self._ticket:
            return
        try:
            self._show(outcome.unwrap())
        except NapariSamError as error:
            self._show_nothing(NO_MARK)
            self._refuse(error)

    def _show(self, answer: Answer) -> None:
        self.objects.show(answer.segmenter, answer.candidates)
        self.busy = False
        self.thumbnails = answer.thumbnails
        self.device = f"{answer.segmenter.model.name} on {answer.segmenter.model.device}"
        self._show_chosen()
        self._say(what_next(len(answer.candidates)))

    def _show_chosen(self) -> None:
        candidate = self.objects.candidate
        if self.image is not None and candidate is not None:
            show_preview(self.viewer, self.image, candidate)

    def _show_nothing(self, status: str) -> None:
        self.objects.clear()
        self.thumbnails = []
        self._drawn = None
        self.busy = False
        if self.image is not None:
            hide_preview(self.viewer, self.image)
        self._say(status)

    def _refuse(self, error: Exception) -> None:
        self._say(sentence(error))
        show_warning(sentence(error))

    def _say(self, status: str) -> None:
        self.status = status
        self.changed.emit()

    # Layers

    def _draw(self, make: Callable[[Any, Image], object]) -> None:
        if self.image is None:
            self._refuse(InputError("there is no image to prompt: open one first"))
        else:
            make(self.viewer, self.image)

    def _on_turned(self, before: Image | None) -> None:
        if before is not None:
            hide_preview(self.viewer, before)
        self.thumbnails = []
        self.objects.use_image(self.image)
        self.prompts.watch(self.image)
        self.ask()

    def _on_inserted(self, event: Any) -> None:
        self.prompts.watch(self.image)
        self._ask_again_for(event.value)

    def _on_removed(self, event: Any) -> None:
        self.objects.forget_layer(event.value)
        self.prompts.watch(self.image)
        self._ask_again_for(event.value)

    def _ask_again_for(self, layer: Layer) -> None:
        if role_of(layer) in PROMPTS:
            self.ask()
        else:
            self.changed.emit()

    def _on_moved(self) -> None:
        """Keep prompts, objects and preview on an image whose scale or place was changed."""
        if self.image is None:
            return
        for layer in (self.prompts.points, self.prompts.boxes, self.objects.layer):
            if layer is not None and find_image(self.viewer, layer) is self.image:
                move_onto(layer, self.image)
        self._show_chosen()
