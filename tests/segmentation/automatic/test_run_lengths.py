from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from napari_sam.segmentation.automatic.run_lengths import (
    crop,
    decode,
    embed,
    encode,
    lengths_of,
    polygon_lengths,
    to_rle,
)

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


SHAPES = [(1, 1), (1, 9), (9, 1), (7, 5), (40, 33)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_comes_back_from_what_pycocotools_reads_too(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(shape[0])
    for share in (0.0, 0.1, 0.5, 1.0):
        mask = random.random(shape) < share
        rle = encode(mask)
        np.testing.assert_array_equal(decode(rle, shape), mask)
        assert coco.area({"size": list(shape), "counts": rle}) == mask.sum()


@settings(deadline=None)
@given(masks)
def test_lengths_are_read_and_written_as_pycocotools_does(mask: np.ndarray) -> None:
    lengths = lengths_of(encode(mask))
    flat = np.repeat(np.arange(len(lengths)) % 2, lengths)
    np.testing.assert_array_equal(flat.reshape(mask.shape, order="F"), mask)
    assert to_rle(lengths, mask.shape) == encode(mask)


def test_long_and_shrinking_runs_are_read() -> None:
    mask = np.zeros((3000, 900), bool)
    mask[100:2900, 20:800] = True
    mask[1500, ::7] = False
    lengths = lengths_of(encode(mask))
    assert lengths.max() > 2**15
    assert to_rle(lengths, mask.shape) == encode(mask)


@settings(deadline=None)
@given(masks, st.tuples(*[st.integers(0, 5)] * 4))
def test_a_mask_in_a_box_becomes_the_same_mask_in_the_plane_and_back(
    mask: np.ndarray, room: tuple[int, int, int, int]
) -> None:
    top, left, bottom, right = room
    plane = np.pad(mask, ((top, bottom), (left, right)))
    box = top, left, top + mask.shape[0], left + mask.shape[1]
    embedded = embed(lengths_of(encode(mask)), box, plane.shape)
    assert to_rle(embedded, plane.shape) == encode(plane)

    cropped = crop(embedded, plane.shape)
    if not mask.any():
        assert cropped is None
        return
    assert cropped is not None
    ys, xs = np.nonzero(plane)
    (y0, x0, y1, x1), lengths = cropped
    assert (y0, x0, y1, x1) == (ys.min(), xs.min(), ys.max() + 1, xs.max() + 1)
    assert to_rle(lengths, (y1 - y0, x1 - x0)) == encode(plane[y0:y1, x0:x1])


def test_the_inside_of_a_polygon_is_covered() -> None:
    lengths = polygon_lengths([[2, 1, 6, 1, 6, 4, 2, 4]], (8, 10))
    expected = np.zeros((8, 10), bool)
    expected[1:4, 2:6] = True
    assert to_rle(lengths, (8, 10)) == encode(expected)
    with pytest.raises(ValueError, match="three corners"):
        polygon_lengths([[2, 1, 6, 1]], (8, 10))


@pytest.mark.parametrize("rle", [b"\x01\x02", b"abc\xff", b"o", b"oooooooooooooo0"])
def test_what_is_no_run_lengths_is_refused(rle: bytes) -> None:
    with pytest.raises(ValueError, match="run length"):
        lengths_of(rle)
