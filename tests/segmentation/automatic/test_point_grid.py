"""Grid points of a plane and of its tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.images.tiles import TileGrid, TileIndex
from napari_sam.segmentation.automatic.point_grid import tile_points, window_points

SIZE, HALO = 128, 16


def test_a_window_has_as_many_points_along_either_side() -> None:
    points = window_points((10, 20), 2)
    # Middles of the quarters, pixel centres at integers.
    np.testing.assert_allclose(points, [(2, 4.5), (2, 14.5), (7, 4.5), (7, 14.5)])


@settings(deadline=None, max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    sampling=st.sampled_from([0.5, 1.0, 2.0]),
    spacing=st.floats(5.0, 40.0),
)
def test_every_point_of_a_plane_belongs_to_the_one_tile_whose_core_holds_it(
    shape: tuple[int, int], sampling: float, spacing: float
) -> None:
    grid = TileGrid(shape, sampling, SIZE, HALO)
    by_tile = {tile: tile_points(grid, tile, spacing) for tile in grid}
    for tile, points in by_tile.items():
        assert all(grid.tile_at((y, x)) == tile for y, x in points)
    points = np.concatenate(list(by_tile.values()))
    rows, columns = (np.unique(along) for along in points.T)
    assert len(points) == len(np.unique(points, axis=0)) == len(rows) * len(columns)
    for along, length in ((rows, shape[0]), (columns, shape[1])):
        assert len(along) == max(1, round(length / (spacing * sampling)))
        np.testing.assert_allclose(along + along[::-1], length - 1)  # as much room at either end
        if len(along) > 1:
            np.testing.assert_allclose(np.diff(along), length / len(along))


def test_a_point_on_the_line_between_two_cores_belongs_to_the_later_one() -> None:
    grid = TileGrid((256, 256), 1.0, SIZE, HALO)
    line = SIZE - HALO - 0.5
    points = {tile: tile_points(grid, tile, 32.0) for tile in grid}
    assert grid.core(TileIndex(1, 1))[:2] == (line, line)
    assert (line, line) in map(tuple, points[TileIndex(1, 1)])
    assert not (points[TileIndex(0, 0)] == line).any()
    assert sum(map(len, points.values())) == 8 * 8


def test_a_plane_of_one_pixel_has_one_point() -> None:
    grid = TileGrid((1, 1), 1.0, SIZE, HALO)
    np.testing.assert_array_equal(tile_points(grid, next(iter(grid)), 32.0), [(0, 0)])


def test_the_points_do_not_depend_on_how_a_plane_is_tiled() -> None:
    plane = (500, 300)
    tiled, whole = TileGrid(plane, 1.0, SIZE, HALO), TileGrid(plane, 1.0, 512, 64)
    assert len(tiled) > len(whole) == 1
    parts = np.concatenate([tile_points(tiled, tile, 20.0) for tile in tiled])
    together = tile_points(whole, next(iter(whole)), 20.0)
    assert {tuple(point) for point in parts} == {tuple(point) for point in together}


@pytest.mark.parametrize("per_side", [1, 32])
def test_the_points_of_a_window_lie_in_the_plane(per_side: int) -> None:
    points = window_points((7, 300), per_side)
    assert len(points) == per_side**2
    assert (points > -0.5).all()
    assert (points < (6.5, 299.5)).all()
