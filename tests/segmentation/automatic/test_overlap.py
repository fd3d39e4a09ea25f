from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.segmentation.automatic import mask_part
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.mask_part import MaskParts
from napari_sam.segmentation.automatic.overlap import box_pairs
from napari_sam.segmentation.automatic.run_lengths import encode


@st.composite
def boxes(draw: st.DrawFn) -> npt.NDArray[np.int64]:
    """Boxes of all sizes, from one pixel to the whole plane."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(0, 30))
    corners = rng.integers(0, 300, (n, 2))
    sides = np.ceil(2 ** rng.uniform(0, 9, (n, 2))).astype(np.int64)
    return np.concatenate([corners, corners + sides], axis=1)


def meet(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> bool:
    return bool((a[:2] < b[2:]).all() and (b[:2] < a[2:]).all())


@settings(max_examples=100, deadline=None)
@given(boxes())
def test_pairs_are_all_boxes_that_share_a_pixel_each_once(boxes: npt.NDArray[np.int64]) -> None:
    rows = np.arange(len(boxes))
    expected = [
        (a, b) for a, b in itertools.combinations(rows.tolist(), 2) if meet(boxes[a], boxes[b])
    ]
    found = list(zip(*(side.tolist() for side in box_pairs(boxes, rows)), strict=True))
    assert sorted(found) == expected


@settings(max_examples=100, deadline=None)
@given(boxes(), st.integers(0, 30))
def test_pairs_between_two_groups_have_one_of_either(
    boxes: npt.NDArray[np.int64], size: int
) -> None:
    some, others = np.arange(len(boxes))[:size], np.arange(len(boxes))[size:]
    expected = [(a, b) for a in some.tolist() for b in others.tolist() if meet(boxes[a], boxes[b])]
    found = list(zip(*(side.tolist() for side in box_pairs(boxes, some, others)), strict=True))
    assert sorted(found) == expected


def one_mask(mask: npt.NDArray[np.bool_], corner: tuple[int, int]) -> FoundMasks:
    rles = np.empty(1, np.object_)
    rles[0] = encode(mask)
    (y, x), (height, width) = corner, mask.shape
    values: dict[str, Any] = dict.fromkeys(("scores", "stability"), np.ones(1, np.float32))
    return FoundMasks(
        boxes=np.array([[y, x, y + height, x + width]]),
        rles=rles,
        areas=np.array([mask.sum()]),
        points=np.zeros((1, 2)),
        prompts=np.zeros(1, np.int64),
        tokens=np.zeros(1, np.uint8),
        samplings=np.ones(1),
        tiles=np.zeros((1, 2), np.int64),
        **values,
    )


@pytest.mark.parametrize("small", [0, 10**6])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_part_of_a_mask_is_drawn_as_in_the_whole(small: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 12, 2)) < density
    found = one_mask(mask, (100, 200))
    y0, x0 = (int(rng.integers(0, n)) for n in mask.shape)
    y1, x1 = int(rng.integers(y0, mask.shape[0])) + 1, int(rng.integers(x0, mask.shape[1])) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mask_part, "SMALL", small)
        part = MaskParts(found).draw(0, (100 + y0, 200 + x0, 100 + y1, 200 + x1))
    np.testing.assert_array_equal(part, mask[y0:y1, x0:x1])


def test_masks_that_were_looked_at_are_forgotten_when_they_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mask_part, "MEMORY", 250)
    found = FoundMasks.together([one_mask(np.ones((10, 10), np.bool_), (0, 0))] * 5)
    masks = MaskParts(found)
    for row in (0, 1, 2, 3, 4, 0):
        assert masks.draw(row, (0, 0, 10, 10)).all()
        assert sum(mask.nbytes for mask in masks._read.values()) <= 250
    assert list(masks._read) == [4, 0]
