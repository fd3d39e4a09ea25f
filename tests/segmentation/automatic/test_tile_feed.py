"""Tiles made ready for the decoder, from the model or from a store that may be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_sam import Segmenter, open_image
from napari_sam.model.sam import build_sam
from napari_sam.segmentation.automatic import tile_feed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam.model.sam import Sam

IMAGE = np.random.default_rng(0).integers(0, 255, (300, 420), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> Sam:
    return build_sam("tiny_tiny_vit", seed=0)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of images of every call of the encoder."""
    counts: list[int] = []
    encode = tile_feed.encode

    def counted(model: Sam, images: Any) -> Any:
        counts.append(len(images))
        return encode(model, images)

    monkeypatch.setattr(tile_feed, "encode", counted)
    return counts


def prepared(model: Sam, store: Path) -> list[torch.Tensor]:
    """Embeddings of all tiles, by a session that has nothing in memory."""
    session = Segmenter(model, open_image(IMAGE, limits=(0, 255)), store=store)
    grid = session.store.grid(1)
    windows = [grid.window(tile) for tile in grid]
    tiles = tile_feed.prepared_tiles(session, model.tile_decoder(), (), windows)
    return [tile.bare for tile in tiles if tile is not None]


def test_a_tile_whose_file_was_damaged_is_encoded_again(
    model: Sam, encoded: list[int], tmp_path: Path
) -> None:
    first = prepared(model, tmp_path / "store")
    count = sum(encoded)
    assert count == len(first) > 4
    prepared(model, tmp_path / "store")
    assert sum(encoded) == count, "all of them are on disk"
    damaged = sorted((tmp_path / "store").glob("*/embeddings/c.*"))[3]
    contents = damaged.read_bytes()
    damaged.write_bytes(contents[:-5] + bytes([contents[-5] ^ 1]) + contents[-4:])
    again = prepared(model, tmp_path / "store")
    assert sum(encoded) == count + 1
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_tiles_are_read_ahead_and_not_twice(
    brightness_model: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Segmenter(brightness_model, open_image(IMAGE, limits=(0, 255)))
    windows = [session.store.grid(1).window(tile) for tile in session.store.grid(1)]
    decoder = session.model.tile_decoder()
    reads: list[Any] = []
    render = session.image.render
    monkeypatch.setattr(
        session.image, "render", lambda *given: (reads.append(given[0]), render(*given))[1]
    )
    feed: Iterator[Any] = tile_feed.prepared_tiles(session, decoder, (), windows)
    next(feed)
    assert 1 < len(reads) <= tile_feed.READERS + 1
    feed.close()  # type: ignore[attr-defined]
    assert len(list(tile_feed.prepared_tiles(session, decoder, (), windows))) == len(windows)
    assert session.model.encoded == len(windows)  # type: ignore[attr-defined]
    list(tile_feed.prepared_tiles(session, decoder, (), windows))
    assert session.model.encoded == len(windows)  # type: ignore[attr-defined]
