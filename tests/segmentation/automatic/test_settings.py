"""Settings of automatic segmentation."""

from __future__ import annotations

import pytest

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic.settings import AutomaticSettings


def test_without_a_diameter_there_are_the_papers_32_points_along_a_side() -> None:
    assert AutomaticSettings().spacing(1.0, 1024, None) == 32.0


def test_three_points_lie_across_an_object_of_the_diameter() -> None:
    assert AutomaticSettings().spacing(1.0, 1024, 120.0) == 40.0
    assert AutomaticSettings().spacing(2.0, 1024, 240.0) == 40.0


def test_points_are_neither_very_many_nor_very_few_whatever_the_diameter() -> None:
    assert AutomaticSettings().spacing(1.0, 1024, 3.0) == 16.0
    assert AutomaticSettings().spacing(1.0, 1024, 5000.0) == 128.0


def test_a_number_of_points_goes_before_the_diameter() -> None:
    assert AutomaticSettings(points_per_side=16).spacing(1.0, 1024, 120.0) == 64.0


def test_regions_of_less_than_100_model_pixels_go_unless_an_area_is_given() -> None:
    assert AutomaticSettings().least_region(2.0) == 400.0
    assert AutomaticSettings(region_area=30.0).least_region(2.0) == 30.0
    assert AutomaticSettings(region_area=0.0).least_region(2.0) == 0.0


def test_objects_are_at_least_a_third_of_the_diameter_wide_unless_an_area_is_given() -> None:
    disc_of_10 = 78.54
    assert AutomaticSettings().least_area(30.0) == pytest.approx(disc_of_10, abs=0.01)
    assert AutomaticSettings().least_area(None) == 0
    assert AutomaticSettings(min_area=5.0).least_area(30.0) == 5
    assert AutomaticSettings(min_area=0.0).least_area(30.0) == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"min_score": 1.5}, "min_score is 1.5: give a number from 0 to 1"),
        ({"min_score": float("nan")}, "min_score is nan: give a finite number"),
        ({"max_share": -0.1}, "max_share is -0.1: give a number from 0 to 1"),
        ({"points_per_side": 0}, "points_per_side is 0: give a whole number, 1 or more"),
        ({"points_per_side": 2.5}, "points_per_side is 2.5: give a whole number"),
        ({"min_area": -1}, "min_area is -1: give level-0 pixels, 0 or more"),
        ({"region_area": -1}, "region_area is -1: give level-0 pixels, 0 or more"),
        ({"min_score": 0.3}, "keep_score is 0.5, more than min_score .0.3.*: lower it"),
        ({"keep_stability": 0.95}, "keep_stability is 0.95, more than min_stability"),
    ],
)
def test_a_number_out_of_its_range_is_refused(given: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        AutomaticSettings(**given)  # type: ignore[arg-type]


def test_a_word_for_a_number_is_refused() -> None:
    with pytest.raises(InputTypeError, match="min_score is 'high': give a number"):
        AutomaticSettings(min_score="high")  # type: ignore[arg-type]
