"""One accepted object: what is known of it beside its pixels."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam.segmentation.mask_grid import Box
    from napari_sam.segmentation.prompt import Prompt

__all__ = ["ObjectRow", "Source", "State", "prompt_values"]

Source = Literal["prompt", "automatic", "painted"]
State = Literal["new", "accepted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object of a label image; a row of the Labels layer's features.

    Attributes
    ----------
    id : int
        Value of its pixels.
    plane : tuple of int
        Plane that it lies in.
    box : tuple of int
        ``(y0, x0, y1, x1)``, level-0 pixels, half-open. Tight; of an object of an automatic run
        the box of its whole mask, of which objects above it may hide a part.
    area : int
        Its pixels.
    score, stability : float or None
        Predicted IoU and stability; None where unknown, as of an object painted by hand.
    source : "prompt", "automatic" or "painted"
        Where it comes from.
    prompt : mapping or None
        What was asked, as JSON has it: ``points`` and ``labels``, ``box``, ``mask``; see
        `prompt_values`.
    model : str
        Name of the model, empty without one.
    state : "new" or "accepted"
        Whether it was looked at in the review.
    """

    id: int
    plane: tuple[int, ...]
    box: Box
    area: int
    score: float | None
    stability: float | None
    source: Source
    prompt: Mapping[str, Any] | None
    model: str
    state: State = "new"

    def to_json(self) -> dict[str, Any]:
        """Give the values as JSON has them."""
        values = asdict(self)
        return {**values, "plane": list(self.plane), "box": list(self.box)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            When these are not its values.
        """
        named = {field.name: values[field.name] for field in fields(cls)}
        y0, x0, y1, x1 = (int(edge) for edge in named["box"])
        return cls(**{**named, "plane": tuple(named["plane"]), "box": (y0, x0, y1, x1)})

    def with_state(self, state: State) -> ObjectRow:
        """Give the same object in another state."""
        return replace(self, state=state)


def prompt_values(prompt: Prompt | None) -> dict[str, Any] | None:
    """Say what was asked, as JSON has it.

    Returns
    -------
    dict or None
        ``points`` (``[[y, x], ...]``) and their ``labels``, ``box`` and ``mask`` (``"candidate"``
        or ``"pixels"``), each only where there is one.
    """
    if prompt is None:
        return None
    values: dict[str, Any] = {}
    if len(prompt.points):
        values["points"] = prompt.points.tolist()
        values["labels"] = prompt.labels.tolist()
    if prompt.box is not None:
        values["box"] = prompt.box.tolist()
    if prompt.mask is not None:
        values["mask"] = "candidate" if hasattr(prompt.mask, "logits") else "pixels"
    return values
