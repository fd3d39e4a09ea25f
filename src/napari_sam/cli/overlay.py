"""Draw prompts and masks over images, side by side, as one picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.filters import gaussian
from skimage.measure import find_contours

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["COLOURS", "Drawing", "Panel", "draw"]

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))
"""Orange, sky blue, green, purple of Okabe and Ito's palette: told apart by everybody."""

FACTOR = 2  # everything is drawn at twice the size and reduced: smooth lines
HEIGHT = 640  # of a panel's image, in pixels of the picture
MARGIN, TITLE, LEGEND_LINE = 24, 40, 30
PAPER, INK, FAINT = (24, 26, 30), (235, 235, 235), (150, 154, 160)
TINT = 0.22  # share of the colour inside a mask


@dataclass(frozen=True, slots=True)
class Drawing:
    """One prompt and its mask, in coordinates ``(y, x)`` of the image, pixel centres at integers.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        The chosen mask on the whole image.
    text : str
        What the legend says.
    points : sequence of (float, float)
        Points of the prompt.
    box : (float, float, float, float) or None
        Its box ``(y0, x0, y1, x1)``.
    """

    mask: npt.NDArray[np.bool_]
    text: str
    points: Sequence[tuple[float, float]] = ()
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """An image, uint8 ``(h, w)`` or ``(h, w, 3)``, and what is drawn over it."""

    title: str
    image: npt.NDArray[np.uint8]
    drawings: Sequence[Drawing] = field(default_factory=tuple)


def draw(panels: Sequence[Panel]) -> Image.Image:
    """Draw panels side by side, each with a title above and a legend below.

    Every drawing of the picture has its own colour, as far as `COLOURS` goes.
    """
    parts = []
    used = 0
    for panel in panels:
        colours = [COLOURS[(used + i) % len(COLOURS)] for i in range(len(panel.drawings))]
        used += len(colours)
        parts.append(_panel(panel, colours))
    width = sum(part.width for part in parts) + FACTOR * MARGIN * (len(parts) + 1)
    height = max(part.height for part in parts) + FACTOR * 2 * MARGIN
    picture = Image.new("RGB", (width, height), PAPER)
    left = FACTOR * MARGIN
    for part in parts:
        picture.paste(part, (left, FACTOR * MARGIN))
        left += part.width + FACTOR * MARGIN
    return picture.resize((width // FACTOR, height // FACTOR), Image.Resampling.LANCZOS)


def _panel(panel: Panel, colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    rows, columns = panel.image.shape[:2]
    scale = FACTOR * HEIGHT / rows
    image = Image.fromarray(panel.image).convert("RGB")
    image = image.resize((round(columns * scale), round(rows * scale)), Image.Resampling.BICUBIC)
    coloured = list(zip(panel.drawings, colours, strict=True))
    for drawing, colour in sorted(coloured, key=lambda pair: -int(pair[0].mask.sum())):
        _fill(image, drawing.mask, colour)  # a part over its whole
    pen = ImageDraw.Draw(image)
    for drawing, colour in coloured:
        _outline(pen, drawing.mask, colour, scale)
    for drawing, colour in coloured:
        _prompt(pen, drawing, colour, scale)
    return _framed(image, panel, colours)


def _fill(image: Image.Image, mask: npt.NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    cover = Image.fromarray(mask.astype(np.uint8) * round(255 * TINT))
    image.paste(colour, mask=cover.resize(image.size, Image.Resampling.BILINEAR))


def _outline(
    pen: ImageDraw.ImageDraw,
    mask: npt.NDArray[np.bool_],
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    # Less than a pixel of smoothing takes the staircase away and moves no edge.
    padded = gaussian(np.pad(mask, 2).astype(float), 0.8)
    for contour in find_contours(padded, 0.5):
        line = [_at((y - 2, x - 2), scale) for y, x in contour]
        pen.line(line, fill=colour, width=FACTOR * 3, joint="curve")


def _prompt(
    pen: ImageDraw.ImageDraw, drawing: Drawing, colour: tuple[int, int, int], scale: float
) -> None:
    arm = FACTOR * 11
    for point in drawing.points:
        x, y = _at(point, scale)
        # A dark cross under a light one is seen on any image.
        for width, ink in ((FACTOR * 6, (0, 0, 0)), (FACTOR * 3, (255, 255, 255))):
            rim = width // 2 - FACTOR
            pen.line((x - arm - rim, y, x + arm + rim, y), fill=ink, width=width)
            pen.line((x, y - arm - rim, x, y + arm + rim), fill=ink, width=width)
        pen.ellipse((x - arm / 3, y - arm / 3, x + arm / 3, y + arm / 3), fill=colour)
    if drawing.box is not None:
        y0, x0, y1, x1 = drawing.box
        left, top = _at((y0, x0), scale)
        right, bottom = _at((y1, x1), scale)
        _dashed(pen, [(left, top), (right, top), (right, bottom), (left, bottom)], colour)


def _dashed(
    pen: ImageDraw.ImageDraw, corners: Sequence[tuple[float, float]], colour: tuple[int, int, int]
) -> None:
    dash, gap = FACTOR * 6, FACTOR * 4
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = float(np.hypot(x1 - x0, y1 - y0))
        for start in np.arange(0.0, length, dash + gap):
            a, b = start / length, min(start + dash, length) / length
            ends = (x0 + (x1 - x0) * a, y0 + (y1 - y0) * a, x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)
            pen.line(ends, fill=(0, 0, 0), width=FACTOR * 3)
            pen.line(ends, fill=colour, width=FACTOR * 2)


def _framed(
    image: Image.Image, panel: Panel, colours: Sequence[tuple[int, int, int]]
) -> Image.Image:
    height = image.height + FACTOR * (TITLE + LEGEND_LINE * (len(colours) + 1) - 8)
    frame = Image.new("RGB", (image.width, height), PAPER)
    frame.paste(image, (0, FACTOR * TITLE))
    pen = ImageDraw.Draw(frame)
    title, plain = (ImageFont.load_default(size=FACTOR * size) for size in (20, 17))
    rows, columns = panel.image.shape[:2]
    pen.text((0, 0), panel.title, fill=INK, font=title)
    after = pen.textlength(f"{panel.title}  ", font=title)
    pen.text((after, FACTOR * 3), f"{rows} x {columns} px", fill=FAINT, font=plain)
    for number, (drawing, colour) in enumerate(zip(panel.drawings, colours, strict=True)):
        top = FACTOR * (TITLE + LEGEND_LINE * number + 14) + image.height
        side = FACTOR * 14
        pen.rounded_rectangle(
            (0, top + FACTOR * 3, side, top + FACTOR * 3 + side), radius=FACTOR * 3, fill=colour
        )
        pen.text((side + FACTOR * 10, top), drawing.text, fill=INK, font=plain)
    return frame


def _at(point: tuple[float, float], scale: float) -> tuple[float, float]:
    """Image coordinates ``(y, x)`` to the picture's ``(x, y)``."""
    y, x = point
    return (x + 0.5) * scale, (y + 0.5) * scale
