from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.images.source import open_image
from napari_sam.segmentation.prompt import Prompt
from napari_sam.ui.eye import Eye, eye_sampling, prompt_sampling, visible_box

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Level:
    """An array of any size without pixels."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape
        self.ndim = len(shape)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.zeros([len(range(*k.indices(n))) for k, n in zip(key, self.shape, strict=True)])


def source(*levels: Level) -> Any:
    return open_image(list(levels) if len(levels) > 1 else levels[0], limits=(0, 255))


def test_a_tile_covers_about_half_a_screen_whatever_the_size_of_a_pixel(
    viewer: ViewerModel, picture: np.ndarray
) -> None:
    image = viewer.add_image(picture)
    fine = viewer.add_image(picture, scale=(0.25, 0.25))
    viewer.scene.camera.zoom = 2
    assert Eye(viewer).span(image) == 256
    assert Eye(viewer).span(fine) == 1024


def test_a_small_change_of_zoom_changes_nothing(viewer: ViewerModel, picture: np.ndarray) -> None:
    image, eye, camera = viewer.add_image(picture), Eye(viewer), viewer.scene.camera
    camera.zoom = 1
    assert eye.span(image) == 512
    camera.zoom = 2**-0.6  # beyond the middle, but not clearly
    assert Eye(viewer).span(image) == 1024
    assert eye.span(image) == 512
    camera.zoom = 2**-0.8
    assert eye.span(image) == 1024
    camera.zoom = 2**-0.4
    assert eye.span(image) == 1024, "and not back at once"


@pytest.mark.parametrize(
    ("span", "sampling"), [(64, 0.25), (512, 0.5), (1024, 1), (8192, 8), (2**20, 128)]
)
def test_the_sampling_follows_the_span_within_bounds(span: float, sampling: float) -> None:
    levels = [Level(100_000 // 2**k, 100_000 // 2**k) for k in range(8)]
    assert eye_sampling(span, 1024, source(*levels)) == sampling


def test_an_image_without_coarse_levels_is_not_read_as_a_whole_for_one_tile() -> None:
    assert eye_sampling(2**20, 1024, source(Level(100_000, 100_000))) == 8


def test_a_plane_smaller_than_a_tile_is_one_tile() -> None:
    assert eye_sampling(4096, 1024, source(Level(300, 200))) == 0.5
    assert eye_sampling(64, 1024, source(Level(60, 80))) == 0.125


def test_a_box_says_itself_how_large_its_object_is() -> None:
    segmenter: Any = SimpleNamespace(
        model=SimpleNamespace(config=SimpleNamespace(image_size=1024)),
        image=source(Level(4000, 4000)),
    )
    point, box = Prompt(points=[(9, 9)]), Prompt(box=(0, 0, 1000, 1000))
    assert prompt_sampling(segmenter, point, 1024) == 1
    assert prompt_sampling(segmenter, box, 1024) == 4
    assert prompt_sampling(segmenter, box, None) is None


def test_the_visible_part_is_what_the_canvas_shows(
    viewer: ViewerModel, picture: np.ndarray
) -> None:
    image = viewer.add_image(np.stack([picture] * 2), scale=(1, 0.5, 0.5), translate=(0, 100, 0))
    viewer.canvas.size = (20, 40)
    viewer.scene.camera.zoom = 4
    viewer.scene.camera.center = (110, 20)
    # 20 x 40 screen pixels are 5 x 10 in the world and 10 x 20 of the image's.
    np.testing.assert_allclose(visible_box(viewer, image), (15, 30, 25, 50))
    viewer.scene.camera.center = (100, 0)
    np.testing.assert_allclose(visible_box(viewer, image), (-0.5, -0.5, 5, 10))
    viewer.scene.camera.center = (500, 0)
    assert visible_box(viewer, image) is None
