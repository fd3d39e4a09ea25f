from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.limits import check_limits, to_uint8
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(1000, 10, (600, 700)).astype(np.uint16)


def test_given_limits_are_kept() -> None:
    assert open_image(np.zeros((8, 8), np.uint16), limits=(10, 300)).limits == ((10.0, 300.0),)


def test_one_pair_serves_all_channels_and_pairs_serve_each() -> None:
    rgb = np.zeros((16, 16, 3), np.uint8)
    assert open_image(rgb, limits=(0, 200)).limits == ((0.0, 200.0),) * 3
    pairs = [(0, 10), (5, 20), (7, 30)]
    assert open_image(rgb, limits=pairs).limits == ((0, 10), (5, 20), (7, 30))


def test_colour_of_8_bits_is_left_as_it_is() -> None:
    rgb = np.random.default_rng(0).integers(90, 110, (16, 16, 3), dtype=np.uint8)
    assert open_image(rgb).limits == ((0.0, 255.0),) * 3


def test_colour_of_16_bits_keeps_its_hue() -> None:
    rgb = np.random.default_rng(0).integers(0, 60_000, (64, 64, 3), dtype=np.uint16)
    rgb[..., 0] //= 4
    assert len(set(open_image(rgb).limits)) == 1


def test_hot_pixels_do_not_darken_the_image(noise: np.ndarray) -> None:
    clean = open_image(noise).limits[0]
    noise[::50, ::50] = 65_000
    hot = open_image(noise).limits[0]
    assert np.abs(np.subtract(clean, hot)).max() < 2


def test_a_mostly_empty_image_is_stretched_to_its_objects_not_to_its_noise(
    noise: np.ndarray,
) -> None:
    noise[300:315, 200:215] = 5000  # one object of 225 pixels in 420,000
    low, high = open_image(noise).limits[0]
    assert low < 1000
    assert 4000 < high <= 5000


def test_an_image_of_two_values_shows_them_black_and_white() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:2] = True  # too little of it for a percentile
    image = open_image(mask)
    assert image.limits == ((0.0, 1.0),)
    assert set(np.unique(image.render(Window((0.0, 0.0), (1.0, 1.0), 40))[0]).tolist()) == {0, 255}


def test_a_constant_image_has_usable_limits() -> None:
    assert open_image(np.full((40, 40), 7, np.uint8)).limits == ((7.0, 8.0),)


class Recorder:
    """An array that knows what was read of it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.read: list[tuple[slice, slice]] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.read.append(key)
        return self.array[key]


def test_sampled_blocks_lie_whole_on_the_plane_also_in_its_far_corner() -> None:
    values = np.random.default_rng(0).normal(1000, 10, (3001, 2802)).astype(np.uint16)
    values[-20:, -20:] = 9000
    level = Recorder(values)
    open_image([level, values[::10, ::10]])
    assert len(level.read) > 4
    for rows, columns in level.read:
        assert (rows.stop - rows.start, columns.stop - columns.start) == (256, 256)
    assert (slice(2745, 3001), slice(2546, 2802)) in level.read


def test_limits_of_a_large_image_come_from_a_sample_that_finds_its_one_bright_corner() -> None:
    image = np.random.default_rng(0).normal(100, 2, (4000, 4000)).astype(np.uint16)
    image[3900:3990, 50:140] = 900
    pyramid = [image, image[::4, ::4], image[::16, ::16]]
    assert open_image(image).limits[0][1] < 200  # alone, the sample misses it
    assert open_image(pyramid).limits[0][1] > 800


def test_limits_of_a_stack_are_measured_over_its_planes() -> None:
    stack = np.zeros((9, 64, 64), np.float32)
    stack[8] = np.linspace(0, 50, 64)
    assert open_image(stack).limits[0][1] > 45


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((5, 5), "low below high"),
        ((9, 2), "low below high"),
        ((0, np.inf), "finite"),
        ([(0, 1), (0, 2)], "1 channel"),
        ((1, 2, 3), "1 channel"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(limits: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_limits(limits, 1)


def test_limits_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputTypeError, match="not numbers"):
        check_limits("auto", 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_low_becomes_0_and_high_255_in_every_type(dtype: type) -> None:
    values = np.array([[10, 20, 61, 110, 120]], dtype)
    np.testing.assert_array_equal(to_uint8(values, (10.0, 110.0)), [[0, 26, 130, 255, 255]])


def test_bytes_under_full_limits_are_not_touched() -> None:
    values = np.arange(256, dtype=np.uint8)[None]
    assert to_uint8(values, (0.0, 255.0)) is values


class Noting:
    """An array in chunks that notes the shapes of what is read of it."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.shape, self.dtype, self.chunks = array, array.shape, array.dtype, chunks
        self.read: list[tuple[int, ...]] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        part = self.array[key]
        self.read.append(part.shape)
        return part


def test_measuring_reads_as_much_of_a_huge_image_as_of_a_large_one() -> None:
    row = np.tile(np.arange(100, dtype=np.uint8), 1000)
    huge = Noting(np.broadcast_to(row, (100_000, 100_000)))
    open_image(huge)
    assert len(huge.read) <= 32
    assert set(huge.read) == {(256, 256)}


def test_a_coarsest_level_that_is_itself_huge_is_not_read() -> None:
    levels = [Noting(np.broadcast_to(np.uint8(3), (n, n))) for n in (40_000, 20_000)]
    open_image(levels)
    assert levels[0].read
    assert not levels[1].read


def test_of_large_chunks_few_are_read_and_more_of_each() -> None:
    image = Noting(np.broadcast_to(np.uint8(3), (100_000, 100_000)), (8192, 8192))
    open_image(image)
    assert image.read == [(512, 512)] * 4


def test_limits_do_not_depend_on_how_an_image_is_kept(noise: np.ndarray) -> None:
    chunked = Noting(noise, (64, 64))
    assert open_image(chunked).limits == open_image(noise).limits


def test_nan_in_the_sample_is_refused() -> None:
    values = np.ones((64, 64), np.float32)
    values[3, 3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        open_image(Noting(values))
