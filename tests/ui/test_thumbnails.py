from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window
from napari_sam.segmentation.candidates import Candidates
from napari_sam.ui.thumbnails import LINE, SIDE, draw_part, draw_thumbnails, outline

PLANE = (200, 300)


def discs(*radii: float, centre: tuple[float, float] = (100, 150)) -> Candidates:
    y, x = np.mgrid[: max(PLANE), : max(PLANE)]
    distance = np.hypot(y - centre[0], x - centre[1])
    return Candidates(
        logits=np.stack([radius - distance for radius in radii]).astype(np.float32),
        scores=np.linspace(0.9, 0.5, len(radii)).astype(np.float32),
        window=Window((0.0, 0.0), (1.0, 1.0), max(PLANE)),
        plane=(),
        plane_shape=PLANE,
    )


def is_line(picture: np.ndarray) -> np.ndarray:
    return (picture == LINE).all(axis=-1)


@pytest.fixture
def image() -> Any:
    return open_image(np.full(PLANE, 100, np.uint8), limits=(0, 255))


def test_the_outline_is_inside_the_mask_and_one_pixel_wide() -> None:
    drawn = outline(np.pad(np.ones((4, 5), bool), 2))
    assert drawn.sum() == 4 * 5 - 2 * 3
    assert not drawn[3:5, 4:6].any()
    everything = np.ones((3, 3), bool)
    assert outline(everything).sum() == 8
    assert not outline(everything, goes_on=True).any()


def test_every_candidate_is_drawn_over_the_same_part_of_the_image(image: Any) -> None:
    small, large = draw_thumbnails(image, discs(20, 35))
    assert small.shape == large.shape == (SIDE, SIDE, 3)
    rows_small, rows_large = (np.flatnonzero(is_line(each).any(axis=1)) for each in (small, large))
    assert np.ptp(rows_small) / np.ptp(rows_large) == pytest.approx(20 / 35, abs=0.05)
    assert rows_small.mean() == pytest.approx(rows_large.mean(), abs=2)
    assert not is_line(small)[: SIDE // 8].any()
    np.testing.assert_array_equal(small[0, 0], 100)


def test_a_huge_candidate_does_not_make_the_best_one_invisible(image: Any) -> None:
    best, huge = draw_thumbnails(image, discs(5, 95))
    assert np.ptp(np.flatnonzero(is_line(best).any(axis=1))) >= SIDE // 5
    assert not is_line(huge).any(), "the view is all inside"


def test_an_object_at_the_edge_is_shown_with_what_there_is_of_the_image(image: Any) -> None:
    (picture,) = draw_thumbnails(image, discs(20, centre=(0, 299)))
    line = is_line(picture)
    assert line[:4].any(), "the object touches the upper edge"
    assert line[:, -4:].any(), "and the right one"
    assert not line[:4, -4:].any(), "but has no outline along them"
    assert (picture > 0).all(), "nothing beyond the image is shown"


def test_a_plane_smaller_than_the_view_is_padded_with_black() -> None:
    small = Candidates(
        logits=np.ones((1, 8, 8), np.float32),
        scores=np.ones(1, np.float32),
        window=Window((0.0, 0.0), (1.0, 1.0), 8),
        plane=(),
        plane_shape=(4, 8),
    )
    (picture,) = draw_thumbnails(open_image(np.full((4, 8), 9, np.uint8), limits=(0, 10)), small)
    assert (picture[: SIDE // 2] > 0).all()
    assert (picture[SIDE // 2 + 1 :] == 0).all()


def test_a_candidate_without_pixels_is_shown_as_the_image_alone(image: Any) -> None:
    (picture,) = draw_thumbnails(image, discs(-5))
    shown = picture[: round(SIDE * PLANE[0] / PLANE[1])]
    np.testing.assert_array_equal(shown, 100)


def test_the_plane_of_the_candidates_is_shown() -> None:
    stack = np.stack([np.full(PLANE, value, np.uint8) for value in (10, 200)])
    flat = discs(20)
    candidates = Candidates(flat.logits, flat.scores, flat.window, (1,), PLANE)
    (picture,) = draw_thumbnails(open_image(stack, limits=(0, 255)), candidates)
    np.testing.assert_array_equal(picture[0, 0], 200)


def test_a_part_is_drawn_at_any_pitch_and_ends_with_window_and_plane() -> None:
    x = np.mgrid[:8, :8][1]
    half = Candidates(
        logits=np.where(x >= 4, 1, -1)[np.newaxis].astype(np.float32),
        scores=np.ones(1, np.float32),
        window=Window((16.0, 32.0), (4.0, 4.0), 8),  # rows 16 to 48, columns 32 to 64
        plane=(),
        plane_shape=(40, 100),
    )
    whole = draw_part(half[0], (0.0, 0.0), (1.0, 1.0), (60, 100))
    expected = np.zeros((60, 100), bool)
    expected[16:40, 48:64] = True
    np.testing.assert_array_equal(whole, expected)
    coarse = draw_part(half[0], (8.0, 0.0), (4.0, 2.0), (12, 50))
    np.testing.assert_array_equal(coarse, expected[8:56:4, ::2])
