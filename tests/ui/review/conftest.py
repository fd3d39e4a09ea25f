"""A review of four objects."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.review import Review

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel

REVIEWED = runpy.run_path(str(Path(__file__).with_name("reviewed_session.py")))
KeptObjects, ReviewedSession = REVIEWED["KeptObjects"], REVIEWED["ReviewedSession"]
made = REVIEWED["made"]

SCORES = {1: 0.9, 2: 0.3, 3: 0.6, 4: None}


@pytest.fixture
def make_review(viewer: ViewerModel) -> Iterator[Callable[..., Review]]:
    reviews = []

    def make(plane: tuple[int, ...] = (), **placement: Any) -> Review:
        shape = (*[5] * len(plane), 60, 80)
        image = viewer.add_image(np.zeros(shape, np.uint8), name="cells", **placement)
        layer = viewer.add_labels(np.zeros(shape, np.uint32), name="objects", **placement)
        rows = [made(id_, score, plane) for id_, score in SCORES.items()]
        review = Review(ReviewedSession(viewer, image, KeptObjects(rows, layer)))
        reviews.append(review)
        review.work()
        return review

    yield make
    for review in reviews:
        review.close()


@pytest.fixture
def review(make_review: Callable[..., Review]) -> Review:
    """Return a review of four objects; from the least certain on these are 2, 3, 1 and 4."""
    return make_review()
