from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.errors import InputError
from napari_sam.segmentation.automatic import merge
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.mask_part import MaskParts
from napari_sam.segmentation.automatic.merge import Batch, ResolvedObjects, resolve
from napari_sam.segmentation.automatic.merge_rules import MergeRules, priority
from napari_sam.segmentation.automatic.run_lengths import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

SHAPE = (24, 24)


def found_masks(
    masks: Sequence[tuple[int, int, Mask]],
    scores: Any = None,
    stability: Any = None,
) -> FoundMasks:
    """Rows of masks ``(y, x, mask)``; each was asked by a prompt of its own."""
    n = len(masks)
    rles = np.empty(n, np.object_)
    for row, (_, _, mask) in enumerate(masks):
        rles[row] = encode(mask)
    boxes = [(y, x, y + mask.shape[0], x + mask.shape[1]) for y, x, mask in masks]
    return FoundMasks(
        boxes=np.array(boxes, np.int64).reshape(-1, 4),
        rles=rles,
        scores=np.array(np.ones(n) if scores is None else scores, np.float32),
        stability=np.array(np.ones(n) if stability is None else stability, np.float32),
        areas=np.array([mask.sum() for _, _, mask in masks], np.int64),
        points=np.zeros((n, 2)),
        prompts=np.arange(n),
        tokens=np.ones(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )


def square(y: int, x: int, side: int) -> tuple[int, int, Mask]:
    return y, x, np.ones((side, side), np.bool_)


def in_batches(found: FoundMasks, cuts: Sequence[int]) -> list[Batch]:
    """Rows by the upper side of their boxes, cut at some y."""
    edges = [-1, *sorted(cuts), math.inf]
    tops = found.boxes[:, 0]
    return [
        Batch(found.take((tops >= low) & (tops < high)), high)
        for low, high in itertools.pairwise(edges)
    ]


def resolved(
    found: FoundMasks, rules: MergeRules | None = None, shape: tuple[int, int] = SHAPE
) -> ResolvedObjects:
    batches = [Batch(found, math.inf)]
    return ResolvedObjects.together(list(resolve(batches, rules or MergeRules(), shape)))


def drawn(found: FoundMasks, shape: tuple[int, int] = SHAPE) -> list[Mask]:
    planes = []
    for row, (y0, x0, y1, x1) in enumerate(found.boxes.tolist()):
        plane = np.zeros(shape, np.bool_)
        plane[y0:y1, x0:x1] = MaskParts(found).draw(row, (y0, x0, y1, x1))
        planes.append(plane)
    return planes


def by_the_book(found: FoundMasks, rules: MergeRules) -> list[int]:
    """Prompts of the masks that stay, in the order of their ids: the rule as it is told."""
    planes = drawn(found)
    octave = {"best": 0, "whole": -1, "part": 1}[rules.level]

    def rank(row: int) -> tuple[float, ...]:
        size = octave * math.floor(math.log2(max(1, found.areas[row])))
        return size, -found.scores[row], -found.stability[row], found.prompts[row]

    kept: list[int] = []
    for row in sorted(range(len(found)), key=rank):
        area = planes[row].sum()
        y0, x0, y1, x1 = found.boxes[row].tolist()
        wanted = found.scores[row] >= rules.min_score and area >= max(1, rules.min_area)
        wanted &= found.stability[row] >= rules.min_stability and area <= rules.max_area
        if rules.whole_only:
            wanted &= min(y0, x0) > 0 and y1 < SHAPE[0] and x1 < SHAPE[1]
        for other in kept:
            shared = (planes[row] & planes[other]).sum()
            smaller, all_ = min(area, planes[other].sum()), (planes[row] | planes[other]).sum()
            wanted &= shared < rules.containment * smaller and shared < rules.nms_iou * all_
        if wanted:
            kept.append(row)
    corners = found.boxes[:, :2].tolist()
    return [int(found.prompts[r]) for r in sorted(kept, key=lambda r: (*corners[r], *rank(r)))]


@st.composite
def crowds(draw: st.DrawFn) -> FoundMasks:
    """Masks of all sizes on top of each other, many with the same scores."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = []
    for _ in range(draw(st.integers(0, 25))):
        height, width = (int(n) for n in np.ceil(2 ** rng.uniform(0, math.log2(24), 2)))
        y, x = (int(rng.integers(0, 24 - n + 1)) for n in (height, width))
        masks.append((y, x, rng.random((height, width)) < rng.choice([0.5, 0.9, 1.0])))
    levels = rng.choice([0.5, 0.88, 0.9, 0.95, 1.0], (2, len(masks)))
    return found_masks(masks, *levels)


RULES = st.builds(
    MergeRules,
    min_score=st.sampled_from([0.0, 0.88]),
    min_stability=st.sampled_from([0.0, 0.92]),
    nms_iou=st.sampled_from([0.3, 0.7, 1.0]),
    containment=st.sampled_from([0.2, 0.5, 1.0]),
    min_area=st.sampled_from([0.0, 6.0]),
    max_area=st.sampled_from([math.inf, 100.0]),
    whole_only=st.booleans(),
    level=st.sampled_from(["best", "whole", "part"]),
)


@settings(max_examples=150, deadline=None)
@given(crowds(), RULES, st.lists(st.integers(0, 24), max_size=5), st.integers(0, 2**32 - 1))
def test_streaming_decides_as_if_all_masks_were_known(
    found: FoundMasks, rules: MergeRules, cuts: list[int], seed: int
) -> None:
    shuffled = found.take(np.random.default_rng(seed).permutation(len(found)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "FIRST_ROWS", 2)  # masks are compared in several groups too
        patch.setattr(merge, "MOST_ROWS", 4)
        parts = list(resolve(in_batches(shuffled, cuts), rules, SHAPE))
    objects = ResolvedObjects.together(parts)
    assert objects.found.prompts.tolist() == by_the_book(found, rules)
    assert objects.ids.tolist() == list(range(1, len(objects) + 1))


def test_an_object_found_twice_is_one_object_with_the_better_mask() -> None:
    masks = [square(2, 2, 10), square(2, 3, 10), square(15, 15, 6)]
    objects = resolved(found_masks(masks, scores=[0.9, 0.95, 0.93]))
    assert objects.found.prompts.tolist() == [1, 2]


def test_of_nested_masks_the_asked_level_stays() -> None:
    found = found_masks(
        [square(0, 0, 20), square(4, 4, 10), square(6, 6, 4)], scores=[0.9, 0.96, 0.93]
    )
    stays = {
        level: resolved(found, MergeRules(level=level)).found.prompts.tolist()
        for level in ("best", "whole", "part")
    }
    assert stays == {"best": [1], "whole": [0], "part": [2]}
    assert len(resolved(found, MergeRules(nms_iou=1, containment=1)).ids) == 1
    apart = MergeRules(nms_iou=1, containment=0.2)
    half_over = found_masks([square(0, 0, 10), square(0, 7, 10)])
    assert len(resolved(half_over, apart)) == 1
    assert len(resolved(half_over)) == 2


def test_looser_scores_bring_back_what_was_kept() -> None:
    found = found_masks([square(0, 0, 5), square(10, 10, 5)], scores=[0.95, 0.6])
    assert resolved(found, MergeRules(min_score=0.7)).found.prompts.tolist() == [0]
    assert resolved(found, MergeRules(min_score=0.5)).found.prompts.tolist() == [0, 1]


def test_a_mask_over_everything_waits_and_then_wins_or_goes() -> None:
    small = [square(y, 4, 4) for y in range(2, 20, 6)]
    masks = [square(0, 0, 24), *small]
    for score, expected in ((0.99, [0]), (0.93, [1, 2, 3])):
        found = found_masks(masks, scores=[score, 0.9, 0.95, 0.9])
        parts = list(resolve(in_batches(found, [6, 12, 18]), MergeRules(), SHAPE))
        assert ResolvedObjects.together(parts).found.prompts.tolist() == expected
        if score == 0.99:  # whether it stays is not known before the last batch
            assert [len(part) for part in parts] == [0, 0, 0, 1]


def test_ids_go_on_from_the_first_one() -> None:
    found = found_masks([square(10, 0, 5), square(0, 10, 5), square(0, 0, 5)])
    parts = resolve(in_batches(found, [5]), MergeRules(), SHAPE, first_id=41)
    objects = ResolvedObjects.together(list(parts))
    assert objects.ids.tolist() == [41, 42, 43]
    assert objects.found.prompts.tolist() == [2, 1, 0]


def test_objects_are_given_as_soon_as_nothing_can_come_before_them() -> None:
    found = found_masks([square(0, 0, 5), square(8, 8, 5), square(16, 0, 5)])
    given_ = [len(part) for part in resolve(in_batches(found, [6, 14]), MergeRules(), SHAPE)]
    assert given_ == [1, 1, 1]


def test_an_object_waits_for_an_undecided_one_of_its_row_that_comes_before_it() -> None:
    short, tall = square(5, 15, 3), square(5, 2, 8)  # the second reaches below the frontier
    first = Batch(found_masks([short, tall]), 10.0)
    parts = list(resolve([first, Batch(FoundMasks.empty(), math.inf)], MergeRules(), SHAPE))
    assert [len(part) for part in parts] == [0, 2]
    assert parts[1].ids.tolist() == [1, 2]
    assert parts[1].found.boxes[:, 1].tolist() == [2, 15]


def test_ten_thousand_touching_objects_are_ten_thousand() -> None:
    cells = [(6 * (i // 100), 6 * (i % 100)) for i in range(10_000)]
    rng = np.random.default_rng(0)
    masks = [square(y, x, 6) for y, x in cells] + [square(y, x, 6) for y, x in cells]
    found = found_masks(masks, scores=rng.uniform(0.9, 1, len(masks)))
    found = found.take(rng.permutation(len(found)))
    objects = resolved(found, shape=(600, 600))
    assert objects.found.boxes[:, :2].tolist() == [list(cell) for cell in cells]


def test_copies_of_one_object_that_fills_everything_are_one_object() -> None:
    whole = np.ones((300, 300), np.bool_)
    rle = encode(whole)
    one = found_masks([(0, 0, whole)])
    found = FoundMasks.together([one] * 20_000)
    found.prompts[:] = np.random.default_rng(0).permutation(20_000)
    objects = resolved(found, shape=(300, 300))
    assert objects.found.prompts.tolist() == [0]
    assert objects.found.rles.tolist() == [rle]


@pytest.mark.parametrize("shape", [(50, 1), (1, 50), (1, 1)])
def test_a_plane_one_pixel_wide_has_objects(shape: tuple[int, int]) -> None:
    length = max(shape)
    masks = [(0, 0, np.ones(shape, np.bool_)), (0, 0, np.ones((1, 1), np.bool_))]
    objects = resolved(found_masks(masks, scores=[0.95, 0.9]), shape=shape)
    assert objects.found.areas.tolist() == [length]


def test_nothing_found_is_no_object() -> None:
    assert len(resolved(FoundMasks.empty())) == 0
    assert list(resolve([], MergeRules(), SHAPE)) == []
    assert len(resolved(found_masks([(0, 0, np.zeros((3, 3), np.bool_))]))) == 0


def test_no_two_masks_have_the_same_priority() -> None:
    found = found_masks([square(0, 0, 5)] * 4)
    found.tokens[:] = [2, 1, 1, 1]
    found.prompts[:] = [0, 0, 1, 0]
    found.samplings[:] = [1, 1, 1, 2]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(4)
        assert order[priority(found.take(order), "best")].tolist() == [1, 0, 2, 3]


def test_a_mask_above_the_promised_frontier_is_refused() -> None:
    batches = [Batch(FoundMasks.empty(), 10), Batch(found_masks([square(9, 0, 5)]), math.inf)]
    with pytest.raises(ValueError, match="above the frontier of 10"):
        list(resolve(batches, MergeRules(), SHAPE))


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"min_score": 1.2}, "min_score is 1.2: give a number from 0 to 1"),
        ({"containment": 0}, "containment is 0: give a number above 0, at most 1"),
        ({"nms_iou": math.nan}, "nms_iou is nan: give"),
        ({"min_area": 9, "max_area": 4}, "areas from 9 to 4 pixels leave no object"),
        ({"level": "half"}, "level is 'half': give 'best', 'whole' or 'part'"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        MergeRules(**rules)
