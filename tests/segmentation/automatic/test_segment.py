"""The way from tiles to labels, with a finder that knows the truth of what a window shows."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import ndimage

from napari_sam import Segmenter, open_image
from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import TileFinding
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.model.sam import Sam

SHAPE = (300, 420)

SETTINGS = AutomaticSettings(points_per_side=16, min_score=0.88, min_stability=0.92)
"""A point every 8 model pixels, so that every object has one."""


def slide(shape: tuple[int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """Labels of discs of radius 6 to 7.5 in rows, and one of radius 60 in the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int64)
    big = (y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2 < 60**2
    for number, (cy, cx) in enumerate(
        itertools.product(range(4, shape[0], 23), range(8, shape[1], 23)), start=2
    ):
        disc = (y - cy) ** 2 + (x - cx) ** 2 < rng.uniform(6, 7.5) ** 2
        if not (disc & ndimage.binary_dilation(big, iterations=2)).any():
            labels[disc] = number
    labels[big] = 1
    return labels


def pixels_of(labels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 40, labels.shape)
    return np.where(labels > 0, 180 + noise, noise).astype(np.uint8)


class Finder:
    """Stands in for `find_in_tile`: the exact masks of what the points of a tile hit."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self.asked: list[tuple[float, int, int]] = []

    def __call__(
        self,
        decoder: Any,
        tile: Any,
        window: Any,
        points: np.ndarray,
        settings: AutomaticSettings,
        plane_shape: tuple[int, int],
        *,
        tile_index: Any,
        batch: int,
        smallest: float,
        on_points: Any = None,
    ) -> TileFinding:
        sampling = window.sampling[0]
        self.asked.append((sampling, *tile_index))
        y0, x0 = (int(start) for start in window.origin)
        side = int(window.size * sampling)
        y1, x1 = min(y0 + side, plane_shape[0]), min(x0 + side, plane_shape[1])
        part = self.labels[y0:y1, x0:x1]
        parts, cut, seen = [], 0, set()
        for prompt, (y, x) in enumerate(np.round(points).astype(int).tolist()):
            number = int(self.labels[y, x])
            if number == 0 or number in seen:
                continue
            seen.add(number)
            mask = part == number
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = y0 + rows[0], x0 + columns[0], y0 + rows[-1] + 1, x0 + columns[-1] + 1
            if (
                (box[0] == y0 > 0)
                or (box[1] == x0 > 0)
                or (box[2] == y1 < plane_shape[0])
                or (box[3] == x1 < plane_shape[1])
            ):
                cut += 1
                continue
            if max(box[2] - box[0], box[3] - box[1]) < smallest:
                continue
            inside = mask[box[0] - y0 : box[2] - y0, box[1] - x0 : box[3] - x0]
            rles = np.empty(1, np.object_)
            rles[0] = encode(inside)
            score = 0.9 + 0.001 * (hash((number, *tile_index)) % 50)
            if number % 7 == 0:
                score -= 0.3
            parts.append(
                replace(
                    FoundMasks.empty(),
                    boxes=np.array([box]),
                    rles=rles,
                    scores=np.array([score], np.float32),
                    stability=np.array([0.95], np.float32),
                    areas=np.array([inside.sum()]),
                    points=np.array([(y, x)], float),
                    prompts=np.array([prompt]),
                    tokens=np.array([1], np.uint8),
                    samplings=np.array([sampling]),
                    tiles=np.array([tile_index]),
                )
            )
        if on_points is not None:
            on_points(len(points), len(points))
        return TileFinding(FoundMasks.together(parts), len(points), 3, cut)


@pytest.fixture
def truth() -> np.ndarray:
    return slide()


@pytest.fixture
def finder(truth: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Finder:
    finder = Finder(truth)
    monkeypatch.setattr(find_masks, "find_in_tile", finder)
    return finder


@pytest.fixture
def session(truth: np.ndarray, finder: Finder, brightness_model: Sam) -> Segmenter:
    return Segmenter(brightness_model, open_image(pixels_of(truth), limits=(0, 255)))


def expected(truth: np.ndarray, min_score: float = 0.88) -> np.ndarray:
    """Truth without the objects whose score is too low, as a boolean image of its outlines."""
    low = (truth % 7 == 0) & (truth > 0) & (min_score > 0.7)
    return np.where(low, 0, truth)


def same_objects(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether two label images differ in the numbers only."""
    pairs = np.unique(np.stack([labels.ravel(), truth.ravel()]), axis=1)
    return len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]


def test_every_object_is_one_object_whatever_tiles_it_lies_in(
    session: Segmenter, truth: np.ndarray, finder: Finder
) -> None:
    assert len(session.store.grid(1)) > 9
    result = session.segment(settings=SETTINGS)
    assert same_objects(np.asarray(result.labels), expected(truth))
    assert result.labels.dtype == np.uint32
    n = len(np.unique(expected(truth))) - 1
    assert len(result) == len(result.objects) == n
    np.testing.assert_array_equal(result.objects["id"], np.arange(1, n + 1))
    np.testing.assert_array_equal(
        result.objects["labelled"], np.bincount(np.asarray(result.labels).ravel())[1:]
    )
    assert result.seams == ()


def test_only_where_objects_are_cut_a_coarser_sampling_is_asked(
    session: Segmenter, truth: np.ndarray, finder: Finder
) -> None:
    assert truth.max() > 1
    result = session.segment(settings=SETTINGS)
    fine, coarse = (session.store.grid(sampling) for sampling in (1, 2))
    assert {tile for tile in finder.asked if tile[0] == 1} == {(1, *tile) for tile in fine}
    assert {1, 2} <= {tile[0] for tile in finder.asked}
    assert len([tile for tile in finder.asked if tile[0] == 2]) <= len(coarse)
    (big,) = result.objects.query("area > 5000").itertuples()
    assert big.sampling > 1

    truth[truth == 1] = 0
    finder.asked.clear()
    session.segment(settings=SETTINGS)
    assert {tile[0] for tile in finder.asked} == {1}


def test_thresholds_may_change_without_looking_again(
    session: Segmenter, truth: np.ndarray, finder: Finder, tmp_path: Path
) -> None:
    strict = session.segment(settings=SETTINGS, records=tmp_path / "records")
    n = len(finder.asked)
    loose = MergeRules(min_score=0.5)
    for result in (
        strict.again(loose),
        session.segment(settings=SETTINGS, rules=loose, records=tmp_path / "records"),
    ):
        assert len(result) > len(strict)
        assert same_objects(np.asarray(result.labels), expected(truth, 0.5))
    assert len(finder.asked) == n
    back = strict.again(strict.rules)
    np.testing.assert_array_equal(np.asarray(back.labels), np.asarray(strict.labels))


def test_what_is_much_smaller_than_the_diameter_is_no_object(
    truth: np.ndarray, finder: Finder, brightness_model: Sam
) -> None:
    image = open_image(pixels_of(truth), limits=(0, 255))
    session = Segmenter(brightness_model, image, diameter=60)
    settings = replace(SETTINGS, points_per_side=64)
    usual = session.segment(settings=settings)
    assert same_objects(np.asarray(usual.labels), np.where(truth == 1, 1, 0))
    small = session.segment(settings=replace(settings, min_area=0))
    assert len(small) > 100, "discs a quarter as wide"
    assert len(usual.again(replace(usual.rules, min_area=0))) == len(small)


def test_a_view_is_made_of_what_lies_in_it(session: Segmenter, truth: np.ndarray) -> None:
    result = session.segment(settings=SETTINGS)
    box = (40, 60, 160, 250)
    inside = slice(box[0], box[2]), slice(box[1], box[3])
    assert same_objects(result.view(box), expected(truth)[inside])
    loose = result.view(box, MergeRules(min_score=0.5))
    assert same_objects(loose, expected(truth, 0.5)[inside])
    assert not same_objects(loose, expected(truth)[inside])


def test_labels_on_disk_are_the_same_and_their_records_lie_beside_them(
    session: Segmenter, tmp_path: Path
) -> None:
    in_memory = session.segment(settings=SETTINGS)
    result = session.segment(tmp_path / "labels.zarr", settings=SETTINGS)
    assert isinstance(result.labels, LabelPyramid)
    again = LabelPyramid.open(tmp_path / "labels.zarr")
    np.testing.assert_array_equal(again.levels[0][:], np.asarray(in_memory.labels))
    assert again.next_id() == len(result) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.records", "labels.zarr"]
    assert Records.open(tmp_path / "labels.records").plane_shape == SHAPE
    with pytest.raises(InputError, match="exists already and is not overwritten"):
        session.segment(tmp_path / "labels.zarr", settings=SETTINGS)


def test_objects_are_in_labels_on_disk_as_soon_as_their_tile_is_done(
    session: Segmenter, truth: np.ndarray, tmp_path: Path
) -> None:
    out = tmp_path / "labels.zarr"
    boxes = []
    for step in session.segment_progress(out, settings=SETTINGS):
        if step.stage != "find":
            break
        boxes += [] if step.box is None else [step.box]
        shown = LabelPyramid.open(out).levels[0][:]
        if step.done == 2:
            assert shown.any()
            for y0, x0, y1, x1 in boxes:
                found = np.unique(truth[y0:y1, x0:x1][shown[y0:y1, x0:x1] > 0])
                assert len(found) > 1
                shown[y0:y1, x0:x1] = 0
            assert not shown.any(), "nothing else is there"
    assert len(boxes) > 9


def test_objects_are_added_to_labels_that_are_there(session: Segmenter, truth: np.ndarray) -> None:
    labels = np.zeros(SHAPE, np.uint32)
    labels[:30, :30] = 7
    before = labels.copy()
    result = session.segment(labels, settings=SETTINGS)
    assert result.labels is labels
    np.testing.assert_array_equal(labels[before > 0], 7)
    assert result.objects["id"].min() == 8
    assert same_objects(labels[40:, 40:], expected(truth)[40:, 40:])
    with pytest.raises(InputError, match="do not fit"):
        session.segment(np.zeros((5, 5), np.uint32))


def test_a_region_has_the_objects_that_are_found_from_within_it(
    session: Segmenter, truth: np.ndarray, finder: Finder
) -> None:
    region = (50, 70, 130, 180)
    result = session.segment(settings=SETTINGS, region=region)
    labels = np.asarray(result.labels)
    assert len(finder.asked) < len(session.store.grid(1))
    found = np.unique(truth[labels > 0])
    assert same_objects(labels, np.where(np.isin(truth, found), truth, 0)), "objects are whole"
    inside = np.unique(expected(truth)[60:120, 80:170])
    assert set(inside) - {0} <= set(found)
    assert not labels[: region[0] - 18].any()
    assert set(found) < set(np.unique(expected(truth)))
    mask = np.zeros((30, 42), bool)
    mask[5:13, 7:18] = True
    masked = session.segment(settings=SETTINGS, region=mask)
    np.testing.assert_array_equal(np.asarray(masked.labels), labels)


def test_planes_come_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, brightness_model: Sam
) -> None:
    stack = np.stack([slide((150, 160), seed) for seed in range(3)])
    by_content = {pixels_of(plane).tobytes(): plane for plane in stack}
    image = open_image(np.stack([pixels_of(plane) for plane in stack]), axes="TYX", limits=(0, 255))
    session = Segmenter(brightness_model, image)
    finder = Finder(stack[0])
    monkeypatch.setattr(find_masks, "find_in_tile", finder)

    def run(**options: Any) -> Any:
        for step in session.segment_progress(settings=SETTINGS, **options):
            if step.result is not None:
                return step.result
            following = step.plane
            if step.stage == "label":  # the next tile is of the next plane
                following = (min(step.plane[0] + 1, 2),)
            if options.get("planes") is None:
                finder.labels = stack[following[0]]
        return None

    result = run()
    assert len(by_content) == 3
    labels = np.asarray(result.labels)
    assert labels.shape == stack.shape
    for index in range(3):
        assert same_objects(labels[index], expected(stack[index]))
    ids = np.unique(labels)
    np.testing.assert_array_equal(ids, np.arange(len(result) + 1))
    np.testing.assert_array_equal(np.unique(result.objects["t"]), [0, 1, 2])
    for index in range(3):
        assert set(np.unique(labels[index])) - {0} == set(result.objects.query(f"t == {index}").id)

    finder.labels = stack[2]
    one = np.asarray(run(planes=[2]).labels)
    assert not one[:2].any()
    assert same_objects(one[2], expected(stack[2]))


def test_a_mask_of_every_object_goes_into_json(session: Segmenter, truth: np.ndarray) -> None:
    result = session.segment(settings=SETTINGS)
    parts = list(result.masks())
    ids = np.concatenate([part.ids for part in parts])
    np.testing.assert_array_equal(ids, result.objects["id"])
    areas = np.concatenate([part.found.areas for part in parts])
    np.testing.assert_array_equal(areas, result.objects["area"])


@pytest.mark.parametrize("value", [0, 77])
def test_a_constant_image_has_no_objects(value: int, brightness_model: Sam) -> None:
    session = Segmenter(brightness_model, np.full((200, 210), value, np.uint8))
    result = session.segment()
    assert (len(result), len(result.objects), result.seams) == (0, 0, ())
    assert not np.asarray(result.labels).any()
    assert brightness_model.encoded == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (1, 40, 50), (2, 1, 1, 9)])
def test_thin_images_and_stacks_of_one_plane_are_segmented(
    shape: tuple[int, ...], brightness_model: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = np.zeros(shape[-2:], np.int64)
    truth[:, truth.shape[1] // 2 :] = 1
    monkeypatch.setattr(find_masks, "find_in_tile", Finder(truth))
    pixels = np.broadcast_to(pixels_of(truth), shape)
    session = Segmenter(brightness_model, open_image(pixels, axes="TZYX"[-len(shape) :]))
    result = session.segment(settings=SETTINGS)
    labels = np.asarray(result.labels)
    assert labels.shape == shape
    if max(shape) > 1:
        assert len(result) == np.prod(shape[:-2], dtype=int)
        for plane in labels.reshape(-1, *shape[-2:]):
            assert same_objects(plane, truth)


def test_values_that_are_not_finite_are_one_sentence(brightness_model: Sam, finder: Finder) -> None:
    pixels = pixels_of(slide()).astype(np.float32)
    pixels[:, -3:] = np.nan
    with pytest.raises(InputError, match="finite"):
        Segmenter(brightness_model, open_image(pixels, limits=(0, 255))).segment(settings=SETTINGS)


def test_what_cannot_be_used_is_said_at_once(session: Segmenter, finder: Finder) -> None:
    with pytest.raises(InputTypeError, match="expected AutomaticSettings"):
        session.segment_progress(settings={"min_score": 0.5})  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="expected MergeRules"):
        session.segment_progress(rules=0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no area"):
        session.segment_progress(region=(5, 5, 5, 9))
    with pytest.raises(InputError, match="leading axes"):
        session.segment_progress(planes=[3])
    with pytest.raises(InputError, match="leave the region out"):
        session.segment_progress(region=(0, 0, 9, 9), boxes=[(1, 1, 5, 5)])
    with pytest.raises(InputError, match="no name for labels"):
        session.segment_progress("labels.tif")
    assert not finder.asked


def test_labels_too_large_for_memory_are_not_begun(brightness_model: Sam) -> None:
    image = open_image(np.broadcast_to(np.uint8(3), (20_000, 400)), limits=(0, 255))
    with pytest.raises(InputError, match="give out="):
        Segmenter(brightness_model, image).segment_progress()
