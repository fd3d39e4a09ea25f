"""Find objects: a run, its region, pause and end; the part of the session that drives it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import StoreError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.ui.finding import TilePoints
from napari_sam.ui.preferences import Computing

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam.ui.automatic import Automatic

SCREEN = runpy.run_path(str(Path(__file__).with_name("found_on_screen.py")))
drawn = SCREEN["drawn"]
found_layer = SCREEN["found_layer"]


def test_a_run_finds_masks_tile_by_tile_and_shows_them_in_place(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any, finder: Any
) -> None:
    said = []
    automatic.changed.connect(lambda: said.append(automatic.status))
    assert found_layer(fake_session) is None
    automatic.find()
    layer = found_layer(fake_session)
    assert layer.data.shape == finder.labels.shape, "made now: adding a layer takes napari long"
    assert not layer.visible
    assert automatic.state == "finding"
    assert not finder.asked
    while len(finder.asked) < 2:
        runner.step()
    assert "Loading the model …" in said
    assert automatic.progress.done in (1, 2)
    drawer.draw()
    some = drawn(fake_session)
    certain = np.isin(finder.labels, [n for n in np.unique(finder.labels) if n and n % 2 == 0])
    assert 0 < some.sum() < certain.sum()
    runner.finish()
    drawer.draw()
    assert automatic.state == "idle"
    assert automatic.is_finished
    assert automatic.progress.done == automatic.progress.total > 9
    np.testing.assert_array_equal(drawn(fake_session), certain)
    assert found_layer(fake_session) is layer
    assert automatic.drawing.view.objects == len(np.unique(finder.labels[certain]))
    assert not fake_session.objects.annotator.painted
    assert fake_session.viewer.layers.selection.active is fake_session.image


def test_what_is_far_smaller_than_the_diameter_is_left_out_unless_a_size_was_chosen(
    automatic: Automatic, runner: Any
) -> None:
    assert automatic.rules.min_area == 0
    automatic.diameter.set(60)
    automatic.find()
    assert automatic.rules.min_area == round(np.pi / 4 * 20**2)
    runner.finish()
    automatic.use_rules(MergeRules(min_area=50))
    automatic.diameter.set(90)
    automatic.find()
    assert automatic.rules.min_area == 50


def test_a_run_pauses_goes_on_and_is_stopped_and_goes_on_where_it_was(
    automatic: Automatic, runner: Any, finder: Any, drawer: Any, fake_session: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 2:
        runner.step()
    automatic.pause()
    assert (automatic.state, runner.paused) == ("paused", True)
    automatic.find()
    automatic.resume()
    assert (automatic.state, runner.paused) == ("finding", False)
    automatic.pause()
    automatic.cancel()
    assert automatic.state == "stopping"
    runner.finish()
    assert (automatic.state, automatic.is_finished) == ("idle", False)
    assert "go on" in automatic.status
    n = len(finder.asked)
    assert 2 <= n < 9
    automatic.find()
    runner.finish()
    assert len(finder.asked) == len(set(finder.asked)) == automatic.progress.total
    assert automatic.progress.total - automatic.progress.new == n
    drawer.draw()
    assert drawn(fake_session).any()


def test_within_a_tile_it_says_how_far_it_is_and_stops(
    automatic: Automatic, runner: Any, finder: Any
) -> None:
    seen = []
    automatic.changed.connect(lambda: seen.append(automatic.tile))
    automatic.find()
    runner.step()
    runner.step()
    assert TilePoints(0, finder_points(automatic)) in [TilePoints(0, t.total) for t in seen if t]
    assert automatic.tile is None, "the tile is done"
    automatic.cancel()
    n = len(finder.asked)
    runner.finish()
    assert len(finder.asked) == n


def finder_points(automatic: Automatic) -> int:
    return automatic.progress.asked // max(automatic.progress.new, 1)


def test_another_region_or_diameter_is_another_run(
    automatic: Automatic, runner: Any, finder: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    n = len(finder.asked)
    automatic.find()
    runner.finish()
    assert len(finder.asked) == n, "all of it was found before"
    automatic.diameter.set(30)
    automatic.find()
    runner.finish()
    assert len(finder.asked) > n


@pytest.mark.parametrize("region", ["view", "shape", "plane"])
def test_only_tiles_of_the_region_are_looked_at(
    automatic: Automatic,
    fake_session: Any,
    runner: Any,
    finder: Any,
    view_of: Callable[..., None],
    region: Any,
) -> None:
    view_of(fake_session, (0, 0, 60, 80))
    image = fake_session.image
    shapes = fake_session.viewer.add_shapes(
        [np.array([(5, 5), (5, 60), (60, 60), (60, 5)])],
        scale=image.scale,
        translate=image.translate,
    )
    shapes.selected_data = {0}
    automatic.use_region(region)
    automatic.find()
    runner.finish()
    n = automatic.progress.total
    assert (n > 9) == (region == "plane")
    if region != "plane":
        assert 0 < n <= 4
        assert {asked[1:] for asked in finder.asked} <= {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_all_planes_are_looked_at_and_the_one_in_view_is_shown(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any, finder: Any
) -> None:
    stack = np.stack([fake_session.image.data] * 3)
    fake_session.use_image(fake_session.viewer.add_image(stack, name="stack"))
    viewer = fake_session.viewer
    viewer.dims.set_point(0, 1)
    automatic.use_region("planes")
    automatic.find()
    runner.finish()
    drawer.draw()
    assert automatic.progress.total == 3 * len(set(finder.asked))
    assert automatic.drawing.view.plane == (1,)
    assert automatic.drawing.view.objects > 0
    viewer.dims.set_point(0, 2)
    drawer.draw()
    assert automatic.drawing.view.plane == (2,)
    layer = found_layer(fake_session)
    assert fake_session.image.world_to_data(layer.data_to_world((0, 0, 0)))[0] == 2
    automatic.keep()
    runner.finish()
    assert fake_session.objects.annotator.painted[0][2] == [(0,), (1,), (2,)]

    automatic.use_region("plane")
    automatic.find()
    runner.finish()
    assert automatic.progress.total == len(set(finder.asked))


def test_without_image_or_place_for_records_nothing_begins(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    fake_session.objects.error = StoreError("no room")
    automatic.find()
    assert fake_session.refused == ["no room"]
    fake_session.use_image(None)
    automatic.find()
    assert "no image" in fake_session.refused[-1]
    assert not runner.is_busy


def test_an_error_ends_the_run_and_what_was_found_stays(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any, drawer: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    finder.error = StoreError("the disk is gone: plug it in")
    runner.finish()
    assert automatic.state == "idle"
    assert fake_session.refused == ["the disk is gone: plug it in"]
    drawer.draw()
    assert drawn(fake_session).any()
    finder.error = ValueError("a mistake of ours")
    automatic.find()
    with pytest.raises(ValueError, match="of ours"):
        runner.finish()
    assert "did not work" in automatic.status
    finder.error = None
    automatic.find()
    runner.finish()
    assert automatic.is_finished


def test_a_click_goes_first(automatic: Automatic, fake_session: Any, runner: Any) -> None:
    automatic.find()
    fake_session.busy = True
    fake_session.changed.emit()
    assert runner.held
    fake_session.busy = False
    fake_session.changed.emit()
    assert not runner.held


def test_the_image_may_be_removed_during_a_run(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any, drawer: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 2:
        runner.step()
    drawer.draw()
    image = fake_session.image
    fake_session.viewer.layers.remove(image)
    fake_session.use_image(None)
    assert automatic.state == "stopping"
    runner.finish()
    drawer.draw()
    assert automatic.state == "idle"
    assert len(finder.asked) <= 3
    assert not automatic.is_found
    layer = next(layer for layer in fake_session.viewer.layers if "found" in layer.name)
    assert not layer.visible
    fake_session.viewer.scene.camera.zoom *= 2
    assert drawer.draw() == 0


def test_closing_during_a_run_ends_it_and_cleans_up(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any, finder: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    drawer.draw()
    folder: Path = automatic._run.folder
    assert folder.exists()
    automatic.close()
    assert runner.closed
    assert drawer.closed
    assert not folder.exists()
    assert not drawn(fake_session).any()
    automatic.find()
    automatic.keep()
    fake_session.changed.emit()
    fake_session.viewer.scene.camera.zoom *= 2
    fake_session.viewer.layers.remove(fake_session.image)


def test_where_nothing_is_found_it_says_what_to_try(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any
) -> None:
    finder.labels[:] = 0
    fake_session.say("Object 1 accepted.")
    automatic.find()
    assert "Looking for objects" in fake_session.status
    runner.finish()
    assert automatic.is_finished
    assert not automatic.is_found
    assert "Nothing was found" in automatic.status
    assert fake_session.status == automatic.status


def test_a_search_goes_on_in_the_same_precision_only(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    automatic.cancel()
    runner.finish()
    fake_session.backend.computing = Computing(precision="float32")
    automatic.find()
    runner.finish()
    assert len(finder.asked) > len(set(finder.asked)), "begun anew"
    assert automatic.is_finished


def test_a_step_cannot_be_taken_back_in_the_middle_of_a_search(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    automatic.find()
    assert not automatic.carry_out(lambda: iter([]), "Taking back")
    assert "stop it" in fake_session.refused[-1]
    runner.finish()
    assert automatic.is_finished
