"""Which channels of an image are used, and in which colours they become one RGB picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageColor

from napari_sam.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

Color = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

PRIMARIES: tuple[Color, ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
"""Red, green, blue: the colours of the channels of a picture."""

WHITE: Color = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The channels of an image that are used.

    Parameters
    ----------
    indices : tuple of int
        Positions along the channel axis.
    colors : tuple of (red, green, blue)
        What each becomes at its upper limit.
    """

    indices: tuple[int, ...]
    colors: tuple[Color, ...]


def choose_channels(
    count: int,
    channels: Iterable[int] | None = None,
    colors: Iterable[str] | None = None,
    *,
    file_colors: Sequence[Color] | None = None,
    is_rgb: bool = False,
    name: str = "image",
) -> ChannelChoice:
    """Choose channels and colours from what a user asks for and what a file says.

    Picked channels are red, green and blue in the order in which they were picked (one alone is
    grey), unless colours were given with them. Without a pick a picture keeps its colours; other
    channels are all used, in the given colours, or in the file's, or, up to three, in red, green
    and blue.

    Parameters
    ----------
    count : int
        Channels that there are.
    channels : iterable of int, optional
        Up to three that are wanted; any number of them with ``colors``.
    colors : iterable of str, optional
        Names or hexadecimal colours, one for each channel that is used.
    file_colors : sequence of (red, green, blue), optional
        Ignored when they are not one for each of the ``count`` channels, or all the same.
    is_rgb : bool
        Whether the channels are the colours of one picture, alpha last.
    name : str
        For messages.

    Raises
    ------
    InputError
        When the channels or colours cannot be used, or there are more than three channels and
        nothing says how to show them.
    """
    if channels is None:
        indices = tuple(range(count))
    else:
        indices = _picked(channels, count, most=3 if colors is None else count)
    if colors is not None:
        parsed = tuple(parse_color(color) for color in _as_list(colors))
        if len(parsed) != len(indices):
            raise InputError(
                f"{len(parsed)} color(s) were given for {len(indices)} channel(s) of {name}: give "
                "one for each"
            )
        return ChannelChoice(indices, parsed)
    if channels is None and is_rgb:
        return ChannelChoice(indices[:3], PRIMARIES)
    if len(indices) == 1:
        return ChannelChoice(indices, (WHITE,))
    if channels is None and file_colors and len(file_colors) == count and len(set(file_colors)) > 1:
        return ChannelChoice(indices, tuple(file_colors))
    if len(indices) > 3:
        raise InputError(
            f"{name} has {len(indices)} channels: pick up to three of them, for example "
            "channels=(0, 2), or give a color for each channel, for example "
            f"colors=('blue', 'lime', ...) with {len(indices)} entries"
        )
    return ChannelChoice(indices, PRIMARIES[: len(indices)])


def _picked(channels: Iterable[int], count: int, most: int) -> tuple[int, ...]:
    picked = tuple(int(c) for c in channels)
    if count == 1 and picked != (0,):
        raise InputError(f"channels={picked} were picked, but the image has one channel only")
    if (
        not 1 <= len(picked) <= most
        or len(set(picked)) < len(picked)
        or not all(0 <= channel < count for channel in picked)
    ):
        raise InputError(
            f"channels={picked} cannot be used: pick one to three different numbers from 0 to "
            f"{count - 1}"
        )
    return picked


def _as_list(colors: Iterable[str]) -> list[Any]:
    return [colors] if isinstance(colors, str) else list(colors)


def parse_color(color: Any) -> Color:
    """Parse a colour's name or hexadecimal digits, with or without a number sign.

    Raises
    ------
    InputError
        When it is not a colour.
    """
    text = str(color).strip()
    if text.lower() == "green":  # of the web: half as bright as the green of microscopes
        return PRIMARIES[1]
    for form in (text, f"#{text}"):
        try:
            red, green, blue = ImageColor.getrgb(form)[:3]
        except ValueError:
            continue
        return red, green, blue
    raise InputError(
        f"{color!r} is not a color: give a name such as 'magenta', or six hexadecimal digits such "
        "as '#FF00FF'"
    )


def composite(channels: npt.NDArray[np.uint8], colors: Sequence[Color]) -> npt.NDArray[np.uint8]:
    """Add channels up in their colours, clipped at white.

    Parameters
    ----------
    channels : ndarray of uint8, shape (c, h, w)
        Each under its limits.
    colors : sequence of (red, green, blue)
        One for each channel.

    Returns
    -------
    ndarray of uint8, shape (3, h, w)
    """
    if tuple(colors) == PRIMARIES:
        return channels
    if tuple(colors) == (WHITE,):
        return np.repeat(channels, 3, axis=0)
    rgb = np.zeros((3, *channels.shape[1:]), np.float32)
    for channel, color in zip(channels, colors, strict=True):
        for plane, weight in zip(rgb, color, strict=True):
            if weight:
                plane += channel * np.float32(weight / 255)
    return np.asarray(np.floor(np.minimum(rgb, 255.0) + 0.5), dtype=np.uint8)
