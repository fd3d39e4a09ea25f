"""Objects of a label image and the deepest point of a region."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.evaluate.truth import deepest_point, true_objects


def test_the_deepest_point_of_a_square_is_its_middle() -> None:
    region = np.zeros((20, 30), bool)
    region[5:12, 10:17] = True
    assert deepest_point(region) == ((8, 13), 4.0)


def test_the_border_of_the_array_counts_as_outside() -> None:
    assert deepest_point(np.ones((5, 9), bool)) == ((2, 2), 3.0)


def test_the_deepest_point_lies_in_the_thickest_part() -> None:
    region = np.zeros((20, 40), bool)
    region[9:11, :30] = True
    assert deepest_point(region).depth == 1
    region[5:14, 20:29] = True
    assert deepest_point(region) == ((9, 24), 5.0)


def test_a_ring_is_clicked_on_not_in_its_hole() -> None:
    y, x = np.mgrid[:40, :40]
    distance = np.hypot(y - 20, x - 20)
    ring = (distance < 15) & (distance > 8)
    assert not ring[20, 20]
    assert ring[deepest_point(ring).point]


def test_a_region_without_pixels_has_no_depth() -> None:
    assert deepest_point(np.zeros((4, 4), bool)).depth == 0


def test_objects_know_where_they_are() -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[10:20, 5:12] = 7
    (found,) = true_objects(labels, 1)
    assert (found.id, found.area, found.origin) == (7, 70, (10, 5))
    assert found.bounds == (10, 5, 20, 12)
    assert found.box == (9.5, 4.5, 19.5, 11.5)
    assert labels[found.click] == 7
    assert found.mask.all()


def test_a_neighbour_in_its_box_is_no_part_of_an_object() -> None:
    labels = np.full((6, 6), 2)
    labels[2:4, 2:4] = 5
    two, five = true_objects(labels, 1)
    assert (two.area, five.area) == (32, 4)
    assert not two.mask[2:4, 2:4].any()


def test_ids_may_be_anything() -> None:
    labels = np.zeros((4, 9), np.int64)
    labels[:, :3], labels[:, 3:6] = -4, 2**40
    assert [each.id for each in true_objects(labels, 1)] == [-4, 2**40]


def test_small_objects_are_left_out() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:5, :6], labels[10:15, 10:15] = 1, 2
    assert [each.id for each in true_objects(labels, 26)] == [1]
    assert [each.id for each in true_objects(labels, 25)] == [1, 2]


def test_fewer_objects_are_spread_evenly() -> None:
    labels = np.repeat(np.arange(1, 11), 5)[None].repeat(5, axis=0)
    assert [each.id for each in true_objects(labels, 1, at_most=3)] == [2, 6, 9]
    assert len(true_objects(labels, 1, at_most=20)) == 10


def test_an_image_without_objects_has_none() -> None:
    assert true_objects(np.zeros((5, 5), np.uint16), 1) == []


@pytest.mark.parametrize("labels", [np.zeros((5, 5)), np.zeros((2, 5, 5), int)])
def test_what_is_no_label_image_of_a_plane_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected one whole number per pixel of a plane"):
        true_objects(labels, 1)
