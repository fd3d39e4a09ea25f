"""Masks as run lengths."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from napari_sam.segmentation.automatic.run_lengths import decode, encode, encode_columns

SHAPES = [(1, 1), (1, 9), (9, 1), (7, 5), (40, 33)]


def masks(shape: tuple[int, int]) -> list[np.ndarray]:
    random = np.random.default_rng(shape[0])
    return [random.random(shape) < share for share in (0.0, 0.1, 0.5, 1.0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_run_lengths_are_those_of_pycocotools(shape: tuple[int, int]) -> None:
    for mask in masks(shape):
        assert encode(mask) == coco.encode(np.asfortranarray(mask, np.uint8))["counts"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_comes_back(shape: tuple[int, int]) -> None:
    for mask in masks(shape):
        np.testing.assert_array_equal(decode(encode(mask), shape), mask)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_blocks_of_columns_give_what_the_whole_gives(width: int) -> None:
    for mask in masks((40, 33)):
        blocks = [mask[:, start : start + width] for start in range(0, 33, width)]
        assert encode_columns(40, blocks) == encode(mask)
