"""Find, look, choose, keep: the part of the session that segments everything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.errors import StoreError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records
from napari_sam.ui.finding import TilePoints
from napari_sam.ui.layer_roles import find_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam.ui.automatic import Automatic
from napari_sam.ui.preferences import Computing

LOOSE = MergeRules(min_score=0.5)

DISCS = 8 * 11


def found_layer(session: Any) -> Any:
    return find_layer(session.viewer, session.image, "found")


def drawn(session: Any) -> np.ndarray:
    """Found objects on the screen, at the image's pixels."""
    layer = found_layer(session)
    if layer is None or not layer.visible:
        return np.zeros(session.image.data.shape[-2:], bool)
    shape = session.image.data.shape[-2:]
    places = np.argwhere(layer.data > 0)
    world = np.array([layer.data_to_world(place) for place in places])
    at = np.array([session.image.world_to_data(place)[-2:] for place in world]).round().astype(int)
    picture = np.zeros(shape, bool)
    if len(at):
        picture[tuple(at.T)] = True
    return picture


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


def test_keeping_paints_the_records_with_the_rules_and_holds_everything_else(
    automatic: Automatic, fake_session: Any, runner: Any, drawer: Any
) -> None:
    automatic.find()
    runner.finish()
    automatic.use_rules(LOOSE)
    drawer.draw()
    objects = fake_session.objects
    automatic.keep()
    assert automatic.state == "painting"
    assert objects.held
    runner.step()
    assert automatic.status == "Keeping: 50 %"
    automatic.keep()
    automatic.find()
    runner.finish()
    assert automatic.state == "idle"
    assert not objects.held
    ((folder, rules, planes),) = objects.annotator.painted
    assert (rules, planes) == (LOOSE, [()])
    assert sum(len(batch.found) for batch in Records.open(folder).batches(())) >= DISCS
    assert [change.done for change in objects.shown] == [1, 2]
    assert fake_session.status == "4 objects kept."
    assert not drawn(fake_session).any()
    automatic.use_rules(MergeRules())
    drawer.draw()
    assert drawn(fake_session).any(), "to choose again, after taking it back"


def test_a_long_step_of_the_annotator_runs_alone(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    assert automatic.carry_out(lambda: fake_session.objects.annotator.add_run(1), "Taking back")
    assert not automatic.carry_out(lambda: iter([]), "Doing again")
    assert "being painted" in automatic.status
    runner.finish()
    assert fake_session.objects.annotator.painted == [(1,)]


def test_what_cannot_be_kept_is_said_and_stays(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    automatic.keep()
    assert "nothing was found" in fake_session.refused[-1]
    automatic.find()
    runner.finish()
    fake_session.objects.annotator.error = StoreError("the disk is full: make room")
    automatic.keep()
    runner.finish()
    assert fake_session.refused[-1] == "the disk is full: make room"
    assert automatic.state == "idle"
    assert not fake_session.objects.held
    fake_session.objects.annotator.error = None
    automatic.keep()
    runner.finish()
    assert fake_session.status == "4 objects kept."


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


def test_closing_while_objects_are_painted_lets_go_of_them(
    automatic: Automatic, fake_session: Any, runner: Any
) -> None:
    automatic.find()
    runner.finish()
    automatic.keep()
    assert fake_session.objects.held
    automatic.close()
    assert not fake_session.objects.held


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


def test_records_of_kept_objects_stay_as_they_are_when_the_search_goes_on(
    automatic: Automatic, fake_session: Any, runner: Any, finder: Any
) -> None:
    automatic.find()
    while len(finder.asked) < 3:
        runner.step()
    automatic.cancel()
    runner.finish()
    automatic.keep()
    runner.finish()
    kept = fake_session.objects.annotator.painted[0][0]
    before = {path: path.read_bytes() for path in kept.rglob("*.npz")}
    assert 3 <= len(before) < 9
    automatic.find()
    runner.finish()
    assert automatic.is_finished
    assert len(finder.asked) == len(set(finder.asked)), "nothing was found twice"
    assert {path: path.read_bytes() for path in kept.rglob("*.npz")} == before
    automatic.keep()
    runner.finish()
    again = fake_session.objects.annotator.painted[1][0]
    assert len(list(again.rglob("*.npz"))) == automatic.progress.total


def test_records_go_into_the_journal_and_follow_to_another(
    automatic: Automatic, fake_session: Any, runner: Any, tmp_path: Path
) -> None:
    annotator = fake_session.objects.annotator
    annotator.journal = SimpleNamespace(folder=tmp_path / "first")
    automatic.find()
    runner.finish()
    annotator.journal = SimpleNamespace(folder=tmp_path / "second")
    automatic.keep()
    runner.finish()
    (first,) = (tmp_path / "first" / "runs").iterdir()
    ((second, _, _),) = annotator.painted
    assert second.parent == tmp_path / "second" / "runs"
    names = {path.name for path in first.rglob("*.npz")}
    assert names
    assert {path.name for path in second.rglob("*.npz")} == names
    automatic.close()
    assert first.exists()


def test_what_was_found_and_not_kept_is_removed_and_what_was_kept_stays(
    automatic: Automatic, fake_session: Any, runner: Any, tmp_path: Path
) -> None:
    fake_session.objects.annotator.journal = SimpleNamespace(folder=tmp_path)

    def runs() -> list[str]:
        return sorted(path.name for path in (tmp_path / "runs").iterdir())

    automatic.find()
    runner.finish()
    automatic.keep()
    runner.finish()
    automatic.diameter.set(30)
    automatic.find()
    runner.finish()
    assert runs() == ["1", "2"]
    automatic.diameter.set(40)
    automatic.find()
    runner.finish()
    assert runs() == ["1", "3"], "the search before this one was given up"
    automatic.close()
    assert runs() == ["1"]


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
