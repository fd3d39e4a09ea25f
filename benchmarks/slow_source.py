"""Embed from a source that takes 100 ms a chunk, and say how much of the time is encoding."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import MemoryStore, WrapperStore

import napari_sam as ns
from napari_sam.images.synthetic import SyntheticSlide
from napari_sam.segmentation.encoding import batch_size, encode


class SlowStore(WrapperStore[MemoryStore]):
    """A store whose every chunk is 100 ms away."""

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Wait, then get."""
        if not key.endswith("zarr.json"):
            await asyncio.sleep(0.1)
        return await super().get(key, *args, **options)


def main() -> None:
    """Encode the tiles of a slide from memory, then from the slow source into a store on disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobile_sam")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--chunk", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = ns.load_model(arguments.model)
    pixels = SyntheticSlide((arguments.size,) * 2, seed=0).levels[0][:, :]
    memory = MemoryStore()
    zarr.create_array(memory, data=pixels, chunks=(arguments.chunk,) * 2)
    slow = zarr.open_array(SlowStore(memory), mode="r")
    quick = ns.open_image(pixels)
    image = ns.open_image(slow, limits=quick.limits)
    grid = ns.Segmenter(model, image).store.grid(1.0)
    tiles = [quick.render(grid.window(tile)) for tile in grid]
    size = batch_size(model)
    encode(model, tiles[:1])
    shares = []
    for _ in range(arguments.repeats):
        begin = time.perf_counter()
        for start in range(0, len(tiles), size):
            encode(model, tiles[start : start + size])
        alone = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            segmenter = ns.Segmenter(model, image, Path(folder) / "store")
            begin = time.perf_counter()
            for _ in segmenter.embed(sampling=1):
                pass
            end_to_end = time.perf_counter() - begin
        shares.append(alone / end_to_end)
        print(f"{len(tiles)} tiles: encode alone {alone:.2f} s, end to end {end_to_end:.2f} s")
    print(f"share of encoding, median: {sorted(shares)[len(shares) // 2]:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"shares": shares}))


if __name__ == "__main__":
    main()
