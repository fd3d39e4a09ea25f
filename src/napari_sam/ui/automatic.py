"""Segmenting everything, without a window: find, look at what was found, choose, keep.

Finding records masks and paints nothing. What is in view is shown as it is found, and chosen anew
whenever a threshold moves; the model is not asked for that. Keeping makes the chosen ones objects,
as one step that can be undone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.ui.automatic_region import where_to_look
from napari_sam.ui.diameter import Diameter
from napari_sam.ui.finding import FoundRun, TilePoints, find, run_key
from napari_sam.ui.found_drawing import FoundDrawing
from napari_sam.ui.long_step import HELD, LongStep
from napari_sam.ui.run_folders import RunFolders, records_for
from napari_sam.ui.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari.layers import Image

    from napari_sam.segmentation.automatic.run import SegmentProgress
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.asking import Worker
    from napari_sam.ui.automatic_region import RegionKind
    from napari_sam.ui.finding import Running
    from napari_sam.ui.session import Session
    from napari_sam.ui.workers import Outcome

__all__ = ["Automatic", "State"]

State = Literal["idle", "finding", "paused", "stopping", "painting"]

NO_IMAGE = "there is no image: open one first"
BUSY = "the search is still going on: stop it, on the page Everything, and try again"
NOTHING_FOUND = "nothing was found yet: press Find first"


class Automatic:
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

    changed = Signal()

    def __init__(
        self,
        session: Session,
        runner: Running | None = None,
        make_worker: Callable[[], Worker] | None = None,
    ) -> None:
        self._session = session
        self._own_runner = runner
        self.diameter = Diameter(session)
        self.drawing = FoundDrawing(session.viewer, make_worker or _new_worker)
        self.region: RegionKind = "view"
        self.rules = MergeRules()
        self.state: State = "idle"
        self.progress: SegmentProgress | None = None
        self.tile: TilePoints | None = None
        self.is_finished = False
        self.status = ""
        self._run: FoundRun | None = None
        self._step: LongStep | None = None
        self._folders = RunFolders()
        self._is_closed = False
        self.diameter.changed.connect(self.changed.emit)
        self.drawing.changed.connect(self.changed.emit)
        session.changed.connect(self._make_way)
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
        self.drawing.begin(image)
        self.progress = self.tile = None
        self.is_finished = False
        self.state = "finding"
        self._runner.start(
            partial(find, session.backend, run, self.rules, self._runner),
            self._on_progress,
            self._on_found,
        )
        self._make_way()
        session.say("Looking for objects; how far that is says the page Everything.")
        self._say("Getting ready …")

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

    # Keeping

    def keep(self) -> None:
        """Make the masks that the rules choose objects: one step to undo."""
        session, run = self._session, self._run
        if self.state != "idle" or self._is_closed:
            return
        if run is None or not self.is_found:
            self._refuse(InputError(NOTHING_FOUND))
            return
        session.use_image(run.image)
        try:
            annotator = session.objects.ready()
        except NapariSamError as error:
            self._refuse(error)
            return
        self._folders.keep(run.folder)
        self.carry_out(partial(_keep, annotator, run, self.rules), "Keeping")

    def carry_out(self, steps: Callable[[], Iterator[Change]], doing: str) -> bool:
        """Do a long step of the annotator in the background; nothing else changes meanwhile.

        Parameters
        ----------
        steps : callable
            Makes the generator.
        doing : str
            What it does, in a word.

        Returns
        -------
        bool
            False, with nothing done, while something else is going on.
        """
        kept = self._session.objects.kept
        if self._is_closed or kept is None:
            return False
        if self.state != "idle":
            self._refuse(InputError(BUSY if self._step is None else HELD))
            return False
        self.state = "painting"
        self._step = LongStep(self._session.objects, kept, doing, self._say, self._on_painted)
        self._step.start(self._runner, steps)
        return True

    def close(self) -> None:
        """Stop at once, let go of the viewer and remove what was found and not kept."""
        self._is_closed = True
        if self._own_runner is not None:
            self._own_runner.close()
        if self._step is not None:
            self._step.stop()
        self._session.changed.disconnect(self._make_way, missing_ok=True)
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

    def _on_painted(self, error: Exception | None) -> None:
        self.state, self._step = "idle", None
        if error is not None:
            self._fail(error)
            return
        self.drawing.hide()
        self._session.say(self.status)
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        if isinstance(error, NapariSamError):
            self._refuse(error)
            return
        self._say(f"This did not work: {error!r}")
        raise error  # a mistake of ours: napari shows it with its traceback

    def _make_way(self) -> None:
        """Let a click go first: a run waits while the model is asked."""
        if self.state in ("finding", "paused"):
            self._runner.hold(held=self._session.busy)

    def _next_run(self, image: Image) -> FoundRun:
        """Go on with the last run where it was for the same, else make a new one."""
        session = self._session
        where = where_to_look(session.viewer, image, self.region)
        pixels = session.image_watch.input(image)
        key = run_key(pixels, session.model, where, self.diameter.value)
        before = self._run
        if before is not None and (before.image is not image or before.key != key):
            before = None
        if before is not None and (self.is_finished or not self._folders.is_kept(before.folder)):
            return before
        return FoundRun(
            image=image,
            input=pixels,
            model=session.model,
            where=where,
            diameter=self.diameter.value,
            folder=self._folders.new(session.objects.ready()),
            start_from=None if before is None else before.folder,
        )

    def _on_turned(self, _: Image | None) -> None:
        if self.image is not None and self._session.image is self.image and self.is_found:
            self._show()
        else:
            self.drawing.hide()

    def _on_removed(self, event: Any) -> None:
        if event.value is self.image:
            self.cancel()
            self.drawing.hide()
            if self.state == "idle":
                self.forget()

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

    def _refuse(self, error: Exception) -> None:
        self._session.refuse(error)
        self._say(sentence(error))

    def _say(self, status: str) -> None:
        self.status = status
        self.changed.emit()


def _keep(annotator: Annotator, run: FoundRun, rules: MergeRules) -> Iterator[Change]:
    """Make what was found objects; on the runner's thread."""
    yield from annotator.add_run(records_for(annotator, run.folder), rules, run.planes)


def _new_worker() -> Worker:
    from napari_sam.ui.workers import LatestWorker

    return LatestWorker()
