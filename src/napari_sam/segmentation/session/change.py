"""What one step of a session did: what a viewer must draw again, and what it can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_sam.segmentation.mask_grid import Box

__all__ = ["Change", "Kind", "StepKind"]

StepKind = Literal["accept", "refine", "delete", "merge", "painted", "automatic", "review"]
Kind = Literal[StepKind, "undo", "redo"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Change:
    """What one step, or one block of a long one, did.

    Attributes
    ----------
    kind : str
        "accept", "refine", "delete", "merge", "painted", "automatic", "review", "undo" or "redo".
    of : str or None
        Kind of the step that was undone or redone; None of the others.
    ids : tuple of int
        Objects whose pixels or rows changed. Those that are in the annotator's rows now are new
        or different, the others are gone.
    plane : tuple of int or None
        Plane that changed; None where several did.
    box : tuple of int or None
        Pixels that changed, ``(y0, x0, y1, x1)``, level 0, half-open; None where none did.
    done, total : int
        Blocks of a long step. The last change of a long step has ``done == total`` and sums up;
        rows change only then. Of a short step both are 1.
    """

    kind: Kind
    ids: tuple[int, ...]
    plane: tuple[int, ...] | None
    box: Box | None
    of: StepKind | None = None
    done: int = 1
    total: int = 1
