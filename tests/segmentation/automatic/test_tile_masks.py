"""The masks of one tile, with a decoder whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_sam.images.tiles import TileGrid, TileIndex, Window
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import tile_masks as module
from napari_sam.segmentation.automatic.point_grid import tile_points, window_points
from napari_sam.segmentation.automatic.run_lengths import decode
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import TileFinding, find_in_tile
from napari_sam.segmentation.predict import Segmenter

if TYPE_CHECKING:
    from napari_sam.model.prompt_encoder import PromptTensors
    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.automatic.found import FoundMasks

SIZE, SIDE, CELLS = 128, 32, 8
FULL = AutomaticSettings(skip=False)


@dataclass(frozen=True)
class Disc:
    """An object in model coordinates."""

    x: float
    y: float
    radius: float
    score: float = 0.95

    def logits(self, radius: float) -> Tensor:
        places = (torch.arange(SIDE) + 0.5) * SIZE / SIDE
        y, x = torch.meshgrid(places, places, indexing="ij")
        return 10 * (radius - torch.hypot(x - self.x, y - self.y))


class Answers(NamedTuple):
    iou: Tensor
    objects: list[Disc | None]

    def take(self, prompts: Tensor) -> Answers:
        return Answers(self.iou[prompts], [self.objects[i] for i in prompts.tolist()])


class Tile(NamedTuple):
    bare: Tensor


class Discs:
    """Decodes a point to the disc that it is in: whole, two thirds as wide, one third as wide.

    Scores fall by 0.01 a part, and a little towards the edge of the disc.
    """

    def __init__(self, *discs: Disc) -> None:
        self.discs = discs
        self.batches: list[int] = []
        self.drawn = 0

    def tile(self) -> Tile:
        """Embedding: which disc each cell is in."""
        cells = (torch.arange(CELLS) + 0.5) * SIZE / CELLS
        looks = torch.zeros(CELLS, CELLS, len(self.discs) + 1)
        for row, y in enumerate(cells.tolist()):
            for column, x in enumerate(cells.tolist()):
                found = self._at(x, y)
                looks[row, column, 0 if found is None else 1 + self.discs.index(found)] = 1
        return Tile(looks.flatten(0, 1)[None])

    def _at(self, x: float, y: float) -> Disc | None:
        inside = [d for d in self.discs if np.hypot(d.x - x, d.y - y) < d.radius]
        return inside[0] if inside else None

    def ask(self, tile: Tile, prompts: PromptTensors, multimask: bool) -> Answers:
        assert multimask
        assert prompts.points is not None
        self.batches.append(len(prompts.points))
        points = prompts.points[:, 0].tolist()
        objects = [self._at(x, y) for x, y in points]
        iou = torch.full((len(points), 3), 0.1)
        for row, (found, (x, y)) in enumerate(zip(objects, points, strict=True)):
            if found is not None:
                away = np.hypot(found.x - x, found.y - y) / found.radius
                iou[row] = found.score - 0.01 * torch.arange(3) - 0.001 * away
        return Answers(iou, objects)

    def masks(self, answers: Answers) -> Tensor:
        self.drawn += len(answers.objects)
        empty = torch.full((SIDE, SIDE), -10.0)
        return torch.stack(
            [
                torch.stack([empty if d is None else d.logits(d.radius * k / 3) for k in (3, 2, 1)])
                for d in answers.objects
            ]
        )


def find(
    decoder: Any,
    settings: AutomaticSettings = FULL,
    window: Window | None = None,
    plane_shape: tuple[int, int] = (SIZE, SIZE),
    points: np.ndarray | None = None,
    **options: Any,
) -> TileFinding:
    window = window or Window((0.0, 0.0), (1.0, 1.0), SIZE)
    if points is None:
        points = window_points((SIZE, SIZE), 16) * window.sampling + window.origin
    return find_in_tile(
        decoder,
        decoder.tile(),
        window,
        points,
        settings,
        plane_shape,
        tile_index=TileIndex(0, 0),
        **options,
    )


def whole(found: FoundMasks) -> FoundMasks:
    return found.take(found.tokens == 1)


TWO = (Disc(40, 50, 24), Disc(96, 90, 16, 0.9))


def test_an_object_that_many_points_meet_is_kept_once_with_its_parts() -> None:
    finding = find(Discs(*TWO))
    found = finding.found
    assert finding.asked == 256
    assert finding.skipped == finding.cut == 0
    assert found.tokens.tolist() == [1, 2, 3] * 2
    assert len(np.unique(found.prompts)) == 2  # whole, part and subpart of one point each
    radii = np.sqrt(found.areas / np.pi)
    np.testing.assert_allclose(radii, [24, 16, 8, 16, 32 / 3, 16 / 3], rtol=0.05)
    assert (found.scores[:3] > found.scores[3:]).all()


@pytest.mark.parametrize("skip", [True, False])
def test_it_says_how_many_points_are_done_up_to_all(skip: bool) -> None:
    said = []
    settings = AutomaticSettings(keep_score=0.5, keep_stability=0.5, skip=skip)
    finding = find(Discs(*TWO), settings, on_points=lambda *now: said.append(now))
    assert (finding.asked < 256) == skip
    assert len(said) == finding.asked
    assert [total for _, total in said] == [256] * len(said)
    done = [done for done, _ in said]
    assert done == sorted(set(done))
    assert done[0] >= 1
    assert 256 - done[-1] <= (finding.skipped if skip else 0)


def test_a_row_says_where_and_how_it_was_found() -> None:
    decoder = Discs(*TWO)
    points = window_points((SIZE, SIZE), 16)
    found = whole(find(decoder, points=points).found)
    np.testing.assert_array_equal(found.points, points[found.prompts])
    for row, disc in enumerate(TWO):
        y, x = found.points[row] + 0.5
        assert np.hypot(disc.y - y, disc.x - x) < 6  # the point nearest to its middle scores best
        y0, x0, y1, x1 = found.boxes[row]
        assert (y0 + y1) / 2 == pytest.approx(disc.y, abs=1)
        assert (x0 + x1) / 2 == pytest.approx(disc.x, abs=1)
        mask = decode(found.rles[row], (y1 - y0, x1 - x0))
        assert mask.sum() == found.areas[row]
        assert found.stability[row] == pytest.approx(
            ((disc.radius - 0.1) / (disc.radius + 0.1)) ** 2, abs=0.01
        )
    assert found.samplings.tolist() == [1.0, 1.0]
    assert found.tiles.tolist() == [[0, 0], [0, 0]]


def test_rows_are_in_level_0_pixels() -> None:
    window = Window((192.0, 384.0), (2.0, 2.0), SIZE)
    found = whole(find(Discs(*TWO), window=window, plane_shape=(448, 640)).found)
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    expected = [(192 + 2 * disc.y, 384 + 2 * disc.x) for disc in TWO]
    np.testing.assert_allclose(centres, expected, atol=2)
    np.testing.assert_allclose(np.sqrt(found.areas / np.pi), [48, 32], rtol=0.05)
    assert found.samplings.tolist() == [2.0, 2.0]


def test_skipping_asks_less_and_finds_the_same_objects() -> None:
    full, skipping = Discs(*TWO), Discs(*TWO)
    every = find(full)
    some = find(skipping, AutomaticSettings())
    assert some.asked + some.skipped == every.asked == 256
    assert some.asked < 128
    assert sum(skipping.batches) == some.asked
    ours, theirs = whole(some.found), whole(every.found)
    assert len(ours) == len(theirs) == 2
    np.testing.assert_allclose(ours.boxes, theirs.boxes)


@pytest.mark.parametrize("batch", [1, 4])
def test_masks_of_points_that_score_too_low_are_not_even_drawn(batch: int) -> None:
    decoder = Discs(*TWO)
    find(decoder, batch=batch)
    y, x = (window_points((SIZE, SIZE), 16) + 0.5).T
    inside = sum(int((np.hypot(d.x - x, d.y - y) < d.radius).sum()) for d in TWO)
    assert decoder.drawn == inside < sum(decoder.batches) == 256


def test_scores_and_stability_below_what_is_kept_are_left_out() -> None:
    found = find(Discs(*TWO), replace(FULL, min_score=0.94, keep_score=0.92)).found
    assert found.scores.min() >= 0.92
    assert len(found) == 3  # all of the first object
    least = replace(FULL, min_stability=0.95, keep_stability=0.95)
    assert 0 < len(find(Discs(*TWO), least).found) < 6


def test_what_is_found_does_not_depend_on_thresholds_that_may_change_later() -> None:
    usual = find(Discs(*TWO), AutomaticSettings())
    strict = find(
        Discs(*TWO), AutomaticSettings(min_score=0.999, min_stability=0.999, min_area=1e6)
    )
    assert len(usual.found) == len(strict.found) > 0
    np.testing.assert_array_equal(usual.found.boxes, strict.found.boxes)
    assert (usual.asked, usual.cut) == (strict.asked, strict.cut)


@pytest.mark.parametrize("batch", [3, 16])
def test_the_size_of_a_batch_is_always_the_same_and_changes_nothing(batch: int) -> None:
    decoder = Discs(*TWO)
    together, one_by_one = find(decoder, batch=batch), find(Discs(*TWO))
    assert set(decoder.batches) == {batch}
    assert together.asked == one_by_one.asked
    for name in ("boxes", "scores", "prompts", "tokens", "areas"):
        np.testing.assert_array_equal(
            getattr(together.found, name), getattr(one_by_one.found, name)
        )


def test_an_object_cut_by_the_window_is_counted_and_not_kept() -> None:
    at_edge = Discs(Disc(118, 60, 12))
    kept = find(at_edge)
    assert len(whole(kept.found)) == 1  # the plane ends there
    assert kept.cut == 0
    cut = find(at_edge, plane_shape=(SIZE, 2 * SIZE))
    assert cut.cut > 0
    assert (np.sqrt(cut.found.areas / np.pi) < 9).all()  # its parts are whole


def test_background_is_not_kept() -> None:
    everything = Discs(Disc(64, 64, 200))
    assert len(find(everything, replace(FULL, max_share=1.0)).found) > 0
    found = find(everything).found
    assert (found.areas < 0.95 * SIZE**2).all()
    assert find(everything, replace(FULL, max_share=0.1), plane_shape=(512, 512)).cut == 0


def test_what_a_finer_sampling_has_shown_whole_is_left_out() -> None:
    found = find(Discs(*TWO), smallest=40.0).found
    assert len(found) == 1
    assert found.areas[0] == pytest.approx(np.pi * 24**2, rel=0.05)


def test_what_is_long_and_thin_was_not_shown_whole_by_a_finer_sampling() -> None:
    class Rod(Disc):
        def logits(self, radius: float) -> Tensor:
            places = (torch.arange(SIDE) + 0.5) * SIZE / SIDE
            y, x = torch.meshgrid(places, places, indexing="ij")
            return 10 * (radius - torch.hypot((x - self.x) / 5, y - self.y))

    found = find(Discs(Rod(64, 64, 6)), smallest=40.0).found
    (height, width) = (found.boxes[0, 2:] - found.boxes[0, :2]).tolist()
    assert height < 20 < 50 < width


def test_islands_go_unless_they_are_wanted() -> None:
    class WithIslands(Discs):
        def masks(self, answers: Answers) -> Tensor:
            logits = super().masks(answers)
            logits[..., 2:4, 28:30] = 10.0  # 4 logits, 64 pixels
            return logits

    kept = whole(find(WithIslands(*TWO), replace(FULL, region_area=0)).found)
    cleaned = whole(find(WithIslands(*TWO)).found)
    assert (kept.boxes[:, 0] < 20).all()
    assert (cleaned.boxes[:, 0] > 20).all()
    assert (
        whole(find(WithIslands(*TWO), replace(FULL, region_area=65)).found).boxes[:, 0] > 20
    ).all()


def test_letting_duplicates_go_early_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = find(Discs(*TWO)).found
    monkeypatch.setattr(module, "HELD_BYTES", 0)
    early = find(Discs(*TWO)).found
    np.testing.assert_array_equal(early.boxes, usual.boxes)
    np.testing.assert_array_equal(early.prompts, usual.prompts)


@pytest.mark.parametrize("skip", [True, False])
def test_without_points_nothing_is_found(skip: bool) -> None:
    finding = find(Discs(*TWO), AutomaticSettings(skip=skip), points=np.empty((0, 2)))
    assert len(finding.found) == finding.asked == finding.skipped == 0
    assert finding.found.points.shape == (0, 2)
    assert finding.found.tiles.shape == (0, 2)


def test_a_mask_is_the_one_that_a_click_gives(disc_model: Sam) -> None:
    image = np.random.default_rng(0).integers(0, 255, (200, 300), np.uint8)
    segmenter = Segmenter(disc_model, image)
    grid = TileGrid.for_cells((200, 300), 1.0, SIZE, 16)
    tile = TileIndex(1, 1)
    points = tile_points(grid, tile, 30.0)
    assert len(points) > 4
    loose = AutomaticSettings(
        keep_score=0, keep_stability=0, min_score=0, min_stability=0, region_area=0, skip=False
    )
    finding = find_in_tile(
        disc_model.tile_decoder(),
        segmenter._tile((), grid.window(tile)),
        grid.window(tile),
        points,
        loose,
        (200, 300),
        tile_index=tile,
    )
    found = finding.found
    assert len(found) > len(points)
    for row in range(len(found)):
        clicked = segmenter.predict(points=[found.points[row]], sampling=1.0)
        index = int(np.argmin(np.abs(clicked.scores - found.scores[row])))
        y0, x0, y1, x1 = found.boxes[row]
        assert clicked[index].box == (y0 - 0.5, x0 - 0.5, y1 - 0.5, x1 - 0.5)
        np.testing.assert_array_equal(
            decode(found.rles[row], (y1 - y0, x1 - x0)), clicked[index].draw((y0, x0, y1, x1))
        )


def test_a_real_decoder_gives_the_same_whenever_it_is_asked() -> None:
    sam = build_sam("tiny", seed=0)
    sam.precision = "float32"
    image = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), np.uint8)
    segmenter = Segmenter(sam, image)
    window = Window((0.0, 0.0), (1.0, 1.0), SIZE)
    loose = AutomaticSettings(keep_score=0, keep_stability=0, min_score=0, min_stability=0)
    tile = segmenter._tile((), window)
    points = window_points((SIZE, SIZE), 6)
    first, again = (
        find_in_tile(decoder, tile, window, points, loose, (SIZE, SIZE), tile_index=TileIndex(0, 0))
        for decoder in (sam.tile_decoder(), sam.tile_decoder())
    )
    assert first.asked + first.skipped == 36
    assert 0 < first.asked == again.asked
    assert len(first.found) == len(again.found) > 0
    np.testing.assert_array_equal(first.found.scores, again.found.scores)
    assert list(first.found.rles) == list(again.found.rles)
