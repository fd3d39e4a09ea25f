from __future__ import annotations

import numpy as np
import pytest

from napari_sam.images.hash_noise import bell_noise, hash_grid, make_key, smooth_field, uniform

INDEX = np.arange(400)


def test_bell_noise_has_mean_0_deviation_1_and_no_neighbourhood() -> None:
    noise = bell_noise(make_key(5, 1), INDEX + 100_000, INDEX).astype(np.float64)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    for a, b in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]), (noise, noise.T)):
        off_diagonal = a != b
        assert abs(np.corrcoef(a[off_diagonal], b[off_diagonal])[0, 1]) < 0.02


def test_uniform_numbers_fill_the_open_interval_evenly() -> None:
    numbers = uniform(hash_grid(make_key(0, 0), INDEX, INDEX), 20, 12)
    assert numbers.min() > 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, bins=16, range=(0, 1))[0]
    assert np.abs(counts / counts.mean() - 1).max() < 0.05


def test_hashes_of_positions_and_streams_differ() -> None:
    grids = [hash_grid(make_key(3, stream), INDEX - 200, INDEX) for stream in (0, 1)]
    assert len(np.unique(grids)) == 2 * INDEX.size**2


def test_a_smooth_field_is_no_steeper_than_it_says() -> None:
    positions = np.arange(0, 300, 0.5) + 150_000
    field = smooth_field(make_key(1, 2), positions, positions, 20.0)
    assert np.abs(field).max() <= 1
    assert field.std() > 0.2
    for axis in (0, 1):
        assert np.abs(np.diff(field, axis=axis)).max() <= 0.5 * 3 / 20 + 1e-4
