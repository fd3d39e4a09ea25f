"""Plots show what they are given, where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from napari_sam.evaluate import (
    THRESHOLDS,
    ReliabilityBin,
    plot_clicks,
    plot_precision,
    plot_reliability,
)
from napari_sam.evaluate.chart import BOTTOM, COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH


def marks(image: Image.Image, colour: str) -> np.ndarray:
    """Where a colour is in the plotting area, ``(x, y)`` in the units of the axes, 0..1."""
    close = np.abs(np.asarray(image, int) - ImageColor.getrgb(colour)).max(axis=-1) < 40
    y, x = np.nonzero(close[:, :RIGHT])
    return np.stack([(x - LEFT) / (RIGHT - LEFT), (BOTTOM - y) / (BOTTOM - TOP)], axis=1)


def named(image: Image.Image, row: int) -> bool:
    """Whether the legend has an entry in a row."""
    y = TOP + 10 + 22 * row
    entry = np.asarray(image, int)[y - 8 : y + 8, RIGHT + 50 :]
    return bool((entry < 128).any())


def test_bins_are_drawn_where_their_means_are() -> None:
    image = plot_reliability({"click": [ReliabilityBin(5, 0.8, 0.25)]})
    assert image.size == (WIDTH, HEIGHT)
    assert marks(image, COLOURS[0]).mean(axis=0) == pytest.approx((0.8, 0.25), abs=0.01)
    assert not len(marks(image, COLOURS[1]))


def test_many_answers_are_a_large_dot() -> None:
    image = plot_reliability(
        {"click": [ReliabilityBin(100, 0.2, 0.2), ReliabilityBin(25, 0.8, 0.8)]}
    )
    found = marks(image, COLOURS[0])
    large, small = (np.abs(found[:, 0] - x) < 0.03 for x in (0.2, 0.8))
    assert large.sum() > 2 * small.sum() > 0


def test_iou_rises_with_the_clicks() -> None:
    image = plot_clicks({"cells": [0.2, 0.6, 0.9]})
    found = marks(image, COLOURS[0])  # the mean of one source lies on it, thicker only at its dots
    black = marks(image, "#000000")
    for x, iou in ((0.01, 0.2), (0.5, 0.6), (0.99, 0.9)):
        near = black[np.abs(black[:, 0] - x) < 0.01]
        assert np.abs(near[:, 1] - iou).min() < 0.01
    assert len(found) == 0
    assert named(image, 0)
    assert named(image, 1)
    assert not named(image, 2)


def test_each_source_has_its_line_and_its_name() -> None:
    image = plot_precision({"b": [0.9] * 10, "a": [0.3] * 10}, THRESHOLDS)
    for index, height in enumerate((0.3, 0.9)):
        assert marks(image, COLOURS[index])[:, 1].mean() == pytest.approx(height, abs=0.01)
    assert named(image, 2)
    assert not named(image, 3)


def test_too_many_sources_to_tell_apart_are_all_grey() -> None:
    image = plot_precision({f"source {i}": [i / 20] * 10 for i in range(20)}, THRESHOLDS)
    assert not len(marks(image, COLOURS[0]))
    assert len(marks(image, "#999999"))
    assert named(image, 1)
    assert not named(image, 2)
