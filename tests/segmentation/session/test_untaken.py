"""Objects of a run that others leave too little of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge import ResolvedObjects
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.session.untaken import untaken


def rectangle(y0: int, x0: int, y1: int, x1: int) -> FoundMasks:
    """A mask that fills its box."""
    rles = np.empty(1, np.object_)
    rles[0] = encode(np.ones((y1 - y0, x1 - x0), bool))
    return replace(
        FoundMasks.empty(),
        boxes=np.array([(y0, x0, y1, x1)]),
        rles=rles,
        scores=np.ones(1, np.float32),
        stability=np.ones(1, np.float32),
        areas=np.array([(y1 - y0) * (x1 - x0)]),
        points=np.zeros((1, 2)),
        prompts=np.zeros(1, np.int64),
        tokens=np.ones(1, np.uint8),
        samplings=np.ones(1),
        tiles=np.zeros((1, 2), np.int64),
    )


@pytest.mark.parametrize(("containment", "stays"), [(0.49, 0), (0.5, 0), (0.51, 1)])
def test_an_object_of_which_others_have_just_the_share_is_left_out(
    containment: float, stays: int
) -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[5, 0:5] = 1  # half of the mask, an object that was there before
    labels[5, 7:9] = 2  # the run's own, painted by an earlier part of it
    objects = ResolvedObjects(np.array([3]), rectangle(5, 0, 6, 10), "best")
    (part,) = untaken([objects], labels, (), first_id=2, containment=containment)
    assert len(part) == stays
