"""The encoder arranged for speed against the encoder as it is trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_sam.errors import InputError
from napari_sam.model.precision import has_bfloat16, resolve_precision
from napari_sam.model.sam import Sam, build_sam
from napari_sam.model.tile_encoder import TileEncoder

CPU = torch.device("cpu")


@pytest.fixture(params=["tiny", "tiny_tiny_vit"])
def sam(request: pytest.FixtureRequest) -> Sam:
    model = build_sam(request.param, seed=2)
    generator = torch.Generator().manual_seed(0)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):  # as trained: untouched statistics fold to nothing
            part.running_mean = torch.randn(part.num_features, generator=generator) * 0.2
            part.running_var = torch.rand(part.num_features, generator=generator) + 0.5
    return model


def images(sam: Sam) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    size = sam.config.image_size
    return sam.preprocess(torch.rand(2, 3, size, size, generator=generator) * 255)


def test_it_gives_the_embedding_of_the_trained_arrangement(sam: Sam) -> None:
    x = images(sam)
    with torch.inference_mode():
        expected = sam.encode(x)
    assert expected.std() > 0.1
    torch.testing.assert_close(TileEncoder(sam)(x), expected, atol=2e-5, rtol=1e-5)


def test_half_precision_gives_nearly_the_same_in_single_precision(sam: Sam) -> None:
    x = images(sam)
    exact, short = TileEncoder(sam)(x), TileEncoder(sam, torch.bfloat16)(x)
    assert short.dtype == torch.float32
    assert not torch.equal(exact, short)
    assert (exact - short).abs().mean() < 0.03 * exact.std()


def test_the_trained_model_stays_as_it_is(sam: Sam) -> None:
    before = {key: value.clone() for key, value in sam.state_dict().items()}
    TileEncoder(sam, torch.bfloat16)(images(sam))
    after = sam.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert all(parameter.requires_grad for parameter in sam.parameters())


def test_it_is_kept_until_weights_or_precision_change(sam: Sam) -> None:
    sam.precision = "float32"
    first = sam.tile_encoder()
    assert sam.tile_encoder() is first
    with torch.no_grad():
        next(sam.image_encoder.parameters()).mul_(1.5)
    second = sam.tile_encoder()
    assert second is not first
    sam.precision = "bfloat16"
    assert sam.tile_encoder() is not second


def test_precision_is_chosen_by_what_the_device_can_do() -> None:
    expected = torch.bfloat16 if has_bfloat16(CPU) else torch.float32
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(
        InputError, match="no precision 'half'; choose from auto, float32, bfloat16"
    ):
        resolve_precision("half", CPU)
