from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.errors import InputError
from napari_sam.images.tiles import TileGrid, TileIndex, Window, window_to_fit

samplings = st.integers(-3, 4).map(lambda power: 2.0**power)
lengths = st.integers(1, 20_000)


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    sampling = draw(samplings)
    limit = max(1, int(8_000 * sampling))  # a few tiles along each axis at any sampling
    shape = (draw(st.integers(1, limit)), draw(st.integers(1, limit)))
    return TileGrid.for_cells(shape, sampling, size=1024, cell=16)


@st.composite
def grids_and_points(draw: st.DrawFn) -> tuple[TileGrid, tuple[float, float]]:
    grid = draw(grids())
    y, x = (draw(st.floats(-0.5, n - 0.5, exclude_max=True)) for n in grid.plane_shape)
    return grid, (y, x)


def test_a_tile_of_64_cells_has_a_core_of_48_and_a_halo_of_8_on_each_side() -> None:
    grid = TileGrid.for_cells((5000, 5000), 1.0, size=1024, cell=16)
    assert (grid.size, grid.step, grid.halo) == (64 * 16, 48 * 16, 8 * 16)


@pytest.mark.parametrize(("length", "count"), [(1, 1), (1024, 1), (1025, 2), (1792, 2), (1793, 3)])
def test_a_plane_has_as_few_tiles_as_cover_it(length: int, count: int) -> None:
    assert TileGrid.for_cells((length, 8), 1.0, size=1024, cell=16).shape == (count, 1)


@given(grids())
def test_cores_partition_the_plane(grid: TileGrid) -> None:
    rows, columns = grid.shape
    cores = {tile: grid.core(tile) for tile in grid}
    assert cores[(0, 0)][:2] == (-0.5, -0.5)
    last = cores[(rows - 1, columns - 1)]
    assert last[2:] == (grid.plane_shape[0] - 0.5, grid.plane_shape[1] - 0.5)
    for (row, column), (y0, x0, y1, x1) in cores.items():
        assert y0 < y1
        assert x0 < x1
        if row + 1 < rows:
            assert cores[(row + 1, column)][0] == y1
        if column + 1 < columns:
            assert cores[(row, column + 1)][1] == x1


@given(grids_and_points())
def test_a_point_belongs_to_the_tile_whose_core_holds_it(
    case: tuple[TileGrid, tuple[float, float]],
) -> None:
    grid, (y, x) = case
    y0, x0, y1, x1 = grid.core(grid.tile_at((y, x)))
    assert y0 <= y < y1
    assert x0 <= x < x1


@pytest.mark.parametrize("sampling", [0.25, 1.0, 4.0])
def test_a_core_begins_with_the_edge_of_its_first_pixel(sampling: float) -> None:
    grid = TileGrid((9000, 9000), sampling, size=1024, halo=128)
    start = (grid.step + grid.halo) * sampling - 0.5  # pixel centres are at integers
    assert grid.core(TileIndex(1, 1))[:2] == (start, start)
    assert grid.tile_at((start, start)) == (1, 1)
    assert grid.tile_at((start - 0.01, start)) == (0, 1)
    assert grid.tile_at((start, start - 0.01)) == (1, 0)


@given(grids_and_points(), st.floats(0, 128), st.floats(0, 128))
def test_an_object_up_to_256_model_pixels_lies_in_the_tile_that_owns_its_centre(
    case: tuple[TileGrid, tuple[float, float]], half_height: float, half_width: float
) -> None:
    grid, centre = case
    half = np.array([half_height, half_width]) * grid.sampling
    far = np.array(grid.plane_shape) - 0.5
    corners = np.clip([centre - half, centre + half], -0.5, far)  # an object ends with the plane
    xy = grid.window(grid.tile_at(centre)).to_model(corners)
    assert (xy >= -1e-6).all()
    assert (xy <= grid.size + 1e-6).all()


@given(grids())
def test_every_tile_has_the_same_size_and_sampling_and_shows_some_of_the_plane(
    grid: TileGrid,
) -> None:
    for tile in grid:
        window = grid.window(tile)
        assert (window.size, window.sampling) == (grid.size, (grid.sampling, grid.sampling))
        assert min(window.origin) >= 0
        assert min(window.extent(grid.plane_shape)) >= 1


@given(grids_and_points())
def test_a_window_around_a_point_stays_on_the_plane_and_on_its_pixels(
    case: tuple[TileGrid, tuple[float, float]],
) -> None:
    grid, point = case
    window = grid.window_around(point)
    assert (window.to_model(point) >= 0).all()
    assert (window.to_model(point) <= grid.size).all()
    steps = np.array(window.origin) / grid.sampling
    np.testing.assert_array_equal(steps, np.round(steps))
    for start, length in zip(window.origin, grid.plane_shape, strict=True):
        beyond = start / grid.sampling + grid.size - length / grid.sampling
        assert start == 0 or beyond < 1


@given(grids_and_points(), st.floats(-50, 50))
def test_coordinates_come_back(case: tuple[TileGrid, tuple[float, float]], shift: float) -> None:
    grid, point = case
    window = grid.window(grid.tile_at(point))
    there = window.to_model(np.array(point) + shift)
    np.testing.assert_allclose(window.to_image(there), np.array(point) + shift, atol=1e-6)


def test_the_centre_of_pixel_zero_is_half_a_pixel_from_the_corner() -> None:
    window = Window(origin=(0.0, 8.0), sampling=(0.25, 0.25), size=1024)
    np.testing.assert_allclose(window.to_model((0, 8)), (2.0, 2.0))  # x, y; 4 model pixels a pixel
    np.testing.assert_allclose(window.to_model((-0.5, 7.5)), (0.0, 0.0))


@given(grids_and_points())
def test_tiles_in_a_box_are_those_whose_cores_meet_it(
    case: tuple[TileGrid, tuple[float, float]],
) -> None:
    grid, (y, x) = case
    box = (0.0, 0.0, y, x)
    found = set(grid.tiles_in(box))
    for tile in grid:
        y0, x0, _, _ = grid.core(tile)
        assert (tile in found) == ((y0 <= y and x0 <= x) or tile == (0, 0))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((303, 384), (808, 1024)),
        ((1000, 10), (1024, 10)),
        ((1, 5000), (1, 1024)),
        ((64, 64), (1024, 1024)),
    ],
)
def test_fit_makes_the_long_side_the_side_of_the_window(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    window = window_to_fit(shape, 1024)
    assert window.extent(shape) == expected
    corner = window.to_model((shape[0] - 0.5, shape[1] - 0.5))
    np.testing.assert_allclose(corner, expected[::-1])


def test_a_plane_without_pixels_cannot_be_tiled() -> None:
    with pytest.raises(InputError, match="no pixels"):
        TileGrid((0, 5), 1.0, 1024, 128)


def test_a_halo_that_leaves_no_core_is_refused() -> None:
    with pytest.raises(InputError, match="no core"):
        TileGrid((10, 10), 1.0, 128, 64)
