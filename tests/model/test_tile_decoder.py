"""The decoder arranged for speed against the decoder as it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.prompt_encoder import PromptTensors
from napari_sam.model.sam import build_sam
from napari_sam.model.tile_decoder import TileDecoder

if TYPE_CHECKING:
    from napari_sam.model.mask_decoder import Outputs


def prompts(kind: str, count: int, size: int, mask_size: int) -> PromptTensors:
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(count, 2, 2, generator=generator) * size
    corners = torch.rand(count, 2, 2, generator=generator) * size
    boxes = torch.cat([corners.amin(1), corners.amax(1)], dim=1)
    masks = torch.randn(count, 1, mask_size, mask_size, generator=generator) * 5
    labels = torch.tensor([1, 0]).expand(count, 2)
    return PromptTensors(
        points=points if "point" in kind else None,
        labels=labels if "point" in kind else None,
        boxes=boxes if "box" in kind else None,
        masks=masks if "mask" in kind else None,
    )


@pytest.mark.parametrize("variant", ["tiny", "tiny_tiny_vit"])
@pytest.mark.parametrize("kind", ["point", "box", "mask", "point box", "point mask", "box mask"])
@pytest.mark.parametrize("multimask", [True, False, "every"])
def test_it_gives_the_answers_of_the_trained_arrangement(
    variant: str, kind: str, multimask: Outputs
) -> None:
    sam = build_sam(variant, seed=1)
    config = sam.config
    embedding = torch.randn(config.channels, config.grid_size, config.grid_size)
    asked = prompts(kind, 3, config.image_size, config.mask_size)
    with torch.inference_mode():
        logits, iou = sam.decode(embedding, asked, multimask)
    decoder = TileDecoder(sam)
    found_logits, found_iou = decoder.decode(decoder.prepare(embedding), asked, multimask)
    assert logits.std() > 0
    torch.testing.assert_close(found_logits, logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found_iou, iou, atol=1e-5, rtol=1e-5)


def test_half_precision_gives_nearly_the_same() -> None:
    sam = build_sam("tiny", seed=1)
    config = sam.config
    embedding = torch.randn(config.channels, config.grid_size, config.grid_size)
    asked = prompts("point", 4, config.image_size, config.mask_size)
    exact, short = TileDecoder(sam), TileDecoder(sam, torch.bfloat16)
    logits, iou = exact.decode(exact.prepare(embedding), asked, multimask=True)
    near_logits, near_iou = short.decode(short.prepare(embedding), asked, multimask=True)
    assert not torch.equal(logits, near_logits)
    assert (logits - near_logits).abs().mean() < 0.02 * logits.std()
    torch.testing.assert_close(near_iou, iou, atol=0.02, rtol=0)


def test_masks_of_some_answers_are_those_of_all() -> None:
    sam = build_sam("tiny", seed=1)
    config = sam.config
    decoder = TileDecoder(sam)
    tile = decoder.prepare(torch.randn(config.channels, config.grid_size, config.grid_size))
    answers = decoder.ask(tile, prompts("point", 4, config.image_size, config.mask_size), True)
    every = decoder.masks(answers)
    chosen = decoder.masks(answers.choose(torch.tensor([2, 0]), torch.tensor([1, 2])))
    assert chosen.shape == (2, 1, config.mask_size, config.mask_size)
    torch.testing.assert_close(chosen[:, 0], torch.stack([every[2, 1], every[0, 2]]))


def test_a_tile_is_prepared_once_for_any_number_of_prompts() -> None:
    sam = build_sam("tiny", seed=1)
    config = sam.config
    decoder = TileDecoder(sam)
    tile = decoder.prepare(torch.randn(config.channels, config.grid_size, config.grid_size))
    before = tile.cells.clone()
    first = decoder.decode(tile, prompts("point", 2, config.image_size, config.mask_size), True)
    decoder.decode(tile, prompts("mask", 2, config.image_size, config.mask_size), False)
    again = decoder.decode(tile, prompts("point", 2, config.image_size, config.mask_size), True)
    assert torch.equal(tile.cells, before)
    assert torch.equal(first[0], again[0])


def test_prompts_that_the_weights_do_not_know_are_refused() -> None:
    sam = build_sam("lite_medsam", seed=1)
    config = sam.config
    decoder = TileDecoder(sam)
    tile = decoder.prepare(torch.zeros(config.channels, config.grid_size, config.grid_size))
    with pytest.raises(InputError, match="not trained for point prompts"):
        decoder.ask(tile, prompts("point", 1, config.image_size, config.mask_size), True)
