"""Where an automatic run looks, as the viewer shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.segmentation.regions import Region
from napari_sam.ui.automatic_region import where_to_look

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (240, 330)


def add_shape(session: Any, corners: Any, kind: str = "polygon") -> Any:
    """Draw a shape at the image's pixels in a layer that lies elsewhere in the world."""
    world = [session.image.data_to_world(corner)[-2:] for corner in corners]
    layer = session.viewer.add_shapes(ndim=2, scale=(3, 3), translate=(-7, 5))
    layer.add([layer.world_to_data(place) for place in world], shape_type=kind)
    return layer


def test_the_view_is_a_rectangle_on_whole_pixels(
    fake_session: Any, view_of: Callable[..., None]
) -> None:
    view_of(fake_session, (60, 90, 120, 135))
    where = where_to_look(fake_session.viewer, fake_session.image, "view")
    y0, x0, y1, x1 = where.region
    assert all(edge % 1 == 0.5 for edge in where.region)
    assert 55 < y0 <= 60 < 120 <= y1 < 125
    assert 85 < x0 <= 90 < 135 <= x1 < 140
    assert where.planes == [()]


def test_a_view_of_all_of_the_image_is_the_whole_plane(fake_session: Any) -> None:
    where = where_to_look(fake_session.viewer, fake_session.image, "view")
    assert where.region is None
    assert where_to_look(fake_session.viewer, fake_session.image, "plane").region is None
    assert where_to_look(fake_session.viewer, fake_session.image, "planes").planes is None


def test_nothing_in_view_is_refused(fake_session: Any) -> None:
    fake_session.viewer.scene.camera.center = (0, 9000, 9000)
    with pytest.raises(InputError, match="in view"):
        where_to_look(fake_session.viewer, fake_session.image, "view")


def test_a_rectangle_along_the_axes_is_taken_exactly(fake_session: Any) -> None:
    add_shape(fake_session, [(10, 20), (10, 80), (50.5, 80), (50.5, 20)], "rectangle")
    where = where_to_look(fake_session.viewer, fake_session.image, "shape")
    np.testing.assert_allclose(where.region, (10, 20, 50.5, 80))


def test_a_turned_rectangle_and_a_polygon_are_masks(fake_session: Any) -> None:
    corners = [(20, 100), (60, 140), (100, 100), (60, 60)]
    for kind in ("rectangle", "polygon"):
        layer = add_shape(fake_session, corners, kind)
        layer.selected_data = {0}
        fake_session.viewer.layers.selection.active = layer
        mask = where_to_look(fake_session.viewer, fake_session.image, "shape").region
        assert mask.shape == SHAPE
        assert mask[60, 100]
        assert mask[30, 100]
        assert not mask[30, 70]
        assert abs(mask.sum() - 3200) < 200
        assert Region.read(mask, SHAPE).holds(np.array([(60.0, 100.0)])).all()


def test_an_ellipse_is_round(fake_session: Any) -> None:
    add_shape(fake_session, [(20, 60), (20, 140), (100, 140), (100, 60)], "ellipse")
    mask = where_to_look(fake_session.viewer, fake_session.image, "shape").region
    assert mask[60, 100]
    assert mask[60, 63]
    assert not mask[24, 64]
    assert abs(mask.sum() - np.pi * 40**2) < 100


def test_the_selected_shapes_of_the_active_layer_are_taken_together(fake_session: Any) -> None:
    first = add_shape(fake_session, [(10, 10), (10, 50), (50, 50), (50, 10)])
    second = add_shape(fake_session, [(100, 100), (100, 150), (150, 150), (150, 100)])
    viewer, image = fake_session.viewer, fake_session.image
    with pytest.raises(InputError, match="no shape is selected"):
        where_to_look(viewer, image, "shape")
    first.selected_data = {0}
    second.selected_data = {0}
    viewer.layers.selection.active = second
    np.testing.assert_allclose(where_to_look(viewer, image, "shape").region, (100, 100, 150, 150))
    viewer.layers.selection.active = image
    mask = where_to_look(viewer, image, "shape").region
    assert mask[30, 30]
    assert mask[120, 120]
    assert not mask[75, 75]


def test_a_line_is_no_area_and_a_shape_beside_the_image_is_refused(fake_session: Any) -> None:
    layer = add_shape(fake_session, [(10, 10), (50, 50)], "line")
    with pytest.raises(InputError, match="no shape is selected"):
        where_to_look(fake_session.viewer, fake_session.image, "shape")
    fake_session.viewer.layers.remove(layer)
    add_shape(fake_session, [(900, 910), (950, 950), (900, 990)])
    with pytest.raises(InputError, match="beside"):
        where_to_look(fake_session.viewer, fake_session.image, "shape")


def test_the_mask_of_a_huge_plane_stays_small(fake_session: Any) -> None:
    data = np.broadcast_to(np.zeros((), np.uint8), (20_001, 9_003))
    image = fake_session.viewer.add_image(data, name="huge", contrast_limits=(0, 1))
    fake_session.image = image
    add_shape(fake_session, [(1000, 1000), (9000, 3000), (1000, 8000)])
    mask = where_to_look(fake_session.viewer, image, "shape").region
    assert max(mask.shape) <= 4097
    region = Region.read(mask, (20_001, 9_003))
    inside = region.holds(np.array([(3000.0, 3000.0), (8900.0, 1000.0)]))
    np.testing.assert_array_equal(inside, [True, False])
