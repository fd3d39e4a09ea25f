from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.errors import InputError, InputTypeError
from napari_sam.model.config import VARIANTS
from napari_sam.segmentation.prompt import Prompt
from napari_sam.segmentation.sampling import (
    check_sampling,
    choose_sampling,
    diameter_sampling,
    fitting_sampling,
    window_for,
)

CONFIG = VARIANTS["vit_b"]


@pytest.mark.parametrize("value", [1, 2.0, np.float32(0.25), np.int64(8), "fit"])
def test_powers_of_two_and_fit_are_samplings(value: object) -> None:
    assert check_sampling(value) == value


@pytest.mark.parametrize("value", [0, -1, 3, 0.3, np.nan, np.inf])
def test_other_numbers_are_no_samplings(value: float) -> None:
    with pytest.raises(InputError, match="power of two"):
        check_sampling(value)


@pytest.mark.parametrize("value", ["full", None, [1]])
def test_other_things_are_no_samplings(value: object) -> None:
    with pytest.raises(InputTypeError, match="not a number"):
        check_sampling(value)


@pytest.mark.parametrize(
    ("length", "sampling"), [(64, 1 / 16), (256, 0.25), (257, 0.5), (1024, 1), (5000, 1)]
)
def test_without_more_to_go_by_a_plane_fits_one_tile_or_is_seen_as_it_is(
    length: int, sampling: float
) -> None:
    assert fitting_sampling((10, length), 1024) == sampling


@given(st.floats(1, 50_000))
def test_an_object_of_the_given_diameter_is_a_sixteenth_to_a_quarter_of_a_tile(
    diameter: float,
) -> None:
    assert 1024 / 16 <= diameter / diameter_sampling(diameter, 1024) <= 1024 / 4


@given(st.floats(2, 20_000), st.floats(0.1, 1.0), st.integers(1, 100_000))
def test_a_box_is_seen_a_sixteenth_to_a_quarter_of_a_tile_wide(
    side: float, ratio: float, length: int
) -> None:
    prompt = Prompt(box=(0, 0, side, side * ratio))
    sampling = choose_sampling(prompt, 1024, fitting_sampling((length, length), 1024))
    assert 1024 / 16 <= side / sampling <= 1024 / 4


def test_a_box_that_is_seen_well_does_not_ask_for_another_embedding() -> None:
    shape = (1000, 1000)
    usual = fitting_sampling(shape, 1024)
    assert choose_sampling(Prompt(box=(0, 0, 100, 200)), 1024, usual) == usual


def test_a_click_says_nothing_about_size() -> None:
    assert choose_sampling(Prompt(points=[(5, 5)]), 1024, 0.25) == 0.25


def test_points_far_apart_are_seen_together() -> None:
    assert choose_sampling(Prompt(points=[(0, 0), (0, 3000)]), 1024, 1.0) == 8


@st.composite
def prompts(draw: st.DrawFn) -> tuple[Prompt, tuple[int, int]]:
    shape = (draw(st.integers(1, 30_000)), draw(st.integers(1, 30_000)))
    corners = [[draw(st.floats(-0.5, n - 0.5)) for n in shape] for _ in range(2)]
    low, high = np.minimum(*corners), np.maximum(*corners)
    if draw(st.booleans()) or (low >= high).any():
        return Prompt(points=corners), shape
    return Prompt(box=(*low, *high)), shape


@given(prompts(), st.integers(-2, 5).map(lambda power: 2.0**power))
def test_a_prompt_lies_in_the_window_that_answers_it(
    case: tuple[Prompt, tuple[int, int]], sampling: float
) -> None:
    prompt, shape = case
    window = window_for(prompt, shape, sampling, CONFIG)
    xy = window.to_model(np.reshape(prompt.extent(), (2, 2)))
    assert (xy >= 0).all()
    assert (xy <= 1024).all()
    assert window.sampling[0] >= sampling
