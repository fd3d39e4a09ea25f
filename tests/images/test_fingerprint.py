from __future__ import annotations

import dask.array as da
import numpy as np

from napari_sam.images.fingerprint import fingerprint
from napari_sam.images.source import open_image

LIMITS = (0, 255)


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def test_the_same_pixels_have_the_same_fingerprint_whatever_holds_them() -> None:
    array = image(300, 400)
    again = fingerprint(open_image(da.asarray(array), limits=LIMITS))
    assert fingerprint(open_image(array, limits=LIMITS)) == again


def test_one_pixel_of_a_small_image_changes_it() -> None:
    array = image(300, 400)
    before = fingerprint(open_image(array, limits=LIMITS))
    array[123, 234] ^= 1
    assert fingerprint(open_image(array, limits=LIMITS)) != before


def test_type_and_axes_count() -> None:
    array = image(16, 30, 3)
    one = fingerprint(open_image(array, limits=LIMITS, axes="ZYX"))
    assert fingerprint(open_image(array, limits=LIMITS, axes="YXC")) != one
    assert fingerprint(open_image(array.astype(np.uint16), limits=LIMITS, axes="ZYX")) != one
    same_bytes = array.view(np.int8)
    assert fingerprint(open_image(same_bytes, limits=LIMITS, axes="ZYX")) != one


def test_a_change_anywhere_in_a_pyramid_shows_in_its_coarsest_level() -> None:
    array = image(3000, 3000)
    coarse = array.reshape(300, 10, 300, 10).mean(axis=(1, 3)).astype(np.uint8)
    before = fingerprint(open_image([array, coarse], limits=LIMITS))
    coarse[7, 250] += 1
    assert fingerprint(open_image([array, coarse], limits=LIMITS)) != before


def test_a_large_image_is_sampled_not_read() -> None:
    read = []

    class Counting:
        shape, dtype = (50_000, 50_000), np.dtype(np.uint8)

        def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
            shape = tuple(part.stop - part.start for part in key)
            read.append(shape[0] * shape[1])
            return np.zeros(shape, np.uint8)

    fingerprint(open_image(Counting(), limits=LIMITS))
    assert 0 < sum(read) < 100_000


def test_the_first_and_the_last_plane_count() -> None:
    array = image(9, 40, 50)
    before = fingerprint(open_image(array, limits=LIMITS))
    array[8, 0, 0] ^= 1
    assert fingerprint(open_image(array, limits=LIMITS)) != before
