"""What `napari-sam embed` does: iterate over an embedding run, or over the check of a store."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import click

from napari_sam.cli.interrupt import uninterrupted
from napari_sam.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_sam.images.store import EmbeddingStore
    from napari_sam.segmentation.embed import EmbedProgress
    from napari_sam.segmentation.predict import Segmenter

    Region = tuple[float, float, float, float]

__all__ = ["Checked", "Embedded", "check_store", "embed_planes", "in_units"]

UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What an embedding run has done.

    Attributes
    ----------
    sampling : float
    tiles : int
        Tiles of the region in all planes.
    encoded, constant : int
        Those encoded in this run, and those found to show nothing.
    there : int
        Those that were there before, or came from another process meanwhile.
    seconds : float
    store_bytes : int
        Size of the store.
    """

    sampling: float
    tiles: int
    encoded: int
    constant: int
    there: int
    seconds: float
    store_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the check of a store has found: how many embeddings, and the damaged files."""

    tiles: int
    damaged: tuple[str, ...]


def embed_planes(
    session: Segmenter,
    planes: Sequence[tuple[int, ...]],
    sampling: float | None,
    region: Region | None,
) -> Embedded:
    """Encode the tiles of planes, showing progress.

    Parameters
    ----------
    session : Segmenter
        With a store on disk.
    planes : sequence of tuple of int
        At least one.
    sampling, region
        As in `Segmenter.embed`.

    Raises
    ------
    StoreError
        If the store cannot be written; it stays valid.
    KeyboardInterrupt
        After Ctrl-C, once what was encoded is written.
    """
    sampling = session.usual_sampling if sampling is None else sampling
    start = time.monotonic()
    done = total = encoded = constant = 0
    bar: Progress | None = None
    with ExitStack() as stack:
        try:
            for plane in planes:
                steps = stack.enter_context(_run(session, plane, sampling, region))
                before = done, encoded, constant
                while True:
                    with uninterrupted():
                        step = next(steps, None)
                        if step is None:
                            break
                        if bar is None:
                            total = step.total * len(planes)
                            _announce(session.store, sampling, total, step.done)
                            bar = stack.enter_context(Progress("tiles", total, step.done))
                        done = before[0] + step.done
                        encoded, constant = before[1] + step.encoded, before[2] + step.constant
                        bar.show(done)
        except KeyboardInterrupt:
            stack.close()  # writes what is encoded
            raise KeyboardInterrupt(
                f"stopped after {done:,} of {total:,} tiles; the same command goes on from there"
            ) from None
    return Embedded(
        sampling=sampling,
        tiles=total,
        encoded=encoded,
        constant=constant,
        there=done - encoded - constant,
        seconds=time.monotonic() - start,
        store_bytes=_size_of(session.store),
    )


def check_store(store: EmbeddingStore) -> Checked:
    """Read all embeddings of a store; the damaged ones are removed."""
    damaged: list[str] = []
    tiles = 0
    with ExitStack() as stack:
        bar: Progress | None = None
        for step in store.verify():
            bar = bar or stack.enter_context(Progress("tiles", step.total))
            bar.show(step.done)
            tiles = step.done
            if step.damaged is not None:
                damaged.append(step.damaged)
    return Checked(tiles=tiles, damaged=tuple(damaged))


def _run(
    session: Segmenter, plane: tuple[int, ...], sampling: float, region: Region | None
) -> closing[Generator[EmbedProgress]]:
    steps = session.embed(region=region, plane=plane, sampling=sampling)
    return closing(cast("Generator[EmbedProgress]", steps))


def _announce(store: EmbeddingStore, sampling: float, total: int, there: int) -> None:
    """Say at once what a run will take: it may be hours, and more than the disk has."""
    needed = (total - there) * 2 * math.prod(store.identity.embedding_shape)
    line = f"{total:,} tiles at sampling {sampling:g}, {there:,} of them there"
    if needed and store.folder is not None:
        free = shutil.disk_usage(store.folder).free
        line += f"; up to {in_units(needed)} to write, {in_units(free)} free"
    click.echo(line, err=True)


def in_units(size: int) -> str:
    """Write a number of bytes for people."""
    unit, name = next(each for each in UNITS if size >= each[0] or each is UNITS[-1])
    return f"{size / unit:,.1f} {name}"


def _size_of(store: EmbeddingStore) -> int:
    size = 0
    for file in store.folder.rglob("*") if store.folder is not None else ():
        with suppress(FileNotFoundError):  # another process renames its own
            size += file.stat().st_size if file.is_file() else 0
    return size
