from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.errors import InputError
from napari_sam.images.axes import Axes
from napari_sam.images.pyramid import Pyramid, agreed_factor
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.images.source import ImageSource


class Counting:
    """An array that knows which of its pixels were read, and how often."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.shape, self.dtype, self.chunks = array, array.shape, array.dtype, chunks
        self.reads = np.zeros(array.shape, int)

    def __getitem__(self, key: Any) -> np.ndarray:
        self.reads[key] += 1
        return self.array[key]

    def box(self) -> tuple[int, int, int, int]:
        rows, columns = np.nonzero(self.reads)
        return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def blob(shape: tuple[int, int], centre: tuple[float, float], sigma: float) -> np.ndarray:
    """Round bright spot, brightest at ``centre`` (pixel centres at integers)."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return 250 * np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * sigma**2))


def mean_blocks(array: np.ndarray, factor: int, keep_rest: bool) -> np.ndarray:
    """Mean of ``factor`` x ``factor`` pixels; a rest at the far edges is kept or dropped."""
    if keep_rest:
        array = np.pad(array, [(0, -n % factor) for n in array.shape], mode="edge")
    height, width = (n // factor for n in array.shape)
    array = array[: height * factor, : width * factor]
    return array.reshape(height, factor, width, factor).mean(axis=(1, 3))


def centroid_at_level(image: ImageSource, level: int, window: Window) -> np.ndarray:
    """Level-0 centroid of what a level shows in a window."""
    image.level_for = lambda sampling: level  # type: ignore[method-assign]
    drawn = image.render(window)[0].astype(float)
    x, y = (
        (drawn.sum(axis=axis) * (np.arange(drawn.shape[1 - axis]) + 0.5)).sum() for axis in (0, 1)
    )
    return window.to_image(np.array([x, y]) / drawn.sum())


@pytest.mark.parametrize("keep_rest", [False, True])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("shape", [(512, 432), (501, 403)])
@pytest.mark.parametrize("centre", [(80.3, 90.9), (420.0, 320.6)])
def test_every_level_of_an_averaged_pyramid_shows_a_thing_at_the_same_place(
    keep_rest: bool, factor: int, shape: tuple[int, int], centre: tuple[float, float]
) -> None:
    levels = [blob(shape, centre, sigma=12.0)]
    for _ in range(3):
        levels.append(mean_blocks(levels[-1], factor, keep_rest))
    image = open_image(levels, limits=(0, 255))
    sampling = float(factor**3)
    window = Window((0.0, 0.0), (sampling, sampling), 64)
    for level in range(4):
        assert image.factors[level] == (factor**level, factor**level)
        error = centroid_at_level(image, level, window) - centre
        assert np.abs(error).max() < 0.1 * sampling  # the requirement is 0.5


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("shape", [(512, 432), (501, 403)])
def test_levels_of_every_nth_pixel_are_aligned_when_their_shift_is_known(
    factor: int, shape: tuple[int, int]
) -> None:
    centre = (430.0, 340.6)
    full = blob(shape, centre, sigma=14.0)
    levels = [full[:: factor**level, :: factor**level] for level in range(4)]
    image = open_image(levels, limits=(0, 255))
    sampling = float(factor**3)
    window = Window((0.0, 0.0), (sampling, sampling), 64)
    off = centroid_at_level(image, 3, window) - centre
    assert np.abs(off).max() > 0.4 * sampling  # taken for an averaged pyramid
    image._pyramid = Pyramid(levels, Axes("YX"), None, [(0.0, 0.0)] * 4)
    for level in range(4):
        error = centroid_at_level(image, level, window) - centre
        assert np.abs(error).max() < 0.1 * sampling


def test_a_level_that_starts_before_the_plane_is_drawn_too() -> None:
    # Pixels of level 1 are the lower right of each 2 x 2.
    full = np.arange(64, dtype=np.uint8).reshape(8, 8)
    pyramid = Pyramid([full, full[1::2, 1::2]], Axes("YX"), None, [(0, 0), (1, 1)])
    image = open_image([full, full[1::2, 1::2]], limits=(0, 255))
    image._pyramid = pyramid
    drawn = image.render(Window((0.0, 0.0), (2.0, 2.0), 8))
    assert drawn.shape == (3, 4, 4)
    np.testing.assert_allclose(drawn[0], mean_blocks(full.astype(float), 2, False), atol=5)
    assert pyramid.to_level(1, (0.0, 0.0)) == (-0.25, -0.25)


@pytest.mark.parametrize(
    ("lengths", "factors"),
    [
        ((1001, 500, 250, 125, 62, 31), (1, 2, 4, 8, 16, 32)),
        ((1001, 501, 251, 126, 63, 32), (1, 2, 4, 8, 16, 32)),
        ((1000, 333, 111, 37), (1, 3, 9, 27)),
        ((900, 600, 400), (1, 1.5, 2.25)),
        ((1000, 250, 62, 3), (1, 4, 16, 16 * 21)),
    ],
)
def test_factors_follow_from_the_sizes_when_nothing_else_says_them(
    lengths: tuple[int, ...], factors: tuple[float, ...]
) -> None:
    levels = [np.zeros((n, 2 * n), np.uint8) for n in lengths]
    assert [factor[0] for factor in open_image(levels).factors] == pytest.approx(factors)


@pytest.mark.parametrize(
    ("scale", "length", "short", "factor"),
    [
        (2.0, 1001, 500, 2.0),
        (2.0003, 100_000, 50_000, 2.0),  # 0.1083 and 0.21663 µm
        (2.002, 1001, 500, 2.002),  # the ratio itself
        (1.5004, 90_000, 60_000, 1.5),
        (2.0, 1000, 512, 2.0),  # padded to whole chunks
        (1.7, 1000, 588, 1.7),
    ],
)
def test_scales_that_were_rounded_are_made_whole(
    scale: float, length: int, short: int, factor: float
) -> None:
    assert agreed_factor(scale, length, short) == pytest.approx(factor, abs=1e-9)


@given(st.integers(1, 3000), st.integers(1, 7), st.booleans(), st.floats(0, 1))
def test_a_place_in_an_averaged_level_is_its_share_of_the_plane(
    length: int, factor: int, up: bool, share: float
) -> None:
    short = max(1, -(-length // factor) if up else length // factor)
    levels = [np.zeros((length, length)), np.zeros((short, short))]
    pyramid = Pyramid(levels, Axes("YX"), [(1, 1), (factor * 1.0002, factor * 0.9999)])
    place = pyramid.to_level(1, (share * length, share * length))
    assert place == pytest.approx((share * length / factor,) * 2, abs=0.01)


@pytest.mark.parametrize("sampling", [1.0, 2.0, 4.0, 8.0])
def test_only_the_pixels_of_a_window_are_read_from_one_level_once(sampling: float) -> None:
    full = np.random.default_rng(0).integers(0, 255, (1024, 1024), dtype=np.uint8)
    levels = [Counting(np.ascontiguousarray(full[::f, ::f])) for f in (1, 2, 4)]
    image = open_image(levels, limits=(0, 255))
    image.render(Window((32 * sampling, 16 * sampling), (sampling, sampling), 64))
    used = {1.0: 0, 2.0: 1, 4.0: 2, 8.0: 2}[sampling]
    for number, level in enumerate(levels):
        if number != used:
            assert not level.reads.any()
    ratio = sampling / (1, 2, 4)[used]
    margin = 2 if ratio == 1 else 3
    y0, x0, y1, x1 = levels[used].box()
    assert levels[used].reads.max() == 1
    assert (y0, x0) == (32 * ratio - margin, 16 * ratio - margin)
    assert (y1, x1) == (96 * ratio + margin, 80 * ratio + margin)


@pytest.mark.parametrize("chunk", [1, 50, 64])
def test_a_tall_window_is_read_in_bands_of_whole_chunks_each_once(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = np.random.default_rng(0).integers(0, 255, (1000, 60), dtype=np.uint8)
    counting = Counting(full, (chunk, 60) if chunk > 1 else None)
    stops: set[int] = set()
    read = Counting.__getitem__

    def noting(self: Counting, key: Any) -> np.ndarray:
        stops.add(key[0].stop)
        return read(self, key)

    monkeypatch.setattr(Counting, "__getitem__", noting)
    whole = open_image(full, limits=(0, 255)).render(Window((16.0, 0.0), (8.0, 8.0), 100))
    monkeypatch.setattr("napari_sam.images.source.BAND_PIXELS", 5000)
    image = open_image(counting, limits=(0, 255))
    drawn = image.render(Window((16.0, 0.0), (8.0, 8.0), 100))
    assert np.abs(drawn.astype(int) - whole).max() <= 1
    assert counting.reads.max() == 1
    assert len(stops) > 5
    assert all(stop % chunk == 0 or stop == 1000 for stop in stops)


@pytest.mark.parametrize("make", [np.asarray, zarr.array], ids=["numpy", "zarr"])
def test_only_the_channels_in_use_are_read(make: Callable[..., Any]) -> None:
    array = np.arange(6 * 16 * 16, dtype=np.uint16).reshape(6, 16, 16)
    kwargs = {"chunks": (1, 16, 16)} if make is zarr.array else {}
    image = open_image(make(array, **kwargs), limits=(0, 2000), axes="CYX", channels=(5, 0, 1))
    np.testing.assert_array_equal(image.read((), 0, (2, 3, 9, 99)), array[[5, 0, 1], 2:9, 3:])


def test_channels_in_chunks_of_their_own_are_left_out_when_not_in_use() -> None:
    array = Counting(np.zeros((6, 16, 16), np.uint8), (1, 16, 16))
    open_image(array, limits=(0, 1), axes="CYX", channels=(5, 0)).read((), 0, (0, 0, 16, 16))
    assert array.reads.any(axis=(1, 2)).tolist() == [True, False, False, False, False, True]


def test_of_a_dask_array_only_the_chunks_that_are_needed_are_made() -> None:
    made = []

    def make(block_info: Any = None) -> np.ndarray:
        made.append(block_info[None]["chunk-location"])
        return np.ones((100, 100), np.uint8)

    array = da.map_blocks(make, chunks=((100,) * 9, (100,) * 9), dtype=np.uint8)
    made.clear()
    image = open_image(array, limits=(0, 255))
    image.render(Window((310.0, 510.0), (1.0, 1.0), 64))
    assert set(made) == {(3, 5)}


def test_a_level_with_fewer_planes_gives_the_plane_nearest_to_the_one_asked_for() -> None:
    full = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None], (10, 64, 64))
    pairs = full.reshape(5, 2, 32, 2, 32, 2).mean(axis=(1, 3, 5))  # 0.5, 2.5, 4.5 ...
    image = open_image([full, pairs], limits=(0, 255))
    assert image.planes == (10,)
    seen = [image.read((z,), 1, (0, 0, 1, 1)).item() for z in range(10)]
    assert np.abs(np.array(seen) - np.arange(10)).max() <= 0.5


def test_of_levels_that_differ_in_z_alone_the_finest_is_drawn() -> None:
    levels = [np.zeros((8, 64, 64), np.uint8), np.zeros((4, 64, 64), np.uint8)]
    assert open_image(levels).level_for((4.0, 4.0)) == 0


@pytest.mark.parametrize(
    "shapes",
    [
        [(64, 64), (64, 64)],
        [(32, 32), (64, 64)],
        [(64, 64), (32, 128)],
        [(8, 64, 64), (32, 32)],
    ],
)
def test_arrays_that_are_no_pyramid_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="finest first"):
        open_image([np.zeros(shape, np.uint8) for shape in shapes])


@pytest.mark.parametrize(
    ("scales", "shifts"),
    [([(1, 1), (1, 1)], None), ([(1, 1), (2, 2)], [(0, 0), (40, 0)]), ([(1, 1), (1, 2)], None)],
)
def test_metadata_that_contradict_the_sizes_are_refused(scales: Any, shifts: Any) -> None:
    levels = [np.zeros((64, 64)), np.zeros((32, 32))]
    with pytest.raises(InputError, match="correct them"):
        Pyramid(levels, Axes("YX"), scales, shifts)


def test_an_array_that_cannot_be_read_says_so() -> None:
    class Broken(Counting):
        def __getitem__(self, key: Any) -> np.ndarray:
            raise OSError("bad sector")

    image = open_image(Broken(np.zeros((8, 8))), limits=(0, 1))
    with pytest.raises(InputError, match=r"could not be read.*bad sector"):
        image.read((), 0, (0, 0, 4, 4))


def test_numbers_in_the_other_byte_order_are_read_as_numbers() -> None:
    array = np.arange(300, dtype=">u2").reshape(15, 20)
    values = open_image(array).read((), 0, (0, 0, 15, 20))
    assert values.dtype.isnative
    np.testing.assert_array_equal(values[0], array)
