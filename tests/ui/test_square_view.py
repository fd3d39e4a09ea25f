from __future__ import annotations

import numpy as np
import pytest

from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window
from napari_sam.ui.square_view import draw_square, square_around


@pytest.mark.parametrize(
    ("box", "side", "origin"),
    [
        ((19.5, 29.5, 29.5, 39.5), 20, (15, 25)),
        ((-0.5, 70, 4, 79.5), 20, (0, 60)),
        ((10, 10, 20, 20), 70, (0, 0)),
    ],
    ids=["in the middle", "moved onto the plane", "higher than the plane"],
)
def test_a_square_lies_around_the_box_and_on_the_plane_where_it_can(
    box: tuple[float, ...], side: float, origin: tuple[float, float]
) -> None:
    window = square_around(box, side, (60, 80), 10)
    assert window == Window(origin, (side / 10, side / 10), 10)


def test_beyond_the_image_the_picture_is_black() -> None:
    image = open_image(np.full((60, 80), 9, np.uint8), limits=(0, 9))
    picture = draw_square(image, Window((0.0, 0.0), (2.0, 2.0), 40), ())
    assert picture.shape == (40, 40, 3)
    assert (picture[:30] == 255).all()
    assert not picture[30:].any()
