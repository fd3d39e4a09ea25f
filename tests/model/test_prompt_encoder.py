"""The prompt encoder: what each prompt becomes, and the same as the released code makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.config import VARIANTS
from napari_sam.model.prompt_encoder import PromptEncoder, PromptTensors

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

TINY = VARIANTS["tiny"]


@pytest.fixture
def encoder(randomise: Callable[..., None]) -> PromptEncoder:
    """Return a prompt encoder for 128 x 128 model pixels, 8 x 8 cells, masks of 32 x 32."""
    encoder = PromptEncoder(TINY).eval()
    randomise(encoder)
    return encoder.requires_grad_(False)


def made(*parts: str) -> PromptTensors:
    """Make two prompts with the named parts."""
    generator = torch.Generator().manual_seed(0)
    xy = 128 * torch.rand(2, 3, 2, generator=generator)
    corners = 128 * torch.rand(2, 2, 2, generator=generator).sort(dim=1).values
    return PromptTensors(
        points=xy if "points" in parts else None,
        labels=torch.tensor([[1, 0, 1], [0, 1, -1]]) if "points" in parts else None,
        boxes=corners.flatten(1) if "boxes" in parts else None,
        masks=torch.randn(2, 1, 32, 32, generator=generator) if "masks" in parts else None,
    )


COMBINATIONS = [
    ("points",),
    ("boxes",),
    ("masks",),
    ("points", "boxes"),
    ("points", "masks"),
    ("boxes", "masks"),
    ("points", "boxes", "masks"),
]


@pytest.mark.parametrize("parts", COMBINATIONS, ids="+".join)
def test_every_mixture_of_prompts_equals_the_released_code(
    segment_anything: types.ModuleType, encoder: PromptEncoder, parts: tuple[str, ...]
) -> None:
    theirs = segment_anything.modeling.PromptEncoder(
        embed_dim=32, image_embedding_size=(8, 8), input_image_size=(128, 128), mask_in_chans=8
    )
    theirs.load_state_dict(encoder.state_dict(), strict=True)
    theirs.requires_grad_(False)
    prompts = made(*parts)
    sparse, dense = encoder(prompts)
    # The released code takes pixel indices and adds half a pixel itself.
    points = None if prompts.points is None else (prompts.points - 0.5, prompts.labels)
    boxes = None if prompts.boxes is None else prompts.boxes - 0.5
    expected_sparse, expected_dense = theirs(points, boxes, prompts.masks)
    torch.testing.assert_close(sparse, expected_sparse, atol=1e-5, rtol=0)
    torch.testing.assert_close(dense, expected_dense, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder.dense_positions(), theirs.get_dense_pe(), atol=1e-5, rtol=0)


def test_a_point_at_the_centre_of_a_cell_has_the_position_of_that_cell(
    encoder: PromptEncoder,
) -> None:
    row, column = 2, 5
    centre = torch.tensor([[[(column + 0.5) * TINY.cell, (row + 0.5) * TINY.cell]]])
    sparse, _ = encoder(PromptTensors(points=centre, labels=torch.tensor([[1]])))
    position = sparse[0, 0] - encoder.point_embeddings[1].weight[0]
    torch.testing.assert_close(position, encoder.dense_positions()[0, :, row, column])


def test_points_without_a_box_end_in_a_padding_token(encoder: PromptEncoder) -> None:
    alone, _ = encoder(made("points"))
    with_box, _ = encoder(made("points", "boxes"))
    assert alone.shape == (2, 3 + 1, 32)
    assert with_box.shape == (2, 3 + 2, 32)
    torch.testing.assert_close(alone[:, 3], encoder.not_a_point_embed.weight.expand(2, -1))
    torch.testing.assert_close(alone[:, :3], with_box[:, :3])


def test_the_position_of_a_padding_point_is_ignored(encoder: PromptEncoder) -> None:
    labels = torch.tensor([[1, -1]])
    here, _ = encoder(PromptTensors(points=torch.tensor([[[3.0, 4.0], [5.0, 6.0]]]), labels=labels))
    away, _ = encoder(PromptTensors(points=torch.tensor([[[3.0, 4.0], [70.0, 9]]]), labels=labels))
    moved, _ = encoder(
        PromptTensors(points=torch.tensor([[[9.0, 4.0], [5.0, 6.0]]]), labels=labels)
    )
    torch.testing.assert_close(here, away, atol=0, rtol=0)
    assert not torch.allclose(here, moved)


def test_a_mask_alone_has_no_tokens(encoder: PromptEncoder) -> None:
    sparse, dense = encoder(made("masks"))
    assert sparse.shape == (2, 0, 32)
    assert dense.shape == (2, 32, 8, 8)


def test_prompts_may_be_of_any_float_type(encoder: PromptEncoder) -> None:
    single = made("points", "masks")
    assert single.points is not None
    assert single.masks is not None
    double = PromptTensors(
        points=single.points.double(), labels=single.labels, masks=single.masks.double()
    )
    for ours, expected in zip(encoder(double), encoder(single), strict=True):
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


def test_positions_stay_precise_in_a_model_of_low_precision(encoder: PromptEncoder) -> None:
    corners = torch.tensor([[100.0, 101.0, 120.25, 120.5]])
    low = PromptEncoder(TINY).to(torch.bfloat16).requires_grad_(False)
    low.load_state_dict(encoder.state_dict())
    encoder.load_state_dict(low.state_dict())  # the same rounded weights in both
    expected, _ = encoder(PromptTensors(boxes=corners))
    sparse, _ = low(PromptTensors(boxes=corners))
    assert sparse.dtype == torch.bfloat16
    torch.testing.assert_close(sparse.float(), expected, atol=0.02, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = encoder(PromptTensors(boxes=corners))
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=0)


def test_masks_of_another_size_are_refused(encoder: PromptEncoder) -> None:
    with pytest.raises(InputError, match="expects logits of 32 x 32"):
        encoder(PromptTensors(masks=torch.zeros(1, 1, 64, 64)))


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({}, "empty"),
        ({"points": torch.zeros(1, 1, 2)}, "points but no labels"),
        ({"labels": torch.zeros(1, 1)}, "labels but no points"),
        ({"points": torch.zeros(1, 2), "labels": torch.zeros(1)}, r"expected \(P, N, 2\)"),
        ({"points": torch.zeros(1, 1, 3), "labels": torch.zeros(1, 1)}, r"expected \(P, N, 2\)"),
        ({"points": torch.zeros(1, 3, 2), "labels": torch.zeros(1, 2)}, r"points' \(1, 3\)"),
        ({"boxes": torch.zeros(4)}, r"expected \(P, 4\)"),
        ({"boxes": torch.zeros(1, 2, 2)}, r"expected \(P, 4\)"),
        ({"masks": torch.zeros(32, 32)}, r"expected \(P, 1, M, M\)"),
        ({"masks": torch.zeros(1, 3, 32, 32)}, r"expected \(P, 1, M, M\)"),
        ({"masks": torch.zeros(1, 1, 32, 16)}, r"expected \(P, 1, M, M\)"),
        (
            {"boxes": torch.zeros(2, 4), "masks": torch.zeros(3, 1, 32, 32)},
            "2 boxes, 3 masks",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_a_sentence(
    parts: dict[str, torch.Tensor], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        PromptTensors(**parts)
