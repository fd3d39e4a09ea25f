"""What a model has done for an image, and what doing it again would cost."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.ui.wording import duration

__all__ = ["Effort"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What has been computed for an image.

    Parameters
    ----------
    tiles : int
        Tiles that a model has looked at and that are kept.
    seconds_per_tile : float or None
        None when it is not known yet.
    """

    tiles: int = 0
    seconds_per_tile: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long it would take to compute all of it again."""
        return None if self.seconds_per_tile is None else self.tiles * self.seconds_per_tile

    @property
    def cost(self) -> str:
        """What it would cost to compute all of it again, in a sentence or two."""
        if not self.tiles:
            return "The model has not looked at this image yet: this costs nothing."
        parts = "1 part" if self.tiles == 1 else f"{self.tiles} parts"
        time = "" if self.seconds is None else f" (about {duration(self.seconds)})"
        return (
            f"The model has looked at {parts} of this image and would look again where you "
            f"work{time}. Your objects stay."
        )
