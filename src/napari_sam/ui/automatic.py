"""Segmenting everything, without a window: find, look at what was found, choose, keep.

Finding records masks and paints nothing. What is in view is shown as it is found, and chosen anew
whenever a threshold moves; the model is not asked for that. Keeping makes the chosen ones objects,
as one step that can be undone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError, NapariSamError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.ui.automatic_region import where_to_look
from napari_sam.ui.diameter import Diameter
from napari_sam.ui.finding import FoundRun, TilePoints, find, run_key
from napari_sam.ui.found_drawing import FoundDrawing
from napari_sam.ui.found_preview import make_found
from napari_sam.ui.keeping import Keeping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Image

    from napari_sam.segmentation.automatic.run import SegmentProgress
    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.automatic_region import RegionKind
    from napari_sam.ui.finding import Running
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome

__all__ = ["Automatic"]

CLOSING = 1.0
"""Seconds that closing waits for a run to notice; it does so between two batches of points."""

NO_IMAGE = "there is no image: open one first"


class Automatic(Keeping):
    """Everything at once: one run of a viewer.

    Parameters
    ----------
    session : Session
    runner : Running, optional
        The thread that runs and paints; one of its own when not given.
    make_worker : callable, optional
        Makes the worker that draws.

    Attributes
    ----------
    changed : Signal
        Something that is shown has changed.
    region : "view", "shape", "plane" or "planes"
        Where to look.
    diameter : Diameter
        How large objects usually are.
    rules : MergeRules
        Which of the found masks are shown and kept.
    state : "idle", "finding", "paused", "stopping" or "painting"
    progress : SegmentProgress or None
        Where the last run stands.
    tile : TilePoints or None
        How far the tile at hand is.
    is_finished : bool
        Whether the last run came to its end.
    status : str
        What is going on, or what to do next.
    drawing : FoundDrawing
        What is shown of it.
    """

    def __init__(
        self,
        session: Session,
        runner: Running | None = None,
        make_worker: Callable[[], Worker] | None = None,
    ) -> None:
        super().__init__(session)
        self._own_runner = runner
        self.diameter = Diameter(session)
        self.drawing = FoundDrawing(
            session.viewer, make_worker or _new_worker, lambda: session.objects.annotator
        )
        self.region: RegionKind = "view"
        self.rules = MergeRules()
        self._least_area = self.rules.min_area
        self.progress: SegmentProgress | None = None
        self.tile: TilePoints | None = None
        self.is_finished = False
        self.diameter.changed.connect(self.changed.emit)
        self.drawing.changed.connect(self.changed.emit)
        session.changed.connect(self._make_way)
        session.objects.changed.connect(self._on_objects)
        session.image_watch.turned.connect(self._on_turned)
        session.viewer.layers.events.removed.connect(self._on_removed)

    # What the user picks

    def use_region(self, region: RegionKind) -> None:
        """Look in what is in view, the selected shape, the plane in view, or all planes."""
        self.region = region
        self.changed.emit()

    def use_rules(self, rules: MergeRules) -> None:
        """Choose among what is found by other rules."""
        if rules != self.rules:
            self.rules = rules
            if self.drawing.is_on:
                self.drawing.use_rules(rules)
            elif self.is_found and self.state == "idle":
                self._show()
            self.changed.emit()

    # Finding

    @property
    def is_found(self) -> bool:
        """Whether there is something to show and to keep."""
        return self._run is not None and self.progress is not None and self.progress.masks > 0

    @property
    def is_finding(self) -> bool:
        """Whether a run has begun and not ended, paused ones too."""
        return self.state in ("finding", "paused", "stopping")

    @property
    def image(self) -> Image | None:
        """The image of the last run."""
        return None if self._run is None else self._run.image

    def find(self) -> None:
        """Find the masks of the region; go on where a run for the same was cancelled."""
        session, image = self._session, self._session.image
        if self.state != "idle" or self._is_closed:
            return
        if image is None:
            self._refuse(InputError(NO_IMAGE))
            return
        try:
            run = self._next_run(image)
        except NapariSamError as error:
            self._refuse(error)
            return
        self._run = run
        self.diameter.hide()
        self.drawing.hide()
        session.later(partial(self._make_layer, image))
        self.progress = self.tile = None
        self.is_finished = False
        self._use_least_area(run.diameter)
        self.state = "finding"
        self._runner.start(
            partial(find, session.backend, run, self.rules, self._runner),
            self._on_progress,
            self._on_found,
        )
        self._make_way()
        session.say("Looking for objects; how far that is says the page Everything.")
        self._say("Getting ready …")

    def _use_least_area(self, diameter: float | None) -> None:
        """Leave out what is far smaller than the diameter, unless the user chose a size."""
        if self.rules.min_area == self._least_area:
            self._least_area = float(round(AutomaticSettings().least_area(diameter)))
            self.use_rules(replace(self.rules, min_area=self._least_area))

    def pause(self) -> None:
        """Wait, until `resume`."""
        if self.state == "finding":
            self.state = "paused"
            self._runner.pause()
            self._say("Paused.")

    def resume(self) -> None:
        """Go on."""
        if self.state == "paused":
            self.state = "finding"
            self._runner.resume()
            self._say("")

    def cancel(self) -> None:
        """Stop; what is found so far can be kept, and the same run can go on later."""
        if self.state in ("finding", "paused"):
            self.state = "stopping"
            self._runner.cancel()
            self._say("Stopping …")

    def forget(self) -> None:
        """Show nothing any more and forget what was found."""
        if self.state == "idle":
            self.drawing.hide()
            self._run = self.progress = self.tile = None
            self.is_finished = False
            self._say("")

    def close(self) -> None:
        """Stop at once, let go of the viewer and remove what was found and not kept."""
        self._is_closed = True
        if self._own_runner is not None:
            self._own_runner.close(CLOSING)  # what it writes now would be left behind
        if self._step is not None:
            self._step.stop()
        self._session.changed.disconnect(self._make_way, missing_ok=True)
        self._session.objects.changed.disconnect(self._on_objects, missing_ok=True)
        self._session.image_watch.turned.disconnect(self._on_turned, missing_ok=True)
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self.diameter.close()
        self.drawing.close()
        self._folders.close()

    # What comes back

    def _on_progress(self, values: Sequence[Any]) -> None:
        for value in values:
            if isinstance(value, str):
                self.status = value
            elif isinstance(value, TilePoints):
                self.tile = value
            else:
                self.progress, self.tile = value, None
                if self.state == "finding":
                    self.status = ""
                if value.masks and not self.drawing.is_on:
                    self._show()
                elif value.done:
                    self.drawing.more()
        self.changed.emit()

    def _on_found(self, outcome: Outcome[bool]) -> None:
        self.state, self.tile = "idle", None
        if self._run is not None and self._run.image not in self._session.viewer.layers:
            self.forget()
            return
        if outcome.error is not None:
            self._fail(outcome.error)
            return
        self.is_finished = bool(outcome.value)
        if not self.is_finished:
            text = "Stopped. Keep what was found, or press Find to go on."
        elif not self.is_found:
            text = "Nothing was found. Try another diameter, or other limits or model."
        else:
            text = "Done. Choose with the sliders what to keep."
        self._session.say(text)
        self._say(text)

    def _make_way(self) -> None:
        """Let a click go first: a run waits while the model is asked."""
        if self.state in ("finding", "paused"):
            self._runner.hold(held=self._session.busy)

    def _next_run(self, image: Image) -> FoundRun:
        """Go on with the last run where it was for the same, else make a new one."""
        session, before = self._session, self._run
        where = where_to_look(session.viewer, image, self.region)
        pixels = session.image_watch.input(image)
        computing = session.backend.computing
        key = run_key(pixels, session.model, where, self.diameter.value, computing)
        is_same = before is not None and before.image is image and before.key == key
        is_kept = before is not None and self._folders.is_kept(before.folder)
        if before is not None and is_same and (self.is_finished or not is_kept):
            return before
        return FoundRun(
            image=image,
            input=pixels,
            model=session.model,
            where=where,
            diameter=self.diameter.value,
            computing=computing,
            folder=self._folders.new(session.objects.ready()),
            start_from=before.folder if before is not None and is_same else None,
            instead_of=before.folder if before is not None and not is_kept else None,
        )

    def _on_turned(self, _: Image | None) -> None:
        if self.image is not None and self._session.image is self.image and self.is_found:
            self._show()
        else:
            self.drawing.hide()

    def _on_objects(self, _: Change) -> None:
        """Show what would be kept now: less where an object was accepted, more where one went."""
        if self.state != "painting":
            self.drawing.again()

    def _on_removed(self, event: Any) -> None:
        if event.value is self.image:
            self.cancel()
            self.drawing.hide()
            if self.state == "idle":
                self.forget()

    def _make_layer(self, image: Image) -> None:
        """Make the layer for what is found before there is something to show."""
        if not self._is_closed and image in self._session.viewer.layers:
            make_found(self._session.viewer, image)

    def _show(self) -> None:
        run = self._run
        if run is not None and run.image in self._session.viewer.layers:
            self.drawing.show(run.image, run.folder, self.rules)

    @property
    def _runner(self) -> Running:
        if self._own_runner is None:
            from napari_sam.ui.runner import Runner

            self._own_runner = Runner()
        return self._own_runner


def _new_worker() -> Worker:
    from napari_sam.ui.workers import LatestWorker

    return LatestWorker()
