"""What a run has found is drawn in the view, with what was chosen of it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from napari_sam.ui.automatic import Automatic

SCREEN = runpy.run_path(str(Path(__file__).with_name("found_on_screen.py")))
drawn = SCREEN["drawn"]
found_layer = SCREEN["found_layer"]

LOOSE = MergeRules(min_score=0.5)

DISCS = 8 * 11


def test_a_filter_changes_what_is_shown_and_the_model_is_not_asked(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any, finder: Any
) -> None:
    automatic.find()
    runner.finish()
    drawer.draw()
    asked, strict = len(finder.asked), drawn(fake_session).sum()
    automatic.use_rules(LOOSE)
    assert drawn(fake_session).sum() == strict
    drawer.draw()
    np.testing.assert_array_equal(drawn(fake_session), finder.labels > 0)
    assert automatic.drawing.view.objects == DISCS
    automatic.use_rules(MergeRules(min_score=0.5, whole_only=True, min_area=10_000))
    drawer.draw()
    assert not drawn(fake_session).any()
    assert automatic.drawing.view.objects == 0
    automatic.use_rules(MergeRules())
    drawer.draw()
    assert drawn(fake_session).sum() == strict
    assert len(finder.asked) == asked


def test_of_quick_changes_only_the_last_is_drawn(
    automatic: Automatic, runner: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    drawer.draw()
    before = drawer.asked
    for score in (0.75, 0.8, 0.85):
        automatic.use_rules(MergeRules(min_score=score))
    assert drawer.asked == before + 3
    assert drawer.draw() == 1


def test_objects_keep_their_colours_while_others_come_and_go(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any, finder: Any
) -> None:
    automatic.find()
    runner.finish()
    drawer.draw()
    strict = found_layer(fake_session).data.copy()
    automatic.use_rules(LOOSE)
    drawer.draw()
    loose = found_layer(fake_session).data
    assert (loose != strict).any()
    np.testing.assert_array_equal(loose[strict > 0], strict[strict > 0])
    assert len(np.unique(strict)) > 20


def test_the_view_is_followed_and_drawn_coarser_from_afar(
    automatic: Automatic,
    fake_session: Any,
    runner: Any,
    drawer: Any,
    finder: Any,
    view_of: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    automatic.region = "plane"
    automatic.use_rules(LOOSE)
    automatic.find()
    runner.finish()
    view_of(fake_session, (60, 90, 120, 180))
    drawer.draw()
    picture = drawn(fake_session)
    y0, x0, y1, x1 = automatic.drawing.view.box
    assert (y0, y1) <= (60, 120)
    assert (x1 - x0) * (y1 - y0) < picture.size / 4
    np.testing.assert_array_equal(picture[y0:y1, x0:x1], (finder.labels > 0)[y0:y1, x0:x1])
    picture[y0:y1, x0:x1] = False
    assert not picture.any()

    monkeypatch.setattr("napari_sam.ui.found_preview.BUFFER_SIDE", 128)
    view_of(fake_session, (0, 0, 240, 330))
    drawer.draw()
    view = automatic.drawing.view
    assert view.step == 4
    assert max(view.pixels.shape) <= 128
    expected = finder.labels[2::4, 2::4] > 0
    np.testing.assert_array_equal(view.pixels[:, : expected.shape[1]] > 0, expected)
    layer = found_layer(fake_session)
    corner = fake_session.image.world_to_data(layer.data_to_world((0, 0)))
    np.testing.assert_allclose(corner, (1.5, 1.5))
    assert layer.data.shape == (60, 83), "it does not reach beyond the image"
    view_of(fake_session, (180, 230, 240, 330))
    drawer.draw()
    layer = found_layer(fake_session)
    assert automatic.drawing.view.step < 4
    corners = [layer.data_to_world(np.array(end) - 0.5) for end in ((0, 0), layer.data.shape)]
    low, high = (fake_session.image.world_to_data(corner) for corner in corners)
    assert (np.array(low) >= -0.5).all()
    assert (np.array(high) <= (240, 330)).all()
    y0, x0, y1, x1 = automatic.drawing.view.box
    y, x = np.round(np.array(low) + 0.5).astype(int)
    step = automatic.drawing.view.step
    assert step == 1, "test invalid: the next line compares pixels"
    expected = (finder.labels > 0)[y0:y1, x0:x1]
    np.testing.assert_array_equal(layer.data[y0 - y : y1 - y, x0 - x : x1 - x] > 0, expected)


def test_objects_smaller_than_a_drawn_pixel_are_dots(
    automatic: Automatic,
    runner: Any,
    drawer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    automatic.use_rules(LOOSE)
    automatic.find()
    runner.finish()
    monkeypatch.setattr("napari_sam.ui.found_preview.BUFFER_SIDE", 6)
    automatic.drawing.use_rules(LOOSE)
    drawer.draw()
    view = automatic.drawing.view
    assert view.step == 64
    assert np.count_nonzero(view.pixels) > 0.6 * view.pixels.size


def test_too_much_for_one_view_is_said_and_not_drawn(
    automatic: Automatic,
    fake_session: Any,
    runner: Any,
    drawer: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    automatic.find()
    runner.finish()
    monkeypatch.setattr("napari_sam.ui.found_preview.MOST_TILES", 3)
    automatic.use_rules(LOOSE)
    drawer.draw()
    assert not drawn(fake_session).any()
    assert "Zoom in" in automatic.drawing.hint


def test_in_3d_nothing_is_shown_and_it_says_why(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    drawer.draw()
    assert drawn(fake_session).any()
    fake_session.viewer.dims.ndisplay = 3
    drawer.draw()
    assert not drawn(fake_session).any()
    assert "3D" in automatic.drawing.hint
    automatic.find()
    assert automatic.state == "idle"
    assert "3D" in fake_session.refused[-1]
    fake_session.viewer.dims.ndisplay = 2
    drawer.draw()
    assert drawn(fake_session).any()
    assert not automatic.drawing.hint


def test_the_layer_of_what_is_found_may_be_removed_at_any_moment(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any, drawer: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    drawer.draw()
    fake_session.viewer.layers.remove(found_layer(fake_session))
    runner.finish()
    drawer.draw()
    assert drawn(fake_session).any()
    fake_session.viewer.layers.remove(found_layer(fake_session))
    automatic.keep()
    runner.finish()
    assert fake_session.status == "4 objects kept."


def test_turning_to_another_image_hides_what_is_found_and_back_shows_it(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    drawer.draw()
    first = fake_session.image
    fake_session.use_image(fake_session.viewer.add_image(np.zeros((50, 50)), name="other"))
    assert not find_layer(fake_session.viewer, first, "found").visible
    fake_session.use_image(first)
    drawer.draw()
    assert drawn(fake_session).any()
    automatic.forget()
    assert not drawn(fake_session).any()
    assert not automatic.is_found
