"""One step of the annotator that takes long, in the background: painting a run, taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.ui.wording import said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam.segmentation.session.change import Change
    from napari_sam.ui.finding import Running
    from napari_sam.ui.kept_objects import KeptObjects
    from napari_sam.ui.objects import Objects
    from napari_sam.ui.workers import Outcome

__all__ = ["HELD", "LongStep"]

HELD = "objects are being painted: wait until this is done"


class LongStep:
    """Runs the changes of a step on a thread and shows them as they come.

    Until it is done nobody else changes the objects, see `Objects.hold`.

    Parameters
    ----------
    objects : Objects
    kept : KeptObjects
        Whose step it is; the user may turn to another image meanwhile.
    doing : str
        What it does, for people: "Keeping".
    say : callable
        Called with how far it is, and in the end with what was done.
    done : callable
        Called at the end with an error, or None.
    """

    def __init__(
        self,
        objects: Objects,
        kept: KeptObjects,
        doing: str,
        say: Callable[[str], None],
        done: Callable[[Exception | None], None],
    ) -> None:
        self._objects = objects
        self._kept = kept
        self._doing = doing
        self._say = say
        self._done = done

    def start(self, runner: Running, steps: Callable[[], Iterator[Change]]) -> None:
        """Begin; `steps` makes the generator, on the runner's thread."""
        self._objects.hold(HELD)
        self._say(f"{self._doing} …")
        runner.start(steps, self._on_changes, self._on_end)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._objects.release()

    def _on_changes(self, changes: list[Change]) -> None:
        for change in changes:
            self._objects.show(self._kept, change)
        last = changes[-1]
        if last.done < last.total:
            self._say(f"{self._doing}: {100 * last.done // last.total} %")
        else:
            self._say(said(last, self._kept.annotator.rows))

    def _on_end(self, outcome: Outcome[bool]) -> None:
        self._objects.release()
        self._done(outcome.error)
