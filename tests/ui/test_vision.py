"""What the model sees is chosen once per image, and a change says what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_sam.errors import InputError
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window
from napari_sam.ui.channel_stack import ChannelStack
from napari_sam.ui.placement import world_matrix
from napari_sam.ui.sight import first_sight
from napari_sam.ui.sight_picture import PICTURE_SIDE
from napari_sam.ui.vision import Vision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_sam.ui.session import Session

RED, GREEN, BLUE = (0, 1, 2)


@pytest.fixture
def vision(session: Session) -> Iterator[Vision]:
    """Return what the model sees of the picture, drawn and measured at once."""
    made = Vision(session, session.worker)
    yield made
    made.close()


def click(session: Session) -> None:
    session.prompts.points.add([30, 40])


def test_before_the_model_looked_a_change_holds_at_once(session: Session, vision: Vision) -> None:
    assert vision.sight.limits == ((0, 255),)
    vision.use_limits([(10, 90)])
    assert not vision.is_pending
    assert session.image_watch.limits == (10, 90)
    assert session.image_watch.sight.limits_from == "typed"


def test_a_change_says_what_it_costs_before_it_is_applied(
    session: Session, vision: Vision, backend: Any
) -> None:
    click(session)
    assert session.objects.candidates is not None
    vision.use_limits([(10, 90)])
    assert vision.is_pending
    assert "1 part" in vision.cost
    assert "about 2 s" in vision.cost
    assert session.image_watch.limits == (0, 255)
    vision.apply()
    assert not vision.is_pending
    assert session.image_watch.limits == (10, 90)
    assert list(backend.segmenters.values())[-1].image.limits == ((10, 90),)


def test_a_change_that_is_left_changes_nothing(
    session: Session, vision: Vision, backend: Any
) -> None:
    click(session)
    vision.use_limits([(10, 90)])
    vision.discard()
    assert not vision.is_pending
    assert vision.sight.limits == ((0, 255),)
    assert len(backend.segmenters) == 1


def test_going_back_to_what_the_model_has_seen_costs_nothing(
    session: Session, vision: Vision
) -> None:
    click(session)
    vision.use_limits([(10, 90)])
    vision.apply()
    vision.use_shown_limits()
    assert not vision.is_pending
    assert vision.sight.limits == ((0, 255),)


def test_limits_that_cannot_be_used_are_refused_in_a_sentence(vision: Vision) -> None:
    vision.use_limits([(90, 10)])
    assert "low below high" in vision.message
    assert vision.sight.limits == ((0, 255),)
    vision.use_limits([(float("nan"), 10)])
    assert "finite" in vision.message


def test_limits_are_measured_without_a_few_odd_pixels(
    viewer: ViewerModel, session: Session, vision: Vision
) -> None:
    y, x = np.mgrid[:300, :300]
    values = (1000 + x + y).astype(np.uint16)
    values[5, 5] = 60_000
    session.use_image(viewer.add_image(values))
    assert vision.sight.limits[0][1] == 60_000
    vision.measure()
    ((low, high),) = vision.sight.limits
    assert 1000 <= low < 1050
    assert 1540 < high <= 1600
    assert vision.sight.limits_from == "measured"


def test_what_is_measured_for_an_image_left_meanwhile_is_forgotten(
    viewer: ViewerModel, session: Session, slow_worker: Any
) -> None:
    vision = Vision(session, slow_worker)
    vision.measure()
    assert "Measuring" in vision.message
    session.use_image(viewer.add_image(np.full((40, 40), 7, np.uint8), contrast_limits=(0, 9)))
    slow_worker.run_next()
    assert vision.sight.limits == ((0, 9),)
    assert not vision.is_pending
    vision.close()


def test_the_layers_contrast_is_followed_only_when_asked(session: Session, vision: Vision) -> None:
    click(session)
    session.image.contrast_limits = (20, 80)
    assert vision.sight.limits == ((0, 255),)
    assert not vision.sight.is_as_shown
    vision.use_shown_limits()
    vision.apply()
    assert vision.sight.limits == ((20, 80),)
    assert vision.sight.is_as_shown


def test_layers_of_one_place_become_red_green_and_blue(
    viewer: ViewerModel, session: Session, vision: Vision, backend: Any, picture: np.ndarray
) -> None:
    other = viewer.add_image(
        picture.astype(np.uint16) * 10, name="nuclei", contrast_limits=(0, 999)
    )
    viewer.add_image(picture, name="elsewhere", translate=(3, 0))
    viewer.add_image(np.zeros((60, 80, 3), np.uint8), name="colours")
    viewer.add_image(picture[:50], name="smaller")
    assert vision.channels == [session.image, other]
    vision.use_channels([other, session.image])
    assert vision.sight.limits == ((0, 999), (0, 255))
    click(session)
    (segmenter,) = backend.segmenters.values()
    seen = segmenter.image
    assert seen.planes == ()
    assert seen.plane_shape == (60, 80)
    drawn = seen.render(Window((0, 0), (1, 1), 80))
    assert abs(int(drawn[RED, 30, 40]) - 10 * 100 * 255 / 999) <= 1
    assert abs(int(drawn[GREEN, 30, 40]) - 100 * 255 / 255) <= 1
    assert drawn[BLUE].max() == 0


def test_more_than_three_channels_or_one_twice_are_refused(
    viewer: ViewerModel, session: Session, vision: Vision, picture: np.ndarray
) -> None:
    layers = [viewer.add_image(picture) for _ in range(4)]
    before = vision.sight
    for wrong in ([], layers, [layers[0], layers[0]]):
        vision.use_channels(wrong)
        assert "two or three different ones" in vision.message
        assert vision.sight == before


def test_a_channel_that_is_deleted_leaves_the_image_alone(
    viewer: ViewerModel, session: Session, vision: Vision, backend: Any, picture: np.ndarray
) -> None:
    other = viewer.add_image(picture)
    vision.use_channels([session.image, other])
    click(session)
    assert len(vision.sight.layers) == 2
    viewer.layers.remove(other)
    assert vision.sight.layers == (session.image,)
    assert list(backend.segmenters.values())[-1].image.n_channels == 1


def test_a_proposed_channel_that_is_deleted_is_not_proposed_any_more(
    viewer: ViewerModel, session: Session, vision: Vision, picture: np.ndarray
) -> None:
    click(session)
    other = viewer.add_image(picture)
    vision.use_channels([session.image, other])
    assert vision.is_pending
    viewer.layers.remove(other)
    assert not vision.is_pending
    vision.apply()
    assert vision.sight.layers == (session.image,)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_an_axis_of_channels_becomes_layers_that_are_seen_together(
    viewer: ViewerModel, session: Session, vision: Vision, kind: str, tmp_path: Path
) -> None:
    values = np.arange(4 * 2 * 60 * 80, dtype=np.uint16).reshape(4, 2, 60, 80)
    data: Any = values
    if kind == "dask":
        data = dask.array.from_array(values, chunks=(1, 1, 60, 80))
    elif kind == "zarr":
        data = zarr.create_array(str(tmp_path / "z"), data=values, chunks=(1, 1, 60, 80))
    stack = viewer.add_image(
        data,
        axis_labels=("z", "c", "y", "x"),
        scale=(4, 1, 0.5, 0.25),
        translate=(1, 0, 2, 3),
        contrast_limits=(0, 65535),
    )
    session.use_image(stack)
    assert [(each.axis, each.name, each.is_named) for each in vision.axes] == [
        (1, "c", True),
        (0, "z", False),
    ]
    vision.split(1)
    first, second = vision.sight.layers
    assert session.image is first
    assert not stack.visible
    assert np.asarray(second.data).tolist() == values[:, 1].tolist()
    for layer in (first, second):
        assert layer.axis_labels == ("z", "y", "x")
        assert np.allclose(
            world_matrix(layer), world_matrix(stack)[np.ix_([0, 2, 3, 4], [0, 2, 3, 4])]
        )
    assert session.image_watch.input(first).axes == "CZYX"


def test_channels_of_a_turned_pyramid_lie_where_it_lay(
    viewer: ViewerModel, session: Session, vision: Vision
) -> None:
    levels = [np.zeros((3, 64, 64), np.uint8), np.zeros((3, 32, 32), np.uint8)]
    stack = viewer.add_image(levels, multiscale=True, rotate=30, contrast_limits=(0, 9))
    session.use_image(stack)
    vision.split(0)
    assert len(vision.sight.layers) == 3
    assert [len(layer.data) for layer in vision.sight.layers] == [2, 2, 2]
    for layer in vision.sight.layers:
        assert np.allclose(world_matrix(layer), world_matrix(stack)[1:, 1:])


def test_depth_is_no_channel_axis(viewer: ViewerModel, session: Session, vision: Vision) -> None:
    session.use_image(viewer.add_image(np.zeros((30, 60, 80), np.uint8)))
    assert vision.axes == []
    layers = len(viewer.layers)
    vision.split(0)
    assert len(viewer.layers) == layers


def test_a_stack_reads_only_the_channels_and_the_part_that_are_asked_for() -> None:
    class Counting:
        shape, dtype = (50, 60), np.dtype(np.uint8)

        def __init__(self) -> None:
            self.read: list[Any] = []

        def __getitem__(self, key: Any) -> np.ndarray:
            self.read.append(key)
            return np.zeros(self.shape, np.uint8)[key]

    arrays = [Counting(), Counting()]
    stack = ChannelStack(arrays)
    assert stack.shape == (2, 50, 60)
    part = stack[1:2, 10:12, 20:25]
    assert part.shape == (1, 2, 5)
    assert arrays[0].read == []
    assert arrays[1].read == [(slice(10, 12), slice(20, 25))]


def test_a_stack_of_different_types_loses_no_values() -> None:
    stack = ChannelStack([np.full((4, 4), 200, np.uint8), np.full((4, 4), -5, np.int16)])
    image = open_image([stack], limits=(-10, 300), axes="CYX")
    assert image.read((), 0, (0, 0, 1, 1)).ravel().tolist() == [200, -5]


def test_a_picture_of_what_the_model_gets_is_drawn_while_somebody_looks(
    viewer: ViewerModel, session: Session, vision: Vision
) -> None:
    viewer.scene.camera.center = (30, 40)
    assert vision.picture is None
    vision.is_watched = True
    assert vision.picture.shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
    before = vision.picture
    vision.use_limits([(0, 1000)])
    assert vision.picture.max() < before.max()
    vision.is_watched = False
    before = vision.picture
    vision.use_limits([(0, 100)])
    assert vision.picture is before


def test_a_picture_shows_a_proposal_before_it_is_applied(session: Session, vision: Vision) -> None:
    click(session)
    vision.is_watched = True
    before = vision.picture
    vision.use_limits([(0, 1000)])
    assert vision.is_pending
    assert vision.picture.max() < before.max()


def test_in_3d_and_without_an_image_there_is_no_picture_and_no_exception(
    viewer: ViewerModel, session: Session, vision: Vision
) -> None:
    vision.is_watched = True
    session.use_image(viewer.add_image(np.zeros((5, 60, 80), np.uint8)))
    viewer.dims.ndisplay = 3
    vision.refresh()
    assert "3D" in vision.message
    viewer.layers.clear()
    assert vision.sight is None
    assert vision.picture is None
    assert vision.channels == vision.axes == []
    vision.use_limits([(0, 1)])
    vision.use_shown_limits()
    vision.use_channels([])
    vision.measure()
    vision.split(0)
    vision.apply()


def test_values_that_cannot_be_shown_are_said_in_a_sentence(
    viewer: ViewerModel, session: Session, vision: Vision
) -> None:
    values = np.ones((40, 40), np.float32)
    values[3, 3] = np.nan
    with pytest.raises(InputError):
        open_image(values, limits=(0, 1))
    viewer.scene.camera.center = (20, 20)
    session.use_image(viewer.add_image(values, contrast_limits=(0, 1)))
    vision.is_watched = True
    assert "not finite" in vision.message
    assert vision.picture is None


def test_a_colour_image_has_one_pair_of_limits(
    viewer: ViewerModel, session: Session, vision: Vision, backend: Any
) -> None:
    session.use_image(viewer.add_image(np.full((60, 80, 3), 90, np.uint8)))
    assert vision.sight.limits == ((0, 255),)
    vision.use_limits([(0, 100)])
    session.draw_points()
    click(session)
    assert list(backend.segmenters.values())[-1].image.limits == ((0, 100),) * 3


def test_after_closing_nothing_is_listened_to(session: Session) -> None:
    vision = Vision(session)
    told: list[int] = []
    vision.changed.connect(lambda: told.append(1))
    vision.close()
    session.image.contrast_limits = (1, 2)
    session.image_watch.see(first_sight(session.image))
    session.viewer.layers.append(Image(np.zeros((4, 4))))
    assert told == []
