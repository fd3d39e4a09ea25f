"""Images with objects: what is measured, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.training.annotated import MIN_AREA, AnnotatedImage


def pixels(height: int = 20, width: int = 30) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_objects_are_measured_and_specks_left_out() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 10:20] = 7
    labels[15:19, 0:3] = 3
    labels[10, 10:21] = 5  # one pixel short of an object
    assert MIN_AREA == 12
    objects = AnnotatedImage("a.png", "a", pixels(), labels).objects()
    np.testing.assert_array_equal(objects.ids, [3, 7])
    np.testing.assert_array_equal(objects.centres, [[16.5, 1], [3.5, 14.5]])
    np.testing.assert_allclose(np.pi * objects.diameters**2 / 4, [12, 40])


@pytest.mark.parametrize(
    ("shown", "labels", "says"),
    [
        (pixels(20, 31), np.ones((20, 30), np.int32), "20 x 31 pixels but its labels have 20 x 30"),
        (pixels(), np.ones((20, 30), np.float32), "labels of type float32"),
        (pixels()[..., 0], np.ones((20, 30), np.int32), "uint8 of shape (20, 30)"),
        (pixels().astype(float), np.ones((20, 30), np.int32), "float64"),
        (pixels(), np.zeros((20, 30), np.int32), "no object of 12 pixels or more"),
        (pixels(), np.eye(20, 30, dtype=np.int32)[:, ::-1] * np.arange(20)[:, None], "no object"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_with_its_name(
    shown: np.ndarray, labels: np.ndarray, says: str
) -> None:
    with pytest.raises(InputError) as refusal:
        AnnotatedImage("well_3.png", "a", shown, labels)
    assert str(refusal.value).startswith("well_3.png: ")
    assert says in str(refusal.value)
