"""Open what a command works with: the image, and the model (downloaded with a progress bar)."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tqdm import tqdm

    from napari_sam.images.source import ImageSource
    from napari_sam.model.sam import Sam

__all__ = ["SYNTHETIC", "download_progress", "load", "load_image"]

SYNTHETIC = "synthetic:"
"""Start of an IMAGE that is no path: a synthetic slide by its size."""


def load_image(
    image: str,
    limits: tuple[float, float] | None,
    axes: str | None,
    channels: tuple[int, ...],
) -> ImageSource:
    """Open what a user gave as IMAGE: a path, or `synthetic:HxW`, perhaps with `@SEED`.

    Raises
    ------
    InputError
        If it is not there, is no image, or its axes, channels or limits cannot be used.
    """
    from napari_sam.images.source import open_image

    source = _synthetic_levels(image) if image.startswith(SYNTHETIC) else image
    return open_image(source, limits, axes=axes and axes.upper(), channels=channels or None)


def _synthetic_levels(text: str) -> list[Any]:
    from napari_sam.errors import InputError
    from napari_sam.images.synthetic import SyntheticSlide

    numbers = re.fullmatch(r"(\d+)x(\d+)(?:@(\d+))?", text.removeprefix(SYNTHETIC))
    if numbers is None:
        raise InputError(
            f"{text!r} is not a synthetic slide: expected its height and width in pixels and "
            "perhaps a seed, for example synthetic:100000x100000 or synthetic:4096x4096@7"
        )
    height, width, seed = (int(number) for number in numbers.groups(default="0"))
    return list(SyntheticSlide((height, width), seed).levels)


def load(model: str | None, device: str) -> Sam:
    """Load the model a user asked for by name or path, or the default one.

    Raises
    ------
    NapariSamError
        If there is no such model, it cannot be downloaded or read, or the device is not there.
    """
    from napari_sam.model.checkpoints import DEFAULT_MODEL, load_model

    name = model or DEFAULT_MODEL
    with download_progress(name) as show:
        return load_model(name, device=device, progress=show)


@contextmanager
def download_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (bytes done, bytes in all) that shows a download, if there is one.

    A terminal shows a bar, a log file gets one line.
    """
    bar: tqdm[Any] | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            from tqdm import tqdm

            click.echo(f"downloading {name} ({total / 1e6:,.0f} MB)", err=True)
            bar = tqdm(total=total, unit="B", unit_scale=True, disable=None, file=sys.stderr)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
