"""What the panel shows and does, without a window: layers in, candidates and objects out.

Every button and key is one call on `Session`. It reads the prompt layers, has a worker ask the
model, and keeps preview and labels up to date; what accepting and undoing mean is the
`Annotator`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_sam.errors import InputError
from napari_sam.ui.answering import Answering
from napari_sam.ui.automatic import Automatic
from napari_sam.ui.background import Background
from napari_sam.ui.coordinates import current_plane
from napari_sam.ui.editing import Editing
from napari_sam.ui.eye import Eye
from napari_sam.ui.hover import Hover
from napari_sam.ui.image_watch import ImageWatch
from napari_sam.ui.layer_roles import PROMPTS, find_image, role_of
from napari_sam.ui.mouse import Mouse
from napari_sam.ui.object_actions import ObjectActions
from napari_sam.ui.objects import Objects
from napari_sam.ui.placement import move_onto
from napari_sam.ui.preview import hide_preview, make_preview
from napari_sam.ui.prompt_layers import box_layer, point_layer, target_image
from napari_sam.ui.prompt_watch import PromptWatch
from napari_sam.ui.ready_overlay import ReadyOverlay
from napari_sam.ui.reopening import Reopening
from napari_sam.ui.review import Review
from napari_sam.ui.shortcuts import LABELS_KEYS, bind_keys, unbind_keys
from napari_sam.ui.vision import Vision
from napari_sam.ui.wording import NO_IMAGE, sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Image, Labels, Layer

    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.backend import Backend, ImageInput

__all__ = ["Session"]


def _at_once(call: Callable[[], None]) -> None:
    call()


class Session(ObjectActions):
    """One viewer's prompts, candidates and objects.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    backend : Backend
        Where models come from.
    worker : Worker
        What asks them without stopping the GUI.
    later : callable, optional
        Calls a function when the GUI has nothing else to do; at once when not given.

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
    answering : Answering
        The question under way, and pictures of the candidates.
    reopening : Reopening
        Earlier sessions with the image.
    editing : Editing
        Painting objects by hand.
    hover, background, ready_overlay, automatic, review, vision
        What the user sees before a click, everything at once, the review, what the model sees.
    eye : Eye
        How large objects look to the model.
    status : str
        What is going on, or what to do next.
    """

    changed = Signal()

    def __init__(
        self,
        viewer: Any,
        backend: Backend,
        worker: Worker,
        later: Callable[[Callable[[], None]], None] = _at_once,
    ) -> None:
        self.viewer = viewer
        self.backend = backend
        self.worker = worker
        self.later = later
        self.model: str | Path = backend.choices()[0].model
        self.status = NO_IMAGE
        self._is_closed = False
        self.eye = Eye(viewer)
        self.image_watch = ImageWatch(viewer)
        self.objects = Objects(viewer, self.refuse, lambda image: self.reopening.identity(image))
        self.prompts = PromptWatch(viewer, self)
        self.answering = Answering(self)
        self.reopening = Reopening(self)
        self.editing = Editing(self)
        self.hover = Hover(self)
        self.background = Background(self)
        self.ready_overlay = ReadyOverlay(self)
        self.automatic = Automatic(self)
        self.review = Review(self)
        self.vision = Vision(self)
        self._mouse = Mouse(self)
        self._parts = (
            self._mouse,
            self.vision,
            self.review,
            self.automatic,
            self.ready_overlay,
            self.background,
            self.hover,
            self.editing,
            self.reopening,
            self.prompts,
            self.objects,
            self.image_watch,
        )
        self._keyed: Labels | None = None
        self.objects.turned.connect(self._on_objects_turned)
        self.prompts.marks_changed.connect(self.ask)
        self.prompts.polarity_changed.connect(self.changed.emit)
        self.image_watch.turned.connect(self._on_turned)
        self.image_watch.moved.connect(self._on_moved)
        self.image_watch.replaced.connect(self.ask)
        self.image_watch.contrast_changed.connect(self.changed.emit)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        self.image_watch.turn_to(target_image(viewer))

    # What there is

    @property
    def image(self) -> Image | None:
        """The layer that prompts are for."""
        return self.image_watch.image

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.answering.busy

    @property
    def segmenter(self) -> Segmenter | None:
        """Who gave the last answer for this image; None before the first."""
        return self.answering.segmenter

    def input(self) -> ImageInput | None:
        """Describe the present image to a backend."""
        return None if self.image is None else self.image_watch.input(self.image)

    def plane(self) -> tuple[int, ...] | None:
        """Plane in view; None where none can be told, and the status line says why."""
        if self.image is None:
            return None
        try:
            return current_plane(self.viewer, self.image)
        except InputError as error:
            self.say(sentence(error))
            return None

    # What the user picks

    def use_image(self, image: Image | None) -> None:
        """Turn to another image."""
        self.image_watch.turn_to(image)

    def use_labels(self, layer: Labels | None) -> None:
        """Put objects into another layer from now on; None for a new one."""
        self.objects.use_layer(layer)
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

    # Candidates

    def ask(self) -> None:
        """Ask the model about what is drawn on the plane in view."""
        self.answering.ask()

    def choose(self, index: int) -> None:
        """Choose a candidate, 0 for the best; nothing happens when there is none of that number."""
        if self.objects.choose(index):
            self.answering.show_chosen()
            self.changed.emit()

    def next_candidate(self, step: int) -> None:
        """Choose the next candidate, or with -1 the one before; after the last comes the first."""
        candidates, chosen = self.objects.candidates, self.objects.chosen
        if candidates is not None and chosen is not None:
            self.choose((chosen + step) % len(candidates))

    def clear(self) -> None:
        """Wipe the marks of the plane in view, forget the candidates and refine nothing."""
        self.objects.end_refining()
        if self.image is not None:
            try:
                self.prompts.wipe_plane(current_plane(self.viewer, self.image))
            except InputError as error:
                self.refuse(error)
                return
        self.ask()

    # Telling

    def say(self, status: str) -> None:
        """Say something in the status line."""
        self.status = status
        self.changed.emit()

    def refuse(self, error: Exception) -> None:
        """Say why something was not done, in the status line and once as a notification."""
        self.say(sentence(error))
        show_warning(sentence(error))

    def close(self) -> None:
        """Let go of the viewer and stop the worker; layers stay as they are."""
        if self._is_closed:
            return
        self._is_closed = True
        self.objects.finish()
        self.answering.drop()
        self.worker.close()
        if self.image is not None:
            hide_preview(self.viewer, self.image)
        for part in self._parts:
            part.close()
        if self._keyed is not None:
            unbind_keys(self._keyed, LABELS_KEYS)
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    # Layers

    def _draw(self, make: Callable[[Any, Image], object]) -> None:
        if self.image is None:
            self.refuse(InputError("there is no image to prompt: open one first"))
        else:
            make(self.viewer, self.image)
            # Adding a layer takes napari long: before a mask is to be shown, but not both at once.
            self.later(self._make_preview)

    def _make_preview(self) -> None:
        if not self._is_closed and self.image is not None and self.image in self.viewer.layers:
            make_preview(self.viewer, self.image)

    def _on_turned(self, before: Image | None) -> None:
        if before is not None:
            hide_preview(self.viewer, before)
        self.answering.turn()
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

    def _on_objects_turned(self) -> None:
        """Give the keys to the layer of objects, and take them from the one before."""
        if self._keyed is not None:
            unbind_keys(self._keyed, LABELS_KEYS)
        self._keyed = self.objects.layer
        if self._keyed is not None:
            bind_keys(self._keyed, self, LABELS_KEYS)
        self.changed.emit()

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
        self.answering.show_chosen()
