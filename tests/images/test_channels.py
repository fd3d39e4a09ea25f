from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.images.channels import (
    PRIMARIES,
    WHITE,
    choose_channels,
    composite,
    parse_color,
)
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGENTA, CYAN, YELLOW = (255, 0, 255), (0, 255, 255), (255, 255, 0)


@pytest.fixture
def stains() -> np.ndarray:
    """Five channels, each bright in a column of its own."""
    array = np.zeros((5, 8, 10), np.uint8)
    for channel in range(5):
        array[channel, :, 2 * channel] = 200
    return array


def drawn(
    array: np.ndarray, colors: Sequence[str] | None = None, channels: Sequence[int] | None = None
) -> np.ndarray:
    image = open_image(array, limits=(0, 200), axes="CYX", channels=channels, colors=colors)
    return image.render(Window((0.0, 0.0), (1.0, 1.0), 16))


@pytest.mark.parametrize(("count", "colors"), [(1, (WHITE,)), (2, PRIMARIES[:2]), (3, PRIMARIES)])
def test_up_to_three_channels_are_grey_or_red_green_blue(
    count: int, colors: tuple[object, ...]
) -> None:
    choice = choose_channels(count)
    assert (choice.indices, choice.colors) == (tuple(range(count)), colors)


def test_picked_channels_are_red_green_blue_in_the_order_of_picking(stains: np.ndarray) -> None:
    rgb = drawn(stains, channels=(4, 0, 2))
    for plane, channel in zip(rgb, (4, 0, 2), strict=True):
        assert np.flatnonzero(plane.any(axis=0)).tolist() == [2 * channel]


def test_one_picked_channel_is_grey_even_where_the_file_colors_it() -> None:
    choice = choose_channels(3, [1], file_colors=[MAGENTA, CYAN, YELLOW])
    assert (choice.indices, choice.colors) == ((1,), (WHITE,))


def test_picked_channels_are_red_and_green_even_where_the_file_colors_them() -> None:
    choice = choose_channels(3, [2, 1], file_colors=[MAGENTA, CYAN, YELLOW])
    assert choice.colors == PRIMARIES[:2]


def test_any_number_of_channels_is_added_up_in_their_colors(stains: np.ndarray) -> None:
    rgb = drawn(stains, ["red", "#00ff00", "0000FF", "magenta", "cyan"])
    seen = [tuple(int(v) for v in rgb[:, 0, 2 * channel]) for channel in range(5)]
    assert seen == [*PRIMARIES, MAGENTA, CYAN]


def test_colors_go_with_picked_channels(stains: np.ndarray) -> None:
    rgb = drawn(stains, ["cyan", "red", "yellow", "white"], channels=(1, 0, 4, 2))
    seen = [tuple(int(v) for v in rgb[:, 0, 2 * channel]) for channel in range(5)]
    assert seen == [PRIMARIES[0], CYAN, WHITE, (0, 0, 0), YELLOW]


def test_where_colors_add_up_to_more_than_white_they_are_clipped() -> None:
    channels = np.full((3, 1, 2), 200, np.uint8)
    channels[1:, 0, 1] = 0
    rgb = composite(channels, [MAGENTA, (128, 0, 0), CYAN])
    assert rgb[:, 0, 0].tolist() == [255, 200, 255]
    assert rgb[:, 0, 1].tolist() == [200, 0, 200]


def test_each_channel_has_limits_of_its_own() -> None:
    array = np.tile(np.arange(100, dtype=np.uint16), (5, 50, 1))
    array[3] *= 100
    image = open_image(array, axes="CYX", colors=["red", "lime", "blue", "magenta", "cyan"])
    assert image.limits[3][1] == pytest.approx(100 * image.limits[0][1])
    assert len(image.limits) == 5


def test_what_is_shown_is_said() -> None:
    image = open_image(np.zeros((5, 8, 8)), axes="CYX", channels=(3, 1), colors=("red", "green"))
    assert (image.channels, image.colors) == ((3, 1), PRIMARIES[:2])


@pytest.mark.parametrize("count", [4, 5, 40])
def test_more_channels_than_colors_can_show_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} channels.*channels=.*colors="):
        open_image(np.zeros((count, 8, 8)), axes="CYX")


def test_colors_of_a_file_that_are_all_the_same_say_nothing() -> None:
    assert choose_channels(2, file_colors=[WHITE, WHITE]).colors == PRIMARIES[:2]
    with pytest.raises(InputError, match="pick up to three"):
        choose_channels(5, file_colors=[WHITE] * 5)


def test_colors_of_a_file_that_fit_another_number_of_channels_say_nothing() -> None:
    assert choose_channels(2, file_colors=[CYAN, YELLOW, WHITE]).colors == PRIMARIES[:2]


def test_a_picture_stays_itself_whatever_colors_the_file_gives_its_channels() -> None:
    choice = choose_channels(4, file_colors=[CYAN, YELLOW, WHITE, WHITE], is_rgb=True)
    assert (choice.indices, choice.colors) == ((0, 1, 2), PRIMARIES)


@pytest.mark.parametrize("colors", [["red"], ["red"] * 6, "red"])
def test_another_number_of_colors_than_of_channels_is_refused(
    stains: np.ndarray, colors: list[str]
) -> None:
    with pytest.raises(InputError, match=r"1|6 color\(s\).*5 channel"):
        drawn(stains, colors)


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("red", (255, 0, 0)),
        ("green", (0, 255, 0)),
        ("Green", (0, 255, 0)),
        ("#FF8000", (255, 128, 0)),
        ("FF8000", (255, 128, 0)),
        ("ff800080", (255, 128, 0)),
    ],
)
def test_colors_are_names_or_hexadecimal(text: str, color: tuple[int, int, int]) -> None:
    assert parse_color(text) == color


@pytest.mark.parametrize("text", ["", "blu", "#12345", "12", None, 5])
def test_what_is_no_color_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="not a color"):
        parse_color(text)


def test_one_channel_cannot_be_picked_from_where_there_are_none() -> None:
    with pytest.raises(InputError, match="one channel only"):
        open_image(np.zeros((8, 8)), channels=(1,))
    assert open_image(np.zeros((8, 8)), channels=(0,)).n_channels == 1
