from __future__ import annotations

import pickle
import tracemalloc
import zlib
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.source import open_image
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.images.tiles import Window

HUGE = SyntheticSlide((200_000, 200_000), seed=7)
SLIDE = SyntheticSlide((2048, 2560), seed=11)
ODD = SyntheticSlide((1211, 1033), seed=5)

READABLE = [
    SLIDE.levels[0],
    SLIDE.levels[1],
    ODD.levels[1],
    HUGE.levels[8],
]


@pytest.fixture(scope="module")
def whole() -> list[np.ndarray]:
    return [np.asarray(level) for level in READABLE]


def slices(length: int) -> st.SearchStrategy[slice | int]:
    near = st.none() | st.integers(-length - 9, length + 9)
    steps = st.none() | st.sampled_from([1, 1, 2, 7, 300, -1, -5])
    return st.integers(-length, length - 1) | st.builds(slice, near, near, steps)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_part_is_bit_for_bit_what_the_whole_shows_there(
    whole: list[np.ndarray], data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(READABLE) - 1))
    height, width = READABLE[which].shape
    key = (data.draw(slices(height)), data.draw(slices(width)))
    part = READABLE[which][key]
    np.testing.assert_array_equal(part, whole[which][key])
    assert np.shape(part) == whole[which][key].shape
    assert part.dtype == READABLE[which].dtype


@pytest.mark.parametrize(
    "key",
    [3, -1, ..., (..., 5), (4, ...), (2, ..., 3), (), slice(5, 9), (np.int64(3), np.uint8(4))],
)
def test_a_level_is_indexed_like_an_array(key: Any) -> None:
    level = ODD.levels[1]
    np.testing.assert_array_equal(level[key], np.asarray(level)[key])


@pytest.mark.parametrize("key", [(0, 0, 0), [1, 2], None, True, 1.5, 606, (0, -518)])
def test_what_is_not_a_place_on_the_level_is_refused(key: Any) -> None:
    assert ODD.levels[1].shape == (606, 517)
    with pytest.raises(IndexError):
        ODD.levels[1][key]


def test_pixels_are_the_same_in_every_process_and_on_every_machine() -> None:
    """The numbers are those of the day this was written: the slide is a benchmark."""
    found = [
        zlib.crc32(np.ascontiguousarray(pixels).astype("<u4").tobytes())
        for pixels in (
            HUGE.levels[0][100_000:100_096, 100_000:100_096],
            HUGE.labels((100_000, 100_000, 100_096, 100_096)),
            HUGE.levels[3][12_000:12_096, 12_000:12_096],
            HUGE.levels[8][300:396, 300:396],
        )
    ]
    assert found == [1016387628, 2484702773, 2381229222, 2887110688]


def test_another_seed_is_another_slide_of_the_same_kind() -> None:
    one, two = (SyntheticSlide((1024, 1024), seed).levels[0][:] for seed in (1, 2))
    assert (one != two).mean() > 0.9
    assert np.array_equal(one, SyntheticSlide((1024, 1024), 1).levels[0][:])


def test_labels_of_a_part_are_those_of_the_whole() -> None:
    whole_slide = ODD.labels((0, 0, *ODD.shape))
    assert len(np.unique(whole_slide)) > 100
    for y0, x0, y1, x1 in ((0, 0, 1, 1), (127, 3, 600, 1033), (300, 511, 429, 1025)):
        np.testing.assert_array_equal(ODD.labels((y0, x0, y1, x1)), whole_slide[y0:y1, x0:x1])


def test_objects_are_what_the_labels_show() -> None:
    labels = SLIDE.labels((0, 0, *SLIDE.shape))
    objects = SLIDE.objects((0, 0, *SLIDE.shape))
    np.testing.assert_array_equal(objects.ids, np.unique(labels)[1:])
    assert len(objects) == SLIDE.n_objects > 500
    index = objects.ids.astype(np.int64)
    np.testing.assert_allclose(
        objects.centres, ndimage.center_of_mass(labels > 0, labels, index), atol=1e-9
    )
    np.testing.assert_array_equal(objects.areas, ndimage.sum_labels(labels > 0, labels, index))
    places = ndimage.find_objects(labels.astype(np.int64))
    tight = [places[i - 1] for i in index]
    edges = [[y.start - 0.5, x.start - 0.5, y.stop - 0.5, x.stop - 0.5] for y, x in tight]
    np.testing.assert_array_equal(objects.boxes, edges)


def test_every_nucleus_is_one_piece_and_of_a_usual_size() -> None:
    labels = SLIDE.labels((0, 0, *SLIDE.shape))
    objects = SLIDE.objects((0, 0, *SLIDE.shape))
    for box, label in zip(objects.boxes, objects.ids, strict=True):
        y0, x0, y1, x1 = (box + 0.5).astype(int)
        assert ndimage.label(labels[y0:y1, x0:x1] == label)[1] == 1
    sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    assert sides.min() > 10
    assert sides.max() < 110
    diameters = 2 * objects.radii
    assert 14 < diameters.min() < 20
    assert 70 < diameters.max() < 96
    middles = np.rint(objects.centres).astype(int)
    np.testing.assert_array_equal(labels[middles[:, 0], middles[:, 1]], objects.ids)


def test_boxes_that_partition_the_slide_partition_its_objects() -> None:
    whole_slide = SLIDE.objects((0, 0, *SLIDE.shape))
    parts = [
        SLIDE.objects(box)
        for box in (
            (0, 0, 777, 1301),
            (0, 1301, 777, 2560),
            (777, 0, 2048, 1301),
            (777, 1301, 2048, 2560),
        )
    ]
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids)
    np.testing.assert_array_equal(ids[order], whole_slide.ids)
    for name in ("centres", "boxes", "areas"):
        joined = np.concatenate([getattr(part, name) for part in parts])[order]
        np.testing.assert_array_equal(joined, getattr(whole_slide, name))


def test_objects_are_looked_for_in_blocks_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = ODD.objects((3, 5, 1200, 1000))
    monkeypatch.setattr("napari_sam.images.synthetic.OBJECT_BLOCK", 170)
    in_blocks = ODD.objects((3, 5, 1200, 1000))
    np.testing.assert_array_equal(in_blocks.ids, at_once.ids)
    np.testing.assert_array_equal(in_blocks.centres, at_once.centres)
    np.testing.assert_array_equal(in_blocks.boxes, at_once.boxes)


def test_nuclei_at_the_border_are_whole() -> None:
    nearest = []
    for seed in range(20):
        slide = SyntheticSlide((300, 260), seed)
        labels = slide.labels((0, 0, 300, 260))
        frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        assert not frame.any()
        distance = ndimage.distance_transform_cdt(np.pad(np.ones((300, 260), bool), 1))[1:-1, 1:-1]
        nearest.append(distance[labels > 0].min(initial=99))
    assert min(nearest) < 8  # and some do come near


def light(slide: SyntheticSlide, level: int, box: tuple[int, int, int, int]) -> np.ndarray:
    """Pixels of a level that cover a box of level 0 with edges on whole pixels of the level."""
    y0, x0, y1, x1 = (edge // 2**level for edge in box)
    return slide.levels[level][y0:y1, x0:x1].astype(float)


def test_a_nucleus_lies_where_the_coarser_levels_show_it() -> None:
    slide = SyntheticSlide((8192, 8192), seed=2)
    objects = slide.objects((3800, 3800, 4400, 4400))
    for i in np.argsort(objects.areas)[-5:]:
        corner, end = np.split((objects.boxes[i] + 0.5).astype(int), 2)
        box = (*(corner // 8 * 8), *(-(-end // 8) * 8))
        found = []
        for level in range(4):
            drawn = light(slide, level, box) - 150
            positions = [(np.arange(n) + 0.5) * 2**level for n in drawn.shape]
            total = drawn.sum()
            found.append((drawn.sum(1) @ positions[0] / total, drawn.sum(0) @ positions[1] / total))
        shifts = np.abs(np.array(found[1:]) - found[0]).max(axis=1)
        assert (shifts < 0.15 * np.array([2, 4, 8])).all()  # in pixels of level 0


def test_a_coarse_pixel_is_the_mean_of_what_it_covers() -> None:
    slide = SyntheticSlide((65_536, 65_536), seed=3)
    box = (33_000 // 64 * 64, 31_000 // 64 * 64, 33_000 // 64 * 64 + 1536, 31_000 // 64 * 64 + 1536)
    truth = light(slide, 0, box)
    for level in range(1, 7):
        factor = 2**level
        n = 1536 // factor
        mean = truth.reshape(n, factor, n, factor).mean(axis=(1, 3))
        coarse = light(slide, level, box)
        assert coarse.mean() == pytest.approx(truth.mean(), rel=0.04)
        assert np.corrcoef(coarse.ravel(), mean.ravel())[0, 1] > (0.99 if level < 6 else 0.95)


def test_very_coarse_levels_keep_the_mean() -> None:
    slide = SyntheticSlide((131_072, 131_072), seed=3)
    box = (65_536, 65_536, 65_536 + 8192, 65_536 + 8192)
    means = [light(slide, level, box).mean() for level in (3, 6, 7)]
    np.testing.assert_allclose(means, means[0], rtol=0.04)


def test_noise_shrinks_with_the_pixels_that_are_averaged() -> None:
    slide = SyntheticSlide((8192, 8192), seed=2)
    empty = (0, 0, 512, 512)
    assert not slide.labels(empty).any()
    deviations = [light(slide, level, empty).std() for level in range(4)]
    assert deviations[0] > 25
    np.testing.assert_allclose(deviations, deviations[0] / 2.0 ** np.arange(4), rtol=0.08)


def test_about_half_of_a_slide_is_tissue_and_its_middle_always() -> None:
    shares = []
    for seed in range(8):
        slide = SyntheticSlide((50_000, 70_000), seed)
        shares.append((slide.levels[-1][:, :] > 160).mean())
        assert len(slide.objects((24_500, 34_500, 25_500, 35_500))) > 50
    assert 0.35 < np.mean(shares) < 0.65
    assert min(shares) > 0.2
    assert max(shares) < 0.8


@pytest.mark.parametrize(
    ("shape", "levels"),
    [
        ((1, 1), [(1, 1)]),
        ((1024, 3), [(1024, 3)]),
        ((1025, 1), [(1025, 1), (513, 1)]),
        ((3001, 2049), [(3001, 2049), (1501, 1025), (751, 513)]),
    ],
)
def test_levels_halve_until_the_longer_side_is_at_most_1024(
    shape: tuple[int, int], levels: list[tuple[int, int]]
) -> None:
    slide = SyntheticSlide(shape)
    assert [level.shape for level in slide.levels] == levels
    assert [level[:].shape for level in slide.levels[-1:]] == levels[-1:]


def test_every_level_lies_on_the_slide_by_its_power_of_two_even_at_odd_far_edges() -> None:
    slide = SyntheticSlide((3001, 2049), seed=4)
    assert slide.levels[2].shape == (751, 513)
    assert slide.levels[2].factor == 4
    assert open_image(slide.levels, limits=(0, 1)).factors[2] == (4, 4)


def test_the_largest_slide_costs_what_is_read_of_it() -> None:
    tracemalloc.start()
    slide = SyntheticSlide((200_000, 200_000), seed=1)
    corner = slide.levels[0][-300:, -300:]
    middle = slide.levels[0][100_000:101_024, 100_000:101_024]
    labels = slide.labels((199_000, 199_000, 200_000, 200_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert corner.shape == (300, 300)
    assert corner.std() > 20
    assert middle.max() > 1500
    assert labels.shape == (1000, 1000)
    assert peak < 30e6
    assert len(slide.levels) == 9


def test_what_would_not_fit_in_memory_is_not_computed_by_accident() -> None:
    with pytest.raises(InputError, match="read a part of it"):
        np.asarray(HUGE.levels[0])
    with pytest.raises(ValueError, match="only a copy"):
        np.asarray(HUGE.levels[-1], copy=False)


def test_an_image_of_its_levels_is_drawn_at_any_sampling() -> None:
    image = open_image(HUGE.levels)
    assert image.n_levels == 9
    ((low, high),) = image.limits
    assert 0 < low < 200
    assert 1500 < high < 4000
    fine = image.render(Window((100_000.0, 100_000.0), (1.0, 1.0), 512))
    rough = image.render(Window((100_000.0, 100_000.0), (4.0, 4.0), 128))
    assert fine.mean() == pytest.approx(rough.mean(), rel=0.05)


def test_dask_reads_a_level_block_by_block(whole: list[np.ndarray]) -> None:
    level = READABLE[0]
    lazy = da.from_array(level, chunks=level.chunks)
    assert lazy.numblocks == (2, 3)
    np.testing.assert_array_equal(lazy.compute(scheduler="threads"), whole[0])
    again = SyntheticSlide(SLIDE.shape, SLIDE.seed).levels[0]
    assert da.from_array(again).name == da.from_array(level).name
    assert (
        da.from_array(SyntheticSlide(SLIDE.shape, 12).levels[0]).name != da.from_array(level).name
    )


def test_a_slide_travels_to_other_processes(whole: list[np.ndarray]) -> None:
    slide, level = pickle.loads(pickle.dumps((ODD, ODD.levels[1])))
    assert slide == ODD
    np.testing.assert_array_equal(level[:], whole[2])


def test_napari_shows_it() -> None:
    layers = pytest.importorskip("napari.layers")
    image = layers.Image(HUGE.levels, multiscale=True)
    assert image.multiscale
    np.testing.assert_array_equal(image.extent.data, [[0, 0], [199_999, 199_999]])
    assert image.get_value((100_000, 100_000)) is not None


@pytest.mark.parametrize(
    "shape",
    [(0, 5), (5, -1), (200_001, 5), (5,), (5, 5, 5), 7, "ab", (5.0, 5), (2.5, 5), None],
)
def test_a_shape_that_cannot_be_made_is_refused(shape: Any) -> None:
    with pytest.raises(InputError):
        SyntheticSlide(shape)


def test_a_seed_is_a_whole_number() -> None:
    with pytest.raises(InputTypeError):
        SyntheticSlide((10, 10), seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        SyntheticSlide((10, 10), seed=-1)
    slide = SyntheticSlide(np.array([10, 10]), np.int64(3))  # type: ignore[arg-type]
    assert slide == SyntheticSlide((10, 10), 3)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 0, 5), (5, 0, 4, 5), (-1, 0, 4, 5), (0, 0, 1212, 5), (0, 0, 5), (0.5, 0, 4, 5), None],
)
def test_a_box_that_is_not_on_the_slide_is_refused(box: Any) -> None:
    for ask in (ODD.labels, ODD.objects):
        with pytest.raises(InputError):
            ask(box)


def test_a_slide_too_small_for_a_nucleus_has_none() -> None:
    slide = SyntheticSlide((40, 3000))
    assert slide.n_objects == 0
    assert len(slide.objects((0, 0, 40, 3000))) == 0
    assert not slide.labels((0, 0, 40, 3000)).any()
