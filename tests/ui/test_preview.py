from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.images.tiles import Window
from napari_sam.segmentation.candidates import Candidate, Candidates
from napari_sam.ui.layer_roles import find_layer
from napari_sam.ui.preview import (
    BUFFER_SIDE,
    draw_picture,
    hide_preview,
    show_picture,
    show_preview,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

SHAPE = (6000, 5000)


def disc(y: float, x: float, radius: float, plane: tuple[int, ...] = ()) -> Candidate:
    side, sampling = 256, max(1.0, 2.0 ** np.ceil(np.log2(radius / 64)))
    origin = [max(0.0, np.floor(p - side * sampling / 2)) for p in (y, x)]
    rows, columns = np.mgrid[:side, :side]
    distance = np.hypot(
        (rows + 0.5) * sampling + origin[0] - 0.5 - y,
        (columns + 0.5) * sampling + origin[1] - 0.5 - x,
    )
    return Candidates(
        logits=(radius - distance)[np.newaxis].astype(np.float32),
        scores=np.ones(1, np.float32),
        window=Window((origin[0], origin[1]), (sampling, sampling), side),
        plane=plane,
        plane_shape=SHAPE,
    )[0]


@pytest.fixture
def image(viewer: ViewerModel) -> Any:
    return viewer.add_image(np.zeros(SHAPE, np.uint8), scale=(0.5, 0.5), translate=(7, -3))


def shown(viewer: ViewerModel, image: Any) -> Any:
    return find_layer(viewer, image, "preview")


def centre_in_image(viewer: ViewerModel, image: Any) -> np.ndarray:
    preview = shown(viewer, image)
    middle = np.argwhere(preview.data).mean(axis=0)
    return np.array(image.world_to_data(preview.data_to_world(middle)))


@pytest.mark.parametrize(
    ("y", "x", "radius"), [(20, 30, 15), (3000, 2500, 40), (5990, 4990, 9), (3000, 2000, 1500)]
)
def test_a_mask_is_shown_where_it_lies(
    viewer: ViewerModel, image: Any, y: int, x: int, radius: int
) -> None:
    show_preview(viewer, image, disc(y, x, radius))
    tolerance = 1e-6 if radius < 100 else 4
    np.testing.assert_allclose(centre_in_image(viewer, image), (y, x), atol=tolerance)
    assert shown(viewer, image).data.shape == (BUFFER_SIDE, BUFFER_SIDE)


def test_the_layer_moves_only_when_a_mask_lies_beyond_it(viewer: ViewerModel, image: Any) -> None:
    show_preview(viewer, image, disc(3000, 2500, 40))
    moves: list[object] = []
    shown(viewer, image).events.affine.connect(moves.append)
    for step in range(0, 400, 50):
        show_preview(viewer, image, disc(3000 + step, 2500 - step, 40))
        np.testing.assert_allclose(centre_in_image(viewer, image), (3000 + step, 2500 - step))
    assert not moves
    show_preview(viewer, image, disc(3600, 2500, 40))
    assert moves
    np.testing.assert_allclose(centre_in_image(viewer, image), (3600, 2500))


def test_the_layer_follows_an_image_that_was_moved(viewer: ViewerModel, image: Any) -> None:
    show_preview(viewer, image, disc(3000, 2500, 40))
    image.translate = (70, 80)
    show_preview(viewer, image, disc(3000, 2500, 40))
    np.testing.assert_allclose(centre_in_image(viewer, image), (3000, 2500))


def test_the_layer_stays_inside_the_image(viewer: ViewerModel, image: Any) -> None:
    show_preview(viewer, image, disc(5990, 4990, 9))
    low, high = shown(viewer, image).extent.world
    assert (low >= image.extent.world[0]).all()
    assert (high <= image.extent.world[1]).all()


def test_a_mask_drawn_coarser_leaves_the_layer_inside_the_image(
    viewer: ViewerModel, image: Any
) -> None:
    show_preview(viewer, image, disc(3000, 2500, 2400))
    low, high = shown(viewer, image).extent.world
    assert shown(viewer, image).data.shape[0] < BUFFER_SIDE, "test invalid: the step is too small"
    np.testing.assert_allclose(low, image.extent.world[0], atol=8)
    np.testing.assert_allclose(high, image.extent.world[1], atol=8)


def test_a_hover_is_lighter_and_can_be_hidden_alone(viewer: ViewerModel, image: Any) -> None:
    show_picture(viewer, image, draw_picture(disc(30, 30, 9)), "hover")
    preview = shown(viewer, image)
    assert set(np.unique(preview.data)) == {0, 3, 4}
    assert preview.colormap.color_dict[3][3] < preview.colormap.color_dict[1][3]
    hide_preview(viewer, image, "candidate")
    assert preview.visible
    hide_preview(viewer, image, "hover")
    assert not preview.visible
    show_preview(viewer, image, disc(30, 30, 9))
    assert set(np.unique(preview.data)) == {0, 1, 2}
    hide_preview(viewer, image, "hover")
    assert preview.visible, "it is a candidate now"


def test_a_new_layer_is_made_when_the_old_was_deleted(viewer: ViewerModel, image: Any) -> None:
    show_preview(viewer, image, disc(30, 30, 9))
    viewer.layers.remove(shown(viewer, image))
    hide_preview(viewer, image)
    show_preview(viewer, image, disc(30, 40, 9))
    np.testing.assert_allclose(centre_in_image(viewer, image), (30, 40))
