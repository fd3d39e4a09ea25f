"""Views: balanced sources, crop sizes, and embeddings that are made once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.sam import Sam, build_sam
from napari_sam.training.views import Views, image_chances

if TYPE_CHECKING:
    from tests.training.conftest import MakeImage

    from napari_sam.training.annotated import AnnotatedImage
    from napari_sam.training.recipe import Recipe


def test_sources_are_balanced(make_image: MakeImage) -> None:
    image = make_image(0)
    many = [replace(image, source="many")] * 16 + [replace(image, source="one")]
    chances = image_chances(many)
    assert sum(chances) == pytest.approx(1)
    assert len(set(chances[:16])) == 1
    # 16 times the images are seen twice as often, each of them one eighth as often.
    assert sum(chances[:16]) == pytest.approx(2 * chances[16])


def test_sources_are_drawn_as_balanced(make_image: MakeImage, recipe: Recipe) -> None:
    image = make_image(0)
    dark = replace(image, source="one", labels=image.labels + 100 * (image.labels > 0))
    images = [replace(image, source="many")] * 16 + [dark]
    views = Views(build_sam("tiny_tiny_vit", seed=0), images, recipe)
    anchors = [views.fresh(3, np.random.default_rng(seed)).anchor for seed in range(50)]
    assert 0.2 < np.mean(np.array(anchors) > 100) < 0.5


def test_a_kept_view_is_encoded_once_and_holds_little(
    images: list[AnnotatedImage], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam = build_sam("tiny_tiny_vit", seed=0)
    encode, sizes = Sam.encode, []
    monkeypatch.setattr(
        Sam, "encode", lambda sam, x: sizes.append(x.shape[-1] // 16) or encode(sam, x)
    )
    views = Views(sam, images, recipe)
    first = [views.kept(index) for index in range(4)]
    assert len(sizes) == 4
    assert [views.kept(index) for index in range(4)] == first
    assert len(sizes) == 4
    again = Views(sam, images, recipe).kept(2)
    assert torch.equal(again.embedding, first[2].embedding)
    assert torch.equal(again.labels, first[2].labels)
    for view, cells in zip(first, sizes, strict=False):
        assert not view.embedding.requires_grad
        kept = view.embedding.untyped_storage().nbytes() + view.labels.untyped_storage().nbytes()
        assert kept == cells**2 * (32 * 4 + 8 * 8 * 4)


def test_what_the_documentation_says_of_memory_is_true_at_the_size_of_sam() -> None:
    smallest, tile = (cells**2 * (256 * 4 + 8 * 8 * 4) for cells in (28, 64))
    assert round(smallest / 1e6) == 1
    assert round(tile / 1e6) == 5


def test_crops_have_the_sides_of_the_recipe_as_often_as_it_says(
    images: list[AnnotatedImage], recipe: Recipe
) -> None:
    sam = build_sam("tiny_tiny_vit", seed=0)
    chosen = replace(recipe, crop_cells=(4, 6), crop_chances=(3.0, 1.0))
    rng = np.random.default_rng(0)
    drawn = Counter(Views(sam, images, chosen).draw_side(rng) for _ in range(400))
    assert set(drawn) == {4, 6}
    assert 0.68 < drawn[4] / 400 < 0.82
    usual = Counter(Views(sam, images, recipe).draw_side(rng) for _ in range(400))
    assert sorted(usual) == [3, 5, 8]
    assert usual[3] > usual[5] > usual[8]
    view = Views(sam, images, recipe).fresh(5, rng)
    assert view.embedding.shape == (1, 32, 5, 5)
    assert view.labels.shape == (40, 40)


@pytest.mark.parametrize(
    ("variant", "cells", "says"),
    [
        ("tiny_tiny_vit", (4, 9), "this model's tiles have 1 to 8 cells"),
        ("tiny_tiny_vit", (0,), "this model's tiles have 1 to 8 cells"),
        ("tiny", (4,), "this encoder sees whole tiles only, (8,)"),
    ],
)
def test_crops_that_the_encoder_cannot_see_are_refused(
    variant: str, cells: tuple[int, ...], says: str, images: list[AnnotatedImage], recipe: Recipe
) -> None:
    with pytest.raises(InputError) as refusal:
        Views(build_sam(variant, seed=0), images, replace(recipe, crop_cells=cells))
    assert says in str(refusal.value)


def test_a_vit_sees_whole_tiles(images: list[AnnotatedImage], recipe: Recipe) -> None:
    views = Views(build_sam("tiny", seed=0), images, recipe)
    assert {views.draw_side(np.random.default_rng(seed)) for seed in range(9)} == {8}
