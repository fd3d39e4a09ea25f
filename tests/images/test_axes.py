from __future__ import annotations

import pytest

from napari_sam.errors import InputError
from napari_sam.images.axes import Axes, guess_axes


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((30, 40), "YX"),
        ((30, 40, 3), "YXC"),
        ((30, 40, 4), "YXC"),
        ((5, 30, 40), "ZYX"),
        ((2, 5, 30, 40), "TZYX"),
        ((5, 30, 40, 3), "ZYXC"),
        ((3, 3), "YX"),
        ((7, 2, 2), "ZYX"),
    ],
)
def test_axes_are_guessed_from_the_shape(shape: tuple[int, ...], names: str) -> None:
    assert guess_axes(shape).names == names


@pytest.mark.parametrize("shape", [(), (10,)])
def test_fewer_than_two_axes_are_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least two axes"):
        guess_axes(shape)


@pytest.mark.parametrize("count", [2, 5, 8])
def test_another_number_of_channels_than_3_or_4_is_not_guessed(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} channels.*channels="):
        guess_axes((64, 64, count))


@pytest.mark.parametrize("names", ["ZX", "YYX", "XY"])
def test_axes_that_cannot_be_used_are_refused(names: str) -> None:
    with pytest.raises(InputError, match=names):
        Axes(names)


def test_positions_of_axes() -> None:
    axes = Axes("TCZYX")
    assert (axes.leading, axes.channel, axes.y, axes.x) == ((0, 2), 1, 3, 4)
