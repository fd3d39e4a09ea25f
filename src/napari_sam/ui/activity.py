"""The bar of an automatic run in napari's activity dock, where all long work is listed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari.utils import cancelable_progress

if TYPE_CHECKING:
    from napari_sam.ui.automatic import Automatic

__all__ = ["Activity", "share_done"]

STEPS = 1000
"""What a full bar counts."""

PERIOD = 0.5
"""Seconds between two changes of the bar: napari handles other events at each."""


class Activity:
    """Shows a run in the activity dock while there is one; the GUI's thread only.

    Parameters
    ----------
    automatic : Automatic
    """

    def __init__(self, automatic: Automatic) -> None:
        self._automatic = automatic
        self._bar: _Bar | None = None
        self._changed = 0.0
        automatic.changed.connect(self.sync)

    def sync(self) -> None:
        """Show what there is."""
        automatic = self._automatic
        if automatic.state in ("idle", "painting"):
            self.close()
            return
        if self._bar is None:
            image = automatic.image
            self._bar = _Bar(automatic, "Finding objects" + (f" in {image.name}" if image else ""))
        now = time.monotonic()
        if now - self._changed < PERIOD:
            return
        self._changed = now  # first: napari handles events while the bar changes
        self._bar.show(share_done(automatic))

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


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
