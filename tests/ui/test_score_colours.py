from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam.ui.score_colours import (
    UNKNOWN_COLOUR,
    ScoreColours,
    colour_of,
    ramp,
    steps_of,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

IDS = np.array([1, 2, 70_000])
SCORES = np.array([0.5, 1.0, np.nan])


def lightness(colours: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear[..., :3] @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(np.maximum(luminance, 0.008856)) - 16


# How colours look without the red, the green or the blue cones (Machado and others, 2009).
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["none", *BLINDNESS])
def test_a_lower_score_is_brighter_for_every_kind_of_sight(kind: str) -> None:
    seen = ramp()[:, :3]
    if kind != "none":
        linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
        linear = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1)
        seen = np.where(
            linear <= 0.0031308,
            linear * 12.92,
            1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055,
        )
    light = lightness(seen)
    assert (np.diff(light) < 0).all()
    assert light[0] - light[-1] > 45


def test_scores_out_of_range_have_the_colours_of_the_ends_and_none_is_grey() -> None:
    np.testing.assert_array_equal(colour_of(0.1), ramp()[0])
    np.testing.assert_array_equal(colour_of(0.5), ramp()[0])
    np.testing.assert_array_equal(colour_of(1.2), ramp()[-1])
    np.testing.assert_array_equal(colour_of(None), UNKNOWN_COLOUR)
    assert (np.diff(steps_of(np.linspace(0.5, 1, 64)).astype(int)) == 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.uint32, np.int64, np.uint64])
def test_an_object_gets_the_colour_of_its_score_in_labels_of_any_kind(
    viewer: ViewerModel, dtype: type
) -> None:
    ids = IDS if np.iinfo(dtype).max > IDS.max() else np.array([1, 2, 100])
    labels = np.zeros((8, 8), dtype)
    labels[2:4, 2:4], labels[4:6, 2:4], labels[2:4, 5:7] = ids
    layer = viewer.add_labels(labels)
    own = layer.colormap
    before = [layer.get_color(id_).tolist() for id_ in ids.tolist()]
    colours = ScoreColours()
    colours.show(layer, ids, SCORES)
    shown = [layer.get_color(id_) for id_ in ids.tolist()]
    for colour, score in zip(shown, SCORES.tolist(), strict=True):
        np.testing.assert_allclose(colour, colour_of(score), atol=1e-6)
    assert layer.get_color(0) is None
    assert colours.shown
    colours.hide()
    assert layer.colormap is own
    assert [layer.get_color(id_).tolist() for id_ in ids.tolist()] == before
    assert not colours.shown


@pytest.mark.parametrize(
    ("dtype", "multiscale"), [(np.uint32, False), (np.uint32, True), (np.uint8, False)]
)
def test_what_is_drawn_on_the_canvas_is_in_the_colours_of_scores(
    make_napari_viewer: object, dtype: type, multiscale: bool
) -> None:
    viewer = make_napari_viewer(show=True)  # type: ignore[operator]
    labels = np.zeros((64, 64), dtype)
    labels[:32, :32], labels[:32, 32:], labels[32:, :32] = 1, 2, 200
    data = [labels, labels[::2, ::2].copy()] if multiscale else labels
    layer = viewer.add_labels(data, multiscale=multiscale, opacity=1.0, blending="opaque")
    colours = ScoreColours()
    own = screen(viewer)
    colours.show(layer, np.array([1, 2, 200]), SCORES)
    quarters = screen(viewer)
    for shown, score in zip(quarters, SCORES.tolist(), strict=True):
        np.testing.assert_allclose(shown / 255, colour_of(score)[:3], atol=0.02)
    colours.update(np.array([1]), np.array([1.0]), (), (0, 0, 32, 32))
    np.testing.assert_allclose(screen(viewer)[0] / 255, colour_of(1.0)[:3], atol=0.02)
    layer.selected_label = 2
    layer.show_selected_label = True
    np.testing.assert_allclose(screen(viewer)[0], 0)
    np.testing.assert_allclose(screen(viewer)[1] / 255, colour_of(1.0)[:3], atol=0.02)
    layer.show_selected_label = False
    colours.hide()
    np.testing.assert_array_equal(screen(viewer), own)


def screen(viewer: object) -> list[np.ndarray]:
    """Colours in the middle of the upper left, upper right and lower left quarter."""
    picture = viewer.screenshot(flash=False)  # type: ignore[attr-defined]
    camera = viewer.scene.camera  # type: ignore[attr-defined]
    middle = np.array(picture.shape[:2]) / 2
    places = np.array([(16, 16), (16, 48), (48, 16)]) - camera.center[-2:]
    return [picture[tuple((middle + place * camera.zoom).astype(int))][:3] for place in places]


def test_an_object_that_comes_later_is_coloured_where_it_is(viewer: ViewerModel) -> None:
    labels = np.zeros((8, 8), np.uint32)
    labels[2:4, 2:4], labels[5:7, 5:7] = 1, 300_000
    layer = viewer.add_labels(labels)
    colours = ScoreColours()
    colours.show(layer, IDS, SCORES)
    np.testing.assert_allclose(layer.get_color(300_000), UNKNOWN_COLOUR, atol=1e-6)
    drawn = layer._slice.image.view[5, 5]
    colours.update(np.array([300_000]), np.array([0.75]), (), (5, 5, 7, 7))
    np.testing.assert_allclose(layer.get_color(300_000), colour_of(0.75), atol=1e-6)
    assert layer._slice.image.view[5, 5] != drawn


def test_nothing_is_drawn_where_no_colour_changes(
    viewer: ViewerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_sam.ui import score_colours

    drawn: list[object] = []
    monkeypatch.setattr(score_colours, "show_all", drawn.append)
    layer = viewer.add_labels(np.ones((8, 8), np.uint32))
    colours = ScoreColours()
    colours.show(layer, IDS, SCORES)
    colours.update(IDS, SCORES, None, None)
    assert not drawn
    colours.update(IDS, SCORES[::-1], None, None)
    assert drawn == [layer]


def test_colours_that_the_user_chose_since_stay(viewer: ViewerModel) -> None:
    layer = viewer.add_labels(np.ones((8, 8), np.uint32))
    colours = ScoreColours()
    colours.show(layer, IDS, SCORES)
    layer.new_colormap()
    chosen = layer.colormap
    assert not colours.shown
    colours.update(IDS, SCORES[::-1], None, None)
    colours.hide()
    assert layer.colormap is chosen
