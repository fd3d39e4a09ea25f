"""Crops: labels land where the same content of the image lands, however it is turned."""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.training.annotated import AnnotatedImage, Objects
from napari_sam.training.crops import LABELS_PER_LOGIT, MAX_SCALE, CropPlan, cut, plan_crop

HEIGHT, WIDTH = 200, 240


def map_of_itself() -> AnnotatedImage:
    """Make an image whose colours, and whose labels, say where they are."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    labels = (256 * y + x + 1).astype(np.int32)
    labels[:4, :4] = 1  # an object, or there would be none
    return AnnotatedImage("map", "map", np.stack([y, x, 0 * x], axis=-1).astype(np.uint8), labels)


MAP = map_of_itself()


@given(
    scale=st.floats(0.15, MAX_SCALE),
    angle=st.floats(-math.pi, 2 * math.pi),
    mirrored=st.booleans(),
    stretch=st.floats(0.84, 1.19),
    centre=st.tuples(st.floats(30, HEIGHT - 30), st.floats(30, WIDTH - 30)),
)
@settings(deadline=None, max_examples=60)
def test_a_label_lands_where_the_same_content_lands(
    scale: float, angle: float, mirrored: bool, stretch: float, centre: tuple[float, float]
) -> None:
    plan = CropPlan(
        side=96,
        centre=centre,
        scale=scale,
        angle=angle,
        mirrored=mirrored,
        stretch=stretch,
        corner=(1, 2),
        anchor=1,
    )
    crop = cut(MAP, plan)
    assert crop.pixels.shape == (3, 96, 96)
    labels = crop.labels.numpy()
    assert labels.shape == (24 * LABELS_PER_LOGIT,) * 2
    y, x, _ = F.avg_pool2d(crop.pixels, 2).numpy()  # at the middles of the labels
    row, column = np.divmod(labels - 1, 256)
    rim = 1 + int(2 / scale)  # there pixels beyond the border have a part
    clear = (
        (labels > 0)
        & (row >= rim)
        & (row < HEIGHT - rim)
        & (column >= rim)
        & (column < WIDTH - rim)
    )
    assert clear.sum() > 50
    assert np.abs(row - y)[clear].max() < 0.51
    assert np.abs(column - x)[clear].max() < 0.51
    inside = F.avg_pool2d(crop.inside[None].float(), 2)[0].numpy()
    assert not labels[inside == 0].any()
    assert labels[inside == 1].all()


def test_the_scale_is_that_of_the_plan_and_a_mirror_turns_left_to_right() -> None:
    given = {"side": 64, "centre": (100.0, 120.0), "angle": 0.0, "stretch": 1.0}
    seen = []
    for scale, mirrored in ((1.0, False), (2.0, False), (2.0, True)):
        plan = CropPlan(**given, scale=scale, mirrored=mirrored, corner=(0, 0), anchor=1)
        seen.append(cut(MAP, plan).pixels)
    plain, double, mirrored_ = seen
    assert np.ptp(plain[0].numpy()) == 63
    assert np.ptp(double[0].numpy()) == 31.5
    np.testing.assert_allclose(mirrored_.numpy(), double.flip(2).numpy(), atol=1e-3)
    assert not np.allclose(mirrored_.numpy(), double.numpy())


def objects(*diameters: float) -> Objects:
    rng = np.random.default_rng(0)
    return Objects(
        ids=np.arange(1, len(diameters) + 1),
        centres=rng.uniform(0, 199, (len(diameters), 2)),
        diameters=np.array(diameters),
    )


def test_plans_stay_in_bounds_and_show_their_object() -> None:
    some = objects(4, 10, 30, 90, 180)
    for seed in range(300):
        plan = plan_crop((200, 200), some, 448, 36, 16, np.random.default_rng(seed))
        diameter = some.diameters[plan.anchor - 1] * plan.scale
        assert plan.scale <= MAX_SCALE
        assert diameter <= 0.75 * 448 + 1e-9
        assert diameter >= 24 - 1e-9 or plan.scale == MAX_SCALE
        assert 2**-0.25 <= plan.stretch <= 2**0.25
        assert all(0 <= corner <= 36 for corner in plan.corner)
        half = 448 / plan.scale / 2
        for middle, at in zip(plan.centre, some.centres[plan.anchor - 1], strict=True):
            assert abs(middle - at) <= half + 1e-9
            low, high = sorted((half - 0.5, 200 - half - 0.5))
            assert low - 1e-9 <= middle <= high + 1e-9
    corners = {
        plan_crop((200, 200), some, 448, 36, 16, np.random.default_rng(s)).corner
        for s in range(300)
    }
    assert {0, 36} <= {corner[0] for corner in corners}


def test_objects_may_look_as_large_as_in_the_image_that_a_user_sees() -> None:
    some = objects(4, 10, 30)
    scales = {
        plan_crop((200, 200), some, 1024, 0, 16, np.random.default_rng(seed), as_shown=1.0).scale
        for seed in range(40)
    }
    assert scales == {4.0}  # 200 pixels fit a tile four times; finer than that is not shown
    scales = {
        plan_crop((520, 390), some, 1024, 0, 16, np.random.default_rng(seed), as_shown=1.0).scale
        for seed in range(40)
    }
    assert scales == {1.0, 2.0}
    scales = {
        plan_crop((200, 200), some, 448, 36, 16, np.random.default_rng(seed), as_shown=1.0).scale
        for seed in range(40)
    }
    assert scales == {4.0}  # a crop is a piece of the tile that the user sees
    mixed = [
        plan_crop((520, 390), some, 1024, 0, 16, np.random.default_rng(seed), as_shown=0.5).scale
        for seed in range(200)
    ]
    assert 60 < sum(scale in (1.0, 2.0) for scale in mixed) < 140


def test_the_few_large_objects_are_seen_as_often_as_the_many_small_ones() -> None:
    some = objects(*[10.0] * 50, 70.0)
    large = sum(
        plan_crop((200, 200), some, 448, 0, 16, np.random.default_rng(seed)).anchor == 51
        for seed in range(400)
    )
    assert 0.4 < large / 400 < 0.6
