from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.images.source import open_image
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.predict import Segmenter
from napari_sam.segmentation.prompt import Prompt
from napari_sam.ui.asking import FIRST_LOOK, View, answer_hover, answer_prompt, look_ahead
from napari_sam.ui.eye import prompt_sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam.ui.asking import TilesInView

SHAPE = (300, 400)
SPAN = 128.0


class OneSegmenter:
    """A backend with a small model of random weights and one image."""

    def __init__(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
        self.only = Segmenter(build_sam("tiny", seed=0), open_image(pixels))

    def segmenter(self, model: str, image: object, report: object) -> Segmenter:
        return self.only


@pytest.fixture
def one() -> Any:
    return OneSegmenter()


def ahead(one: Any, box: tuple[float, ...], encode: bool = True) -> Iterator[TilesInView]:
    view: Any = View((), box, SPAN)
    return look_ahead(one, "small", None, view, lambda: None, encode=encode, is_loaded=True)


def test_what_was_looked_at_ahead_answers_at_once(one: Any) -> None:
    told: list[str] = []
    prompt = Prompt(points=[(150, 200)])
    assert answer_hover(one, "small", None, prompt, told.append, span=SPAN) is None
    seen = list(ahead(one, (100.0, 150.0, 200.0, 250.0)))
    assert not any(seen[0].ready)
    assert all(seen[-1].ready)
    assert len(seen) == 1 + len(seen[-1].ready) + 1
    sampling = prompt_sampling(one.only, prompt, SPAN)
    assert one.only.is_ready(prompt, sampling)
    answer_prompt(one, "small", None, prompt, told.append, span=SPAN)
    assert told == [], "neither was looked at for the first time"
    answer_prompt(one, "small", None, Prompt(points=[(5, 5)]), told.append, span=SPAN)
    assert told == [FIRST_LOOK]


def test_the_tiles_in_view_cover_the_view(one: Any) -> None:
    box = (100.0, 150.0, 200.0, 250.0)
    *_, last = ahead(one, box, encode=False)
    cores = np.array(last.cores)
    assert (cores[:, :2].min(axis=0) <= box[:2]).all()
    assert (cores[:, 2:].max(axis=0) >= box[2:]).all()
    assert not any(last.ready), "it only says what is there"


def test_a_part_of_a_view_of_very_many_tiles_is_looked_at(one: Any) -> None:
    view: Any = View((), (-0.5, -0.5, 299.5, 399.5), 32.0)
    first = next(
        look_ahead(one, "small", None, view, lambda: (10, 390), encode=True, is_loaded=True)
    )
    cores = np.array(first.cores)
    assert 16 <= len(cores) <= 81
    assert cores[:, 0].min() == -0.5
    assert cores[:, 3].max() == 399.5


def test_a_hover_is_drawn_where_the_prompt_finds_something(one: Any) -> None:
    whole = 512.0  # one tile sees all, and no mask is cut
    one.only.predict(points=[(9, 9)], sampling=4)
    drawn = 0
    for y in range(20, 300, 40):
        for x in range(20, 400, 40):
            prompt = Prompt(points=[(y, x)])
            picture = answer_hover(one, "small", None, prompt, lambda _: None, span=whole)
            found = one.only.predict_ready(prompt, prompt_sampling(one.only, prompt, whole))
            assert (picture is None) == (found is None or found[0].bounds is None)
            if picture is None:
                continue
            drawn += 1
            y0, x0, y1, x1 = found[0].bounds
            exact = found[0].draw((y0, x0, y1, x1))
            assert picture.origin == (y0, x0)
            np.testing.assert_array_equal(picture.mask[: y1 - y0, : x1 - x0], exact)
            assert (picture.edge <= picture.mask).all()
    assert drawn
