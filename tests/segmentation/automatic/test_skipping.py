"""The order of grid points, and which of them need not be asked."""

from __future__ import annotations

import numpy as np

from napari_sam.segmentation.automatic.grid_masks import GridMask, measure
from napari_sam.segmentation.automatic.skipping import PointQueue, coarse_to_fine

GRID, SIDE = 8, 32
ROWS, COLUMNS = np.divmod(np.arange(GRID**2), GRID)
PLACES = (np.stack([ROWS, COLUMNS], axis=1) + 0.5) / GRID

SKY, CELL = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)


def mask_of(*numbers: int) -> GridMask:
    """Make a steep mask that holds the cells of some points."""
    logits = np.full((SIDE, SIDE), -9.0, np.float32)
    for number in numbers:
        y, x = np.floor(PLACES[number] * SIDE).astype(int)
        logits[y - 2 : y + 2, x - 2 : x + 2] = 9.0
    mask = measure(logits, (SIDE, SIDE))
    assert mask is not None
    return mask


def asked(looks: np.ndarray | None, objects: dict[int, list[tuple[float, GridMask]]]) -> list[int]:
    """Ask all points one by one, each finding the objects that are given for it."""
    queue = PointQueue(PLACES, looks)
    numbers = []
    while taken := queue.take(1):
        numbers += taken
        queue.learn(taken[0], objects.get(taken[0], []))
    return numbers


def test_points_of_every_fourth_row_and_column_come_first_then_of_every_second() -> None:
    order = coarse_to_fine((ROWS, COLUMNS))
    assert sorted(order) == list(range(GRID**2))
    steps = np.gcd(np.gcd(ROWS[order], COLUMNS[order]), 4)
    assert steps.tolist() == [4] * 4 + [2] * 12 + [1] * 48
    diagonal = (ROWS[order[16:40]] + COLUMNS[order[16:40]]) % 2
    assert not diagonal[:16].any()  # the middles between four that were asked


def test_without_looks_every_point_is_asked() -> None:
    everywhere = {number: [(0.9, mask_of(*range(GRID**2)))] for number in range(GRID**2)}
    assert sorted(asked(None, everywhere)) == list(range(GRID**2))


def test_a_point_that_looks_like_one_that_found_nothing_is_not_asked() -> None:
    looks = np.tile(SKY, (GRID**2, 1))
    looks[20] = CELL
    numbers = asked(looks, {})
    assert 20 in numbers
    assert len(numbers) < 8  # no point is near to all


def test_a_point_is_not_compared_with_those_far_away() -> None:
    places = np.stack([np.zeros(30), np.arange(30) / 30], axis=1)
    queue = PointQueue(places, np.tile(SKY, (30, 1)))
    numbers = []
    while taken := queue.take(1):
        numbers += taken
        queue.learn(taken[0], [])
    assert numbers == [0, 8, 16, 24, 29]


def test_a_point_in_the_object_of_one_that_looks_like_it_is_not_asked() -> None:
    looks = np.tile(CELL, (GRID**2, 1))
    whole = range(GRID**2)
    left = [number for number in whole if COLUMNS[number] < 4]
    right = [number for number in whole if COLUMNS[number] >= 4]
    objects = {n: [(0.9, mask_of(*(left if n in left else right)))] for n in whole}
    numbers = asked(looks, objects)
    assert numbers[0] in left
    assert sum(number in right for number in numbers) >= 1
    assert len(numbers) < GRID**2 / 2


def test_each_of_many_small_objects_that_look_the_same_is_asked() -> None:
    looks = np.tile(CELL, (GRID**2, 1))
    own = {number: [(0.9, mask_of(number))] for number in range(GRID**2)}
    assert sorted(asked(looks, own)) == list(range(GRID**2))


def test_the_smallest_object_of_a_point_says_what_it_holds() -> None:
    looks = np.tile(CELL, (GRID**2, 1))
    whole = mask_of(*range(GRID**2))
    nested = {number: [(0.9, whole), (0.8, mask_of(number))] for number in range(GRID**2)}
    assert len(asked(looks, nested)) == GRID**2
    assert len(asked(looks, {number: [(0.9, whole)] for number in range(GRID**2)})) < 8


def test_a_mask_of_low_score_or_beside_its_point_is_no_object() -> None:
    looks = np.tile(CELL, (GRID**2, 1))
    unsure = {number: [(0.4, mask_of(number))] for number in range(GRID**2)}
    beside = {number: [(0.9, mask_of(63 - number))] for number in range(GRID**2)}
    assert len(asked(looks, unsure)) == len(asked(looks, beside)) < 8


def test_points_are_taken_together_before_any_of_them_is_answered() -> None:
    queue = PointQueue(PLACES, np.tile(SKY, (GRID**2, 1)))
    together = queue.take(5)
    assert together == coarse_to_fine((ROWS, COLUMNS))[:5].tolist()
    for number in together:
        queue.learn(number, [])
    assert queue.take(5) == []


def test_an_embedding_without_any_difference_looks_like_nothing() -> None:
    assert len(asked(np.zeros((GRID**2, 2), np.float32), {})) == GRID**2
