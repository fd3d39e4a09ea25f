"""Which axis of an array is what: planes, channels, y and x."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.errors import InputError

SMALL = 8
"""An axis up to this long at the end of an array looks like channels, not like pixels."""


@dataclass(frozen=True, slots=True)
class Axes:
    """Names of an array's axes, one letter each, for example ``"TZYX"`` or ``"YXC"``.

    Y and X are the plane, C the channels, every other letter leads to planes.
    """

    names: str

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names) or not {"Y", "X"} <= set(names):
            raise InputError(
                f"axes {names!r} cannot be used: every letter may stand once and Y and X must be "
                "there, for example axes='ZYX' or axes='YXC'"
            )
        if names.index("Y") > names.index("X"):
            raise InputError(
                f"axes {names!r} have X before Y: transpose the array so that Y comes first"
            )

    @property
    def channel(self) -> int | None:
        """Position of the channel axis, or None."""
        return self.names.index("C") if "C" in self.names else None

    @property
    def y(self) -> int:
        """Position of the y axis."""
        return self.names.index("Y")

    @property
    def x(self) -> int:
        """Position of the x axis."""
        return self.names.index("X")

    @property
    def channel_in_plane(self) -> int:
        """Position of the channel axis once the leading axes are gone."""
        return [name for name in self.names if name in "CYX"].index("C")

    @property
    def leading(self) -> tuple[int, ...]:
        """Positions of the axes that choose a plane, in order."""
        return tuple(i for i, name in enumerate(self.names) if name not in "CYX")


def guess_axes(shape: tuple[int, ...]) -> Axes:
    """Axes of an array that came without names.

    A last axis of 3 or 4 behind two longer ones is colour, as in napari; everything before
    the last two is planes. Shapes that look like another number of channels are refused, not
    guessed.

    Raises
    ------
    InputError
        When the shape has fewer than two axes, or looks like ``(y, x, channels)`` with a
        number of channels that is not 3 or 4.
    """
    if len(shape) < 2:
        raise InputError(
            f"an array of shape {shape} is not an image: expected at least two axes, (y, x)"
        )
    if len(shape) >= 3 and shape[-1] <= SMALL and min(shape[-3:-1]) > SMALL:
        if shape[-1] not in (3, 4):
            raise InputError(
                f"an array of shape {shape} looks like an image with {shape[-1]} channels; "
                "expected (..., y, x) or (..., y, x, 3 or 4): name the axes (axes='YXC') and pick "
                "up to three channels (channels=(0, 2))"
            )
        return Axes(_leading_names(len(shape) - 3) + "YXC")
    return Axes(_leading_names(len(shape) - 2) + "YX")


def _leading_names(count: int) -> str:
    names = "TZ"[-count:] if 0 < count <= 2 else "ABDEFGHIJK"[:count]
    return names if count else ""
