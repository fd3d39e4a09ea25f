"""Pictures of an evaluation: can the scores be believed, what does a click bring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_sam.evaluate.chart import COLOURS, Chart, Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from napari_sam.evaluate.calibration import ReliabilityBin

__all__ = ["plot_clicks", "plot_precision", "plot_reliability"]

LARGEST_DOT = 9.0
"""Radius in pixels of the bin with the most answers."""

BLACK, GREY = "#000000", "#999999"


def plot_reliability(bins: Mapping[str, Sequence[ReliabilityBin]]) -> Image.Image:
    """Draw IoU over predicted IoU; scores that can be believed follow the diagonal.

    Parameters
    ----------
    bins : mapping of str to sequence of ReliabilityBin
        By what was asked, such as "click". The area of a dot shows how many answers it stands for.

    Returns
    -------
    PIL.Image.Image
    """
    tenths = [(tenth / 10, f"{tenth / 10:.1f}") for tenth in range(0, 11, 2)]
    chart = Chart("Can the scores be believed?", "predicted IoU", "IoU with the truth", tenths)
    chart.add(Line(name="ideal", points=[(0, 0), (1, 1)], colour=GREY, sizes=[0, 0]))
    for (name, some), colour in zip(bins.items(), COLOURS, strict=False):
        most = max((each.count for each in some), default=1)
        sizes = [LARGEST_DOT * math.sqrt(each.count / most) for each in some]
        points = [(each.score, each.iou) for each in some]
        chart.add(Line(name=name, points=points, colour=colour, sizes=sizes))
    return chart.picture()


def plot_clicks(sources: Mapping[str, Sequence[float]]) -> Image.Image:
    """Draw mean IoU over the number of clicks, by source.

    Parameters
    ----------
    sources : mapping of str to sequence of float
        Mean IoU after 1, 2, ... clicks; two at least, as many for every source.

    Returns
    -------
    PIL.Image.Image
    """
    clicks = len(next(iter(sources.values())))
    ticks = [(float(count), str(count)) for count in range(1, clicks + 1)]
    chart = Chart("What does a click bring?", "clicks", "mean IoU", ticks)
    _add_sources(chart, sources, [value for value, _ in ticks])
    return chart.picture()


def plot_precision(
    sources: Mapping[str, Sequence[float]], thresholds: Sequence[float]
) -> Image.Image:
    """Draw average precision over the IoU at which objects count as found, by source.

    Parameters
    ----------
    sources : mapping of str to sequence of float
        Average precision at each threshold.
    thresholds : sequence of float
        In ascending order, two at least.

    Returns
    -------
    PIL.Image.Image
    """
    ticks = [(value, f"{value:.2f}") for value in thresholds]
    chart = Chart("Which objects were found?", "IoU threshold", "average precision", ticks)
    _add_sources(chart, sources, thresholds)
    return chart.picture()


def _add_sources(chart: Chart, sources: Mapping[str, Sequence[float]], at: Sequence[float]) -> None:
    """Draw a line for every source and their mean; too many to tell apart are all grey."""
    is_few = len(sources) <= len(COLOURS)
    for index, (source, values) in enumerate(sorted(sources.items())):
        name = source if is_few else f"{len(sources)} sources" if index == 0 else ""
        colour = COLOURS[index] if is_few else GREY
        chart.add(Line(name=name, points=list(zip(at, values, strict=True)), colour=colour))
    means = [sum(values) / len(sources) for values in zip(*sources.values(), strict=True)]
    points = list(zip(at, means, strict=True))
    chart.add(Line(name="macro", points=points, colour=BLACK, width=3.0))
