from __future__ import annotations

import numpy as np
import pytest

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.tiles import Window
from napari_sam.segmentation.candidates import Candidates
from napari_sam.segmentation.prompt import MaskRegion, Prompt


def test_points_are_on_the_object_unless_said_otherwise() -> None:
    prompt = Prompt(points=[(1, 2), (3, 4)])
    np.testing.assert_array_equal(prompt.labels, [1, 1])
    assert not prompt.is_one_point


def test_one_point_alone_is_the_ambiguous_prompt() -> None:
    assert Prompt(points=[(1, 2)]).is_one_point
    assert not Prompt(points=[(1, 2)], box=(0, 0, 5, 5)).is_one_point


def test_values_are_copied_and_cannot_be_changed() -> None:
    points = np.array([[1.0, 2.0]])
    prompt = Prompt(points=points)
    points[:] = 9
    np.testing.assert_array_equal(prompt.points, [[1, 2]])
    with pytest.raises(ValueError, match="read-only"):
        prompt.points[:] = 0


def test_the_extent_holds_what_is_said_to_be_object() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:4, 5:8] = True
    assert Prompt(points=[(5, 6), (90, 90)], labels=[1, 0]).extent() == (5, 6, 5, 6)
    assert Prompt(points=[(5, 6)], box=(7, 1, 9, 8)).extent() == (5, 1, 9, 8)
    assert Prompt(mask=(mask, (10, 20))).extent() == (11.5, 24.5, 13.5, 27.5)


def test_an_empty_candidate_alone_says_where_the_model_looked() -> None:
    window = Window((64.0, 128.0), (2.0, 2.0), 128)
    empty = Candidates(
        np.full((1, 32, 32), -5, np.float32), np.ones(1, np.float32), window, (), (900, 900)
    )
    assert empty[0].box is None
    assert Prompt(mask=empty[0]).extent() == (63.5, 127.5, 319.5, 383.5)


def test_a_mask_alone_starts_at_the_corner_of_the_plane() -> None:
    prompt = Prompt(mask=np.eye(3, dtype=bool))
    assert isinstance(prompt.mask, MaskRegion)
    assert prompt.mask.origin == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "says not which object"),
        ({"points": [(1, 2)], "labels": [0]}, "background point"),
        ({"points": [(1, 2)], "labels": [2]}, "label 2 is not known"),
        ({"points": [(1, 2)], "labels": [0.5]}, "label 0.5"),
        ({"points": [(1, 2)], "labels": [1, 1]}, "2 label"),
        ({"points": [(1, 2, 3)]}, r"\(y, x\)"),
        ({"points": (1, 2)}, r"\(y, x\)"),
        ({"points": [(1, np.nan)]}, "not finite"),
        ({"box": (5, 5, 5, 9)}, "no area"),
        ({"box": (9, 5, 5, 9)}, "no area"),
        ({"box": (1, 2, 3)}, r"\(y0, x0, y1, x1\)"),
        ({"box": (1, 2, np.inf, 4)}, "not finite"),
        ({"mask": np.zeros((4, 4), bool)}, "no pixel"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Prompt(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": "here"}, "not numbers"),
        ({"box": ["a", 1, 2, 3]}, "not numbers"),
        ({"mask": np.ones((4, 4))}, "boolean"),
        ({"mask": np.ones(4, bool)}, "boolean"),
    ],
)
def test_a_prompt_of_another_kind_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputTypeError, match=message):
        Prompt(**arguments)


@pytest.mark.parametrize("point", [(-0.6, 3), (3, -0.6), (10.6, 3), (3, 19.6)])
def test_a_point_outside_the_plane_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"outside the plane of 11 x 20"):
        Prompt(points=[point]).inside((11, 20))


def test_the_outermost_points_of_a_plane_are_inside() -> None:
    Prompt(points=[(-0.5, -0.5), (10.5, 19.5)]).inside((11, 20))


def test_a_box_ends_with_the_plane_and_one_beyond_it_is_refused() -> None:
    inside = Prompt(box=(-5, 3, 40, 8)).inside((11, 20))
    np.testing.assert_array_equal(inside.box, (-0.5, 3, 10.5, 8))
    with pytest.raises(InputError, match="lies outside"):
        Prompt(box=(11, 3, 40, 8)).inside((11, 20))


@pytest.mark.parametrize("origin", [(-1, 0), (8, 0), (0, 17)])
def test_a_mask_beyond_the_plane_is_refused(origin: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="not inside the plane"):
        Prompt(mask=(np.ones((4, 4), bool), origin)).inside((11, 20))
