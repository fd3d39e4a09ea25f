"""How large objects are: typed, drawn, or taken from objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.diameter import Diameter
from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def diameter(fake_session: Any) -> Iterator[Diameter]:
    made = Diameter(fake_session)
    yield made
    made.close()


def ruler_of(session: Any) -> Any:
    return find_layer(session.viewer, session.image, "ruler")


def draw_line(session: Any, *ends: tuple[float, float]) -> None:
    ruler, image = ruler_of(session), session.image
    line = [ruler.world_to_data(image.data_to_world(end)) for end in ends]
    ruler.add_lines(np.array(line))


def test_a_line_gives_its_length_in_the_images_pixels(
    diameter: Diameter, fake_session: Any
) -> None:
    said = []
    diameter.changed.connect(lambda: said.append(diameter.value))
    diameter.measure()
    ruler = ruler_of(fake_session)
    assert ruler.mode == "add_line"
    assert fake_session.viewer.layers.selection.active is ruler
    draw_line(fake_session, (10, 10), (40, 50))
    assert diameter.value == pytest.approx(50)
    draw_line(fake_session, (10, 10), (10, 30))
    assert said == [50, 20]


def test_the_layer_is_made_once_and_put_away(diameter: Diameter, fake_session: Any) -> None:
    diameter.measure()
    draw_line(fake_session, (10, 10), (40, 50))
    diameter.hide()
    ruler = ruler_of(fake_session)
    assert not ruler.visible
    diameter.measure()
    assert ruler_of(fake_session) is ruler
    assert ruler.visible
    assert not len(ruler.data)
    assert diameter.value == 50


def test_the_layer_may_be_removed(diameter: Diameter, fake_session: Any) -> None:
    diameter.measure()
    fake_session.viewer.layers.remove(ruler_of(fake_session))
    diameter.hide()
    diameter.measure()
    draw_line(fake_session, (0, 0), (0, 8))
    assert diameter.value == 8
    fake_session.viewer.layers.clear()
    diameter.hide()


def test_a_click_without_a_line_changes_nothing(diameter: Diameter, fake_session: Any) -> None:
    diameter.set(12)
    diameter.measure()
    draw_line(fake_session, (5, 5), (5, 5.2))
    assert diameter.value == 12


def test_accepted_objects_tell_the_usual_diameter(diameter: Diameter, fake_session: Any) -> None:
    diameter.estimate()
    assert diameter.value is None
    assert "accept about three" in fake_session.refused[0]
    areas = [np.pi * radius**2 for radius in (5, 10, 200)]
    fake_session.objects.rows = {i: SimpleNamespace(area=area) for i, area in enumerate(areas)}
    diameter.estimate()
    assert diameter.value == 20


def test_nothing_or_zero_is_an_unknown_diameter(diameter: Diameter) -> None:
    diameter.set(12)
    diameter.set(0)
    assert diameter.value is None


def test_without_an_image_there_is_nothing_to_measure(
    diameter: Diameter, fake_session: Any
) -> None:
    fake_session.image = None
    diameter.measure()
    assert "no image" in fake_session.refused[0]
