"""Masks measured at the decoder's resolution."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.images.tiles import Window
from napari_sam.segmentation.automatic.grid_masks import GridMask, measure, open_sides
from napari_sam.segmentation.reach import Sides

SIDE = 32


def disc(centre: tuple[float, float], radius: float, slope: float = 1.0) -> np.ndarray:
    """Logits that fall by ``slope`` from one to the next, 0 on a circle around a logit's place."""
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(y - centre[0], x - centre[1])
    return ((radius - distance) * slope).astype(np.float32)


def measured(logits: np.ndarray, shown: tuple[int, int] = (SIDE, SIDE)) -> GridMask:
    mask = measure(logits, shown)
    assert mask is not None
    return mask


@pytest.mark.parametrize("radius", [2.3, 5.0, 5.4, 9.7])
def test_areas_and_extents_are_between_logits(radius: float) -> None:
    mask = measured(disc((15, 16), radius))
    assert mask.area == pytest.approx(np.pi * radius**2, rel=0.05)
    # Logit i covers [i, i + 1), so its centre is at i + 0.5.
    expected = (15.5 - radius, 16.5 - radius, 15.5 + radius, 16.5 + radius)
    assert mask.extent == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("radius", [4.0, 5.0, 5.4, 9.7])
def test_stability_compares_areas_at_two_thresholds(radius: float) -> None:
    mask = measured(disc((15, 16), radius))
    assert mask.stability == pytest.approx(((radius - 1) / (radius + 1)) ** 2, abs=0.02)
    steep = measured(disc((15, 16), radius, slope=20.0))
    assert steep.stability > 0.9 > mask.stability


def test_a_mask_keeps_one_logit_of_room() -> None:
    logits = disc((15, 16), 5, slope=10.0)
    mask = measured(logits)
    assert np.count_nonzero(logits > 0) == np.count_nonzero(mask.logits > 0) == 69
    assert mask.corner == (9, 10)
    np.testing.assert_array_equal(mask.logits, logits[9:22, 10:23])
    assert mask.side == SIDE


def test_in_its_window_a_mask_is_where_it_was() -> None:
    logits = disc((3, 28), 6)
    np.testing.assert_array_equal(measured(logits).in_window() > 0, logits > 0)


def test_an_empty_mask_is_none() -> None:
    assert measure(disc((15, 15), -3), (SIDE, SIDE)) is None
    assert measure(disc((15, 15), -0.5), (SIDE, SIDE)) is None  # above -1 but nowhere above 0


def test_what_lies_beyond_the_plane_does_not_count() -> None:
    logits = disc((15, 16), 8)
    half = measured(logits, (16, SIDE))
    whole = measured(logits)
    assert half.area == pytest.approx(whole.area / 2, rel=0.1)
    assert half.extent[2] == 16.0
    assert measure(disc((25, 16), 5), (10, SIDE)) is None


def test_places_inside_are_held() -> None:
    mask = measured(disc((15, 16), 5))
    places = np.array([(15.5, 16.5), (15.5, 22.5), (12.5, 14.5), (0.0, 0.0), (31.9, 31.9)]) / SIDE
    assert mask.holds(places).tolist() == [True, False, True, False, False]


def test_a_window_is_open_where_the_plane_goes_on() -> None:
    plane = (300, 128)
    assert open_sides(Window((0.0, 0.0), (1.0, 1.0), 128), plane) == Sides(
        False, False, True, False
    )
    assert open_sides(Window((172.0, 0.0), (1.0, 1.0), 128), plane) == Sides(
        True, False, False, False
    )
    assert open_sides(Window((0.0, 0.0), (4.0, 4.0), 128), plane) == Sides(*[False] * 4)


@pytest.mark.parametrize(
    ("centre", "side"),
    [((5, 16), "top"), ((16, 5), "left"), ((26, 16), "bottom"), ((16, 26), "right")],
)
def test_a_mask_is_cut_where_it_comes_near_an_open_side(centre: tuple[int, int], side: str) -> None:
    mask = measured(disc(centre, 5.5))
    closed = Sides(False, False, False, False)
    assert mask.cut_by(closed._replace(**{side: True}))
    assert not mask.cut_by(Sides(True, True, True, True)._replace(**{side: False}))
    assert not measured(disc(centre, 4.0)).cut_by(Sides(True, True, True, True))
