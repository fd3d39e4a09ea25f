"""Windows to embeddings in batches of one shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_sam.model.sam import Sam, build_sam
from napari_sam.segmentation.encoding import batch_size, encode


class Counting:
    """An encoder with room for so many images; what it gets is written down."""

    def __init__(self, batch: int, room: int) -> None:
        self.batch, self.room = batch, room
        self.shapes: list[int] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.shapes.append(len(images))
        if len(images) > self.room:
            raise torch.OutOfMemoryError("too many")
        return images.mean((1, 2, 3)).reshape(-1, 1, 1, 1)


@pytest.fixture
def sam() -> Sam:
    return build_sam("tiny", seed=0)


def pictures(count: int) -> list[Any]:
    return [np.full((3, 128, 128), 10 * index, np.uint8) for index in range(count)]


def use(sam: Sam, encoder: Counting, monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(sam, "tile_encoder", lambda: encoder)
    return encoder


def test_the_last_batch_is_filled_up(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = use(sam, Counting(batch=4, room=4), monkeypatch)
    embeddings = encode(sam, pictures(5))
    assert encoder.shapes == [4, 4]
    values = [float(embedding.squeeze()) for embedding in embeddings]
    assert len(values) == 5
    assert values == sorted(set(values))


def test_an_embedding_does_not_depend_on_how_many_were_asked_for(sam: Sam) -> None:
    sam.tile_encoder().batch = 3
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 255, (3, 128, 100), np.uint8) for _ in range(2)]
    both = encode(sam, images)
    alone = [encode(sam, [image])[0] for image in images]
    assert not np.array_equal(*both)
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_batch_that_does_not_fit_into_memory_gets_smaller_for_good(
    sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(sam, pictures(3))
    encoder = use(sam, Counting(batch=8, room=2), monkeypatch)
    assert len(encode(sam, pictures(3))) == len(expected)
    assert encoder.shapes == [8, 4, 2, 2]
    assert batch_size(sam) == 2


def test_one_image_that_does_not_fit_is_an_error(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    use(sam, Counting(batch=2, room=0), monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        encode(sam, pictures(1))


def test_an_embedding_is_the_models_own_in_half_precision(sam: Sam) -> None:
    sam.precision = "float32"
    picture = np.random.default_rng(0).integers(0, 255, (3, 100, 90), np.uint8)
    (embedding,) = encode(sam, [picture])
    with torch.inference_mode():
        expected = sam.encode(sam.preprocess(torch.from_numpy(picture)[None]))[0]
    assert embedding.dtype == np.float16
    torch.testing.assert_close(torch.from_numpy(embedding).float(), expected, atol=2e-3, rtol=2e-3)
