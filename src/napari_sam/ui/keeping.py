"""Keeping what was found, and other long steps of the objects: in the background, one at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from napari_sam.errors import InputError, NapariSamError
from napari_sam.ui.long_step import HELD, LongStep
from napari_sam.ui.run_folders import RunFolders, records_for
from napari_sam.ui.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.session.annotator import Annotator
    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.finding import FoundRun, Running
    from napari_sam.ui.found_drawing import FoundDrawing
    from napari_sam.ui.session import Session

__all__ = ["Keeping", "State"]

State = Literal["idle", "finding", "paused", "stopping", "painting"]

BUSY = "the search is still going on: stop it, on the page Everything, and try again"
NOTHING_FOUND = "nothing was found yet: press Find first"


class Keeping:
    """The part of `Automatic` that changes objects.

    Parameters
    ----------
    session : Session
    """

    changed = Signal()
    drawing: FoundDrawing
    rules: MergeRules

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run: FoundRun | None = None
        self._step: LongStep | None = None
        self._folders = RunFolders()
        self._is_closed = False
        self.state: State = "idle"
        self.status = ""

    @property
    def is_found(self) -> bool:
        """Whether there is something to show and to keep."""
        raise NotImplementedError

    @property
    def _runner(self) -> Running:
        raise NotImplementedError

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
        self._session.objects.finish()
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

    def _refuse(self, error: Exception) -> None:
        self._session.refuse(error)
        self._say(sentence(error))

    def _say(self, status: str) -> None:
        self.status = status
        self.changed.emit()


def _keep(annotator: Annotator, run: FoundRun, rules: MergeRules) -> Iterator[Change]:
    """Make what was found objects; on the runner's thread."""
    yield from annotator.add_run(records_for(annotator, run.folder), rules, run.planes)
