"""What `napari-sam segment` does: iterate over an automatic run, and say what came of it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, cast

import click

from napari_sam.cli.interrupt import uninterrupted
from napari_sam.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam.cli.segment_labels import SegmentLabels
    from napari_sam.segmentation.automatic.result import SegmentResult
    from napari_sam.segmentation.automatic.run import SegmentProgress
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["segment_planes", "summary"]


def segment_planes(
    session: Segmenter, labels: SegmentLabels, **options: Any
) -> tuple[SegmentResult, dict[str, Any]]:
    """Segment, showing progress.

    Parameters
    ----------
    session : Segmenter
    labels : SegmentLabels
    **options
        Of `Segmenter.segment_progress`.

    Returns
    -------
    result : SegmentResult
    run : dict
        What JSON can hold of how it went.

    Raises
    ------
    NapariSamError
        If something given cannot be used, or cannot be written.
    KeyboardInterrupt
        After Ctrl-C, at the end of a tile.
    """
    out = labels.out()
    run = session.segment_progress(out, records=labels.records, **options)
    now: SegmentProgress | None = None
    with ExitStack() as stack:
        steps = stack.enter_context(closing(cast("Generator[SegmentProgress]", run)))
        bar: Progress | None = None
        try:
            while True:
                with uninterrupted():
                    step = next(steps, None)
                if step is None:
                    break
                now = step
                if bar is None:
                    tiles = _count(now.total, "tile")
                    click.echo(f"{tiles} at sampling {session.usual_sampling:g}", err=True)
                    bar = stack.enter_context(Progress("tiles", now.total))
                bar.show(now.done, now.total, _count(now.objects, "object"))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_stopped(now, labels, out is not None)) from None
    assert now is not None
    assert now.result is not None  # the last report has it
    return now.result, {
        "objects": len(now.result),
        "planes": len(now.result.planes),
        "seams": list(now.result.seams),
        "masks": now.masks,
        "tiles": now.total,
        "asked": now.asked,
        "skipped": now.skipped,
        "seconds": round(now.seconds, 3),
    }


def summary(said: dict[str, Any]) -> str:
    """Say for a terminal what came of a run."""
    where = [said[name] for name in ("labels", "table", "coco") if said[name]]
    seams = said["seams"]
    decoded = f"{said['asked']:,} prompts decoded and {said['skipped']:,} skipped"
    audit = "none ends straight along a line between tiles"
    if seams:
        some = ", ".join(map(str, seams[:10])) + (" ..." if len(seams) > 10 else "")
        audit = f"{len(seams):,} of them end straight along a line between tiles: {some}"
    return (
        f"{_count(said['objects'], 'object')} in {', '.join(where)}; {audit}\n"
        f"{_count(said['tiles'], 'tile')}, {decoded}, {said['seconds']:,.1f} s"
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _stopped(now: SegmentProgress | None, labels: SegmentLabels, is_on_disk: bool) -> str:
    line = (
        "stopped" if now is None else f"stopped after {now.done:,} of {_count(now.total, 'tile')}"
    )
    if labels.records is not None or (is_on_disk and labels.is_zarr):
        return f"{line}; the same command goes on from there"
    return f"{line}; nothing was kept: with --records FOLDER the same command would go on"
