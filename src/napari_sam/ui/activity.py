"""The bar of an automatic run in napari's activity dock, where all long work is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils import cancelable_progress
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari_sam.ui.automatic import Automatic

__all__ = ["Activity", "share_done"]

STEPS = 1000
"""What a full bar counts."""

PERIOD = 500
"""Milliseconds between two changes of the bar, and before there is one."""


class Activity:
    """Shows a run in the activity dock while there is one; the GUI's thread only.

    The bar changes by the clock, never inside a call: napari handles all events that wait whenever
    a bar is made or changes.

    Parameters
    ----------
    automatic : Automatic
    """

    def __init__(self, automatic: Automatic) -> None:
        self._automatic = automatic
        self._bar: _Bar | None = None
        self._is_on = False
        self._is_changing = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._change)
        automatic.changed.connect(self.sync)

    def sync(self) -> None:
        """Show what there is, soon; at once that there is nothing any more."""
        if self._automatic.state in ("idle", "painting"):
            self.close()
        elif not self._is_on:
            self._is_on = True
            self._timer.start(PERIOD)

    def close(self) -> None:
        """Take the bar away."""
        self._is_on = False
        self._timer.stop()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _change(self) -> None:
        if self._is_changing:
            return  # another run began while napari handled events: its turn comes below
        self._is_changing = True
        try:
            if self._bar is None:
                image = self._automatic.image
                text = "Finding objects" + (f" in {image.name}" if image else "")
                self._bar = _Bar(self._automatic, text)
            else:
                self._bar.show(share_done(self._automatic))
        finally:
            self._is_changing = False
        if self._is_on:
            self._timer.start(PERIOD)
        else:  # it ended while the bar was made
            self.close()


class _Bar(cancelable_progress):  # type: ignore[misc]
    """One bar; its button cancels the run."""

    def __init__(self, automatic: Automatic, text: str) -> None:
        self._automatic = automatic
        # As a GUI's it writes nothing to the terminal.
        super().__init__(total=STEPS, desc=text, gui=True)

    def cancel(self) -> None:
        super().cancel()
        self._automatic.cancel()

    def show(self, share: float) -> None:
        """Fill it up to a share; it never goes back."""
        more = round(share * STEPS) - self.n
        if more > 0:
            self.update(more)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: Any) -> bool:
        return self is other


def share_done(automatic: Automatic) -> float:
    """Part of the run that is done, 0 to 1."""
    progress, tile = automatic.progress, automatic.tile
    if progress is None or not progress.total:
        return 0.0
    part = tile.done / tile.total if tile is not None and tile.total else 0.0
    return min((progress.done + part) / progress.total, 1.0)
