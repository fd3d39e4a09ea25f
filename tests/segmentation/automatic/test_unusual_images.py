"""Images at the edge of what there is: each gives a result, or one sentence that says why not."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam import Segmenter, open_image
from napari_sam.errors import InputError
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic.settings import AutomaticSettings

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

KNOWN = runpy.run_path(str(Path(__file__).with_name("test_segment.py")))

ALL = AutomaticSettings(keep_score=0, keep_stability=0, min_score=0, min_stability=0)


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(y - centre[0], x - centre[1]) < radius)


def segment(model: Sam, pixels: np.ndarray, axes: str = "YX", **options: Any) -> Any:
    image = open_image(pixels, axes=axes, limits=(0, 255))
    return Segmenter(model, image).segment(settings=ALL, **options)


def test_an_image_without_pixels_is_refused(brightness_model: Sam) -> None:
    with pytest.raises(InputError, match=r"shape \(0, 50\) is empty"):
        segment(brightness_model, np.zeros((0, 50), np.uint8))


def test_what_fills_the_whole_image_is_background(brightness_model: Sam) -> None:
    noise = np.random.default_rng(0).integers(180, 250, (300, 420)).astype(np.uint8)
    result = segment(brightness_model, noise)
    assert brightness_model.encoded > 0, "test invalid: nothing was looked at"  # type: ignore[attr-defined]
    assert (len(result), result.seams) == (0, ())


def test_what_fills_all_but_the_border_is_one_object(brightness_model: Sam) -> None:
    pixels = np.zeros((300, 420), np.uint8)
    pixels[8:-8, 8:-8] = 250
    result = segment(brightness_model, pixels)
    (row,) = result.objects.itertuples()
    assert row.sampling == 4, "where one tile shows all of it"
    truth = pixels > 0
    found = np.asarray(result.labels) == 1
    assert (found & truth).sum() > 0.95 * (found | truth).sum()


def test_ten_thousand_touching_objects_stay_apart(
    brightness_model: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:400, :400] // 4
    truth = 100 * y + x + 1
    truth[:4, :4] = 0  # a grid without any background would be no image
    monkeypatch.setattr(find_masks, "find_in_tile", KNOWN["Finder"](truth))
    settings = AutomaticSettings(points_per_side=43)
    image = open_image(KNOWN["pixels_of"](truth % 2), limits=(0, 255))
    result = Segmenter(brightness_model, image).segment(
        settings=settings, rules=KNOWN["MergeRules"](min_score=0.5)
    )
    assert len(result) == 9_999
    assert KNOWN["same_objects"](np.asarray(result.labels), truth)
    assert (result.objects["labelled"] == 16).all()


@pytest.mark.parametrize("shape", [(300, 1), (1, 300)])
def test_in_an_image_one_pixel_wide_the_bright_half_is_found(
    shape: tuple[int, int], brightness_model: Sam
) -> None:
    pixels = np.zeros(300, np.uint8)
    pixels[100:200] = 250
    labels = np.asarray(segment(brightness_model, pixels.reshape(shape)).labels)
    assert labels.shape == shape
    (where,) = np.nonzero(labels.ravel())
    assert abs(where[0] - 100) <= 2
    assert abs(where[-1] - 199) <= 2


def test_planes_of_z_and_t_have_their_own_objects(brightness_model: Sam) -> None:
    centres = {(0, 0): (20, 20), (0, 1): (60, 20), (1, 0): (20, 70), (1, 1): (60, 70)}
    pixels = np.zeros((2, 2, 80, 90), np.uint8)
    for plane, centre in centres.items():
        pixels[plane][disc((80, 90), centre, 12)] = 250
    result = segment(brightness_model, pixels, "TZYX")
    assert np.asarray(result.labels).shape == pixels.shape
    assert list(result.objects["id"]) == [1, 2, 3, 4]
    for row in result.objects.itertuples():
        assert np.hypot(*np.subtract((row.y, row.x), centres[row.t, row.z])) < 1
        assert (np.asarray(result.labels)[row.t, row.z] == row.id).sum() == row.labelled > 0

    one = segment(brightness_model, pixels, "TZYX", planes=[(1, 0)])
    assert [(row.t, row.z) for row in one.objects.itertuples()] == [(1, 0)]
    assert np.unique(np.nonzero(np.asarray(one.labels))[0]).tolist() == [1]


def test_a_stack_of_one_plane_is_segmented_like_the_plane(brightness_model: Sam) -> None:
    pixels = np.where(disc((80, 90), (30, 40), 15), 250, 0).astype(np.uint8)
    alone = np.asarray(segment(brightness_model, pixels).labels)
    assert alone.any()
    np.testing.assert_array_equal(
        segment(brightness_model, pixels[None], "ZYX").labels, alone[None]
    )


@pytest.mark.parametrize("border", [np.nan, np.inf])
def test_borders_that_are_no_numbers_are_one_sentence(border: float, brightness_model: Sam) -> None:
    pixels = np.full((80, 90), 20, np.float32)
    pixels[30:50, 30:50] = 250
    assert len(segment(brightness_model, pixels)) == 1
    pixels[:3] = border
    with pytest.raises(InputError, match="not finite") as raised:
        segment(brightness_model, pixels)
    assert "replace them" in str(raised.value)


def test_a_region_is_a_rectangle_or_a_mask_and_lies_on_the_plane(brightness_model: Sam) -> None:
    pixels = np.where(disc((80, 90), (30, 40), 15), 250, 0).astype(np.uint8)
    mask = np.zeros((40, 45), np.uint8)
    mask[14:16, 19:21] = 1
    whole = np.asarray(segment(brightness_model, pixels).labels)
    for region in ((28, 38, 32, 42), (-50, -50, 32, 500), mask):
        result = segment(brightness_model, pixels, region=region)
        np.testing.assert_array_equal(np.asarray(result.labels), whole)
    assert whole.any()
    with pytest.raises(InputError, match="outside the plane"):
        segment(brightness_model, pixels, region=(200, 0, 300, 20))


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (1, 40, 50), (2, 1, 9, 9), (9, 9, 3)])
def test_a_model_with_random_weights_gives_labels_of_any_image(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    axes = {2: "YX", 3: "YXC" if shape[-1] == 3 else "ZYX", 4: "TZYX"}[len(shape)]
    result = segment(build_sam("tiny_tiny_vit", seed=0), pixels, axes)
    labels = np.asarray(result.labels)
    assert labels.shape == (shape[:2] if axes == "YXC" else shape)
    assert labels.max() == len(result)
