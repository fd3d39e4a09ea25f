from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from napari_sam import Segmenter, open_image
from napari_sam.errors import InputError
from napari_sam.segmentation.automatic.edge_map import edge_map

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

SHAPE = (180, 230)


@pytest.fixture
def bright() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.hypot(y - 80, x - 100) < 50


@pytest.fixture
def session(brightness_model: Sam, bright: np.ndarray) -> Segmenter:
    """Every mask is what is brighter than the middle."""
    return Segmenter(brightness_model, open_image(bright.astype(np.uint8) * 255, limits=(0, 255)))


def test_edges_run_along_the_outlines_of_masks(session: Segmenter, bright: np.ndarray) -> None:
    edges = edge_map(session)
    assert edges.shape == SHAPE
    assert edges.dtype == np.float32
    assert 0 <= edges.min() < edges.max() <= 1
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = np.abs(np.hypot(y - 80, x - 100) - 50)
    assert not edges[distance > 8].any()
    strong = ndimage.binary_dilation(edges > 0.3, iterations=3)
    assert strong[distance < 1].mean() > 0.9, "the outline is closed"


def test_edges_are_thin(session: Segmenter) -> None:
    edges = edge_map(session)
    across = edges[80, 100:]  # one edge is crossed
    assert 1 <= np.count_nonzero(across) <= 4


def test_a_region_has_the_edges_of_the_plane(session: Segmenter) -> None:
    whole = edge_map(session) > 0.3
    part = edge_map(session, region=(9.5, 19.5, 139.5, 209.5)) > 0.3
    assert part.shape == (130, 190)
    inner = (slice(10, -10), slice(10, -10))
    agreeing = part[inner] == whole[10:140, 20:210][inner]
    assert agreeing.mean() > 0.99
    assert part.any()


def test_nothing_to_see_has_no_edges(brightness_model: Sam) -> None:
    assert not edge_map(Segmenter(brightness_model, np.full((90, 100), 7, np.uint8))).any()


def test_a_huge_region_is_refused(brightness_model: Sam) -> None:
    image = open_image(np.broadcast_to(np.uint8(3), (20_000, 20_000)), limits=(0, 255))
    with pytest.raises(InputError, match="too large"):
        edge_map(Segmenter(brightness_model, image))


def test_a_region_between_pixel_centres_is_refused(session: Segmenter) -> None:
    assert edge_map(session, region=(10.0, 20.0, 11.0, 21.0)).shape == (1, 1)
    with pytest.raises(InputError, match="holds no pixel: give a larger one"):
        edge_map(session, region=(10.2, 20.2, 10.8, 20.8))
