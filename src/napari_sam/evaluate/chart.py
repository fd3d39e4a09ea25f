"""A line chart as a picture, drawn with Pillow: reports need no plotting library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COLOURS", "Chart", "Line"]

COLOURS = (
    # Okabe and Ito's, which colour-blind people tell apart too
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#8c564b", "#7f7f7f", "#9467bd", "#bcbd22"),
)

WIDTH, HEIGHT = 760, 520
LEFT, TOP, RIGHT, BOTTOM = 64, 56, 500, 460
"""Edges of the plotting area; the legend is to the right of it."""

FINER = 2
"""Drawn so many times larger and reduced, for smooth lines."""

FAINT, DARK = "#dddddd", "#222222"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points joined by a line.

    Attributes
    ----------
    name : str
        In the legend; not there when empty.
    points : sequence of (x, y)
    colour : str
    width : float
    sizes : sequence of float, optional
        Radii of dots at the points, in pixels; small ones when not given.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.5
    sizes: Sequence[float] | None = None


class Chart:
    """Axes with a title; the y axis goes from 0 to 1.

    Parameters
    ----------
    title, x_name, y_name : str
    x_ticks : sequence of (value, text)
        From one end of the axis to the other, two at least.
    """

    def __init__(
        self, title: str, x_name: str, y_name: str, x_ticks: Sequence[tuple[float, str]]
    ) -> None:
        self._x0, self._x1 = x_ticks[0][0], x_ticks[-1][0]
        self._image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._legend = 0
        self._text((LEFT, 18), title, size=17, anchor="lm")
        self._text((LEFT, 42), y_name, size=13, anchor="lm")
        self._text(((LEFT + RIGHT) / 2, BOTTOM + 42), x_name, size=13, anchor="mm")
        for tenth in range(0, 11, 2):
            y = self._place(self._x0, tenth / 10)[1]
            self._stroke([(LEFT, y), (RIGHT, y)], FAINT, 1)
            self._text((LEFT - 8, y), f"{tenth / 10:.1f}", size=12, anchor="rm")
        for value, text in x_ticks:
            x = self._place(value, 0)[0]
            self._stroke([(x, TOP), (x, BOTTOM)], FAINT, 1)
            self._text((x, BOTTOM + 14), text, size=12, anchor="mm")
        self._stroke([(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], DARK, 1)

    def add(self, line: Line) -> None:
        """Draw a line and its name; points beyond the axes are drawn at their ends."""
        places = [self._place(x, y) for x, y in line.points]
        self._stroke(places, line.colour, line.width)
        for (x, y), radius in zip(places, line.sizes or [3.0] * len(places), strict=True):
            box = [(x - radius) * FINER, (y - radius) * FINER]
            box += [(x + radius) * FINER, (y + radius) * FINER]
            self._draw.ellipse(box, fill=line.colour)
        if not line.name:
            return
        y = TOP + 10 + 22 * self._legend
        self._legend += 1
        self._stroke([(RIGHT + 20, y), (RIGHT + 44, y)], line.colour, line.width)
        self._text((RIGHT + 52, y), line.name, size=13, anchor="lm")

    def picture(self) -> Image.Image:
        """Return the chart at its final size."""
        return self._image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        along = (min(max(x, self._x0), self._x1) - self._x0) / (self._x1 - self._x0)
        return LEFT + along * (RIGHT - LEFT), BOTTOM - min(max(y, 0.0), 1.0) * (BOTTOM - TOP)

    def _stroke(self, places: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        points = [(x * FINER, y * FINER) for x, y in places]
        self._draw.line(points, fill=colour, width=round(width * FINER), joint="curve")

    def _text(self, place: tuple[float, float], text: str, *, size: int, anchor: str) -> None:
        font = ImageFont.load_default(size * FINER)
        at = place[0] * FINER, place[1] * FINER
        self._draw.text(at, text, fill=DARK, font=font, anchor=anchor)
