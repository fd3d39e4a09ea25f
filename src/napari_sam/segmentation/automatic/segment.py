"""Automatic segmentation: every object of an image of any size, with a score for each.

The methods `segment`, `segment_progress` and `find_progress` of `napari_sam.Segmenter`.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.fingerprint import fingerprint
from napari_sam.segmentation.automatic.detector_boxes import DetectorBoxes, read_boxes
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.output import LabelTarget, check_out, records_beside
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.automatic.result import run_key
from napari_sam.segmentation.automatic.run import SegmentProgress, SegmentRun
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.regions import Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam.images.source import ImageSource
    from napari_sam.images.store_format import StoreIdentity
    from napari_sam.segmentation.automatic.find_masks import OnPoints
    from napari_sam.segmentation.automatic.result import SegmentResult
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["SegmentProgress", "find_progress", "segment", "segment_progress"]


def segment(
    segmenter: Segmenter,
    out: Any = None,
    region: Any = None,
    planes: Iterable[int | Sequence[int]] | None = None,
    settings: AutomaticSettings | None = None,
    rules: MergeRules | None = None,
    records: str | os.PathLike[str] | None = None,
    boxes: Any = None,
) -> SegmentResult:
    """Segment every object of the image; parameters and errors as of `segment_progress`.

    Returns
    -------
    SegmentResult
        ``labels``, and ``objects``, a DataFrame.
    """
    steps = segment_progress(segmenter, out, region, planes, settings, rules, records, boxes)
    last = deque(steps, maxlen=1).pop()
    assert last.result is not None  # the last report has it
    return last.result


def segment_progress(
    segmenter: Segmenter,
    out: Any = None,
    region: Any = None,
    planes: Iterable[int | Sequence[int]] | None = None,
    settings: AutomaticSettings | None = None,
    rules: MergeRules | None = None,
    records: str | os.PathLike[str] | None = None,
    boxes: Any = None,
) -> Iterator[SegmentProgress]:
    """Segment every object of the image, step by step.

    Stop iterating to pause, close the generator to cancel. With records on disk the same call goes
    on from there, also after a crash, and gives the same result as a run that was not interrupted.

    Parameters
    ----------
    segmenter : Segmenter
    out : path, array or LabelPyramid, optional
        OME-Zarr labels to make (``labels.zarr``, or ``image.zarr/labels/name`` inside an image),
        or labels to add the objects to. An array in memory when not given.
    region : (y0, x0, y1, x1), array or path, optional
        A rectangle in level-0 pixels, or a mask image of the plane at any resolution, 0 outside.
        Objects that are found from within it are labelled whole. The whole plane when not given.
    planes : iterable of int or of tuple of int, optional
        Planes of a stack; all when not given, or those that the boxes lie in.
    settings : AutomaticSettings, optional
        What to look for.
    rules : MergeRules, optional
        Which masks become objects; follows from the settings when not given. For boxes of a
        detector every box has an object, whatever its score.
    records : path, optional
        Folder to keep all that is found in, from which other rules make other labels without the
        model. Memory when not given; for labels on disk a folder beside them.
    boxes : array_like, DataFrame, path or sequence of arrays, optional
        Boxes of a detector instead of a grid of points, see
        `napari_sam.segmentation.automatic.detector_boxes.read_boxes`.

    Yields
    ------
    SegmentProgress
        At once, after each tile and each block of labels; the last one has the result.

    Raises
    ------
    InputError, InputTypeError
        When something given cannot be used, or the image is too large for labels in memory.
    StoreError
        When records or labels were made for something else or cannot be written.
    """
    if isinstance(out, (str, os.PathLike)):
        check_out(Path(out))
    folder = records_beside(out) if records is None else records
    run = _prepare(segmenter, region, planes, settings, rules, folder, boxes)
    key = run_key(run.records, run.rules, run.planes)
    return run.label(LabelTarget.open(out, segmenter.image, key))


def find_progress(
    segmenter: Segmenter,
    records: str | os.PathLike[str],
    region: Any = None,
    planes: Iterable[int | Sequence[int]] | None = None,
    settings: AutomaticSettings | None = None,
    rules: MergeRules | None = None,
    on_points: OnPoints | None = None,
) -> Iterator[SegmentProgress]:
    """Find and record the masks of an image without making labels of them, step by step.

    `segment_progress` with the same records, region, planes and settings makes the labels later,
    and does not ask the model again.

    Parameters
    ----------
    segmenter : Segmenter
    records : path
        Folder to keep all that is found in; what is there is not done again.
    region, planes, settings
        As of `segment_progress`.
    rules : MergeRules, optional
        What counts as an object in the progress; what is recorded does not depend on it.
    on_points : callable, optional
        Called with the number of points of the tile at hand that are done, and of all, after each
        batch of them. May raise to stop; that tile is then not recorded.

    Yields
    ------
    SegmentProgress
        At once and after each tile; the last one says that it is done and has no result.

    Raises
    ------
    InputError, InputTypeError
        When something given cannot be used.
    StoreError
        When records were made for something else or cannot be written.
    """
    run = _prepare(segmenter, region, planes, settings, rules, records)
    run.on_points = on_points
    return run.find()


def _prepare(
    segmenter: Segmenter,
    region: Any,
    planes: Iterable[int | Sequence[int]] | None,
    settings: AutomaticSettings | None,
    rules: MergeRules | None,
    records: str | os.PathLike[str] | None,
    boxes: Any = None,
) -> SegmentRun:
    """Check what is given and open the records."""
    if settings is not None and not isinstance(settings, AutomaticSettings):
        raise InputTypeError(f"settings are {settings!r}: expected AutomaticSettings(...)")
    if rules is not None and not isinstance(rules, MergeRules):
        raise InputTypeError(f"rules are {rules!r}: expected MergeRules(...)")
    image, settings = segmenter.image, settings or AutomaticSettings()
    wanted = None if planes is None else [_plane(image, plane) for plane in planes]
    where = Region.read(region, image.plane_shape)
    detected: DetectorBoxes | None = None
    if boxes is not None:
        if not where.is_whole:
            raise InputError("boxes and a region were given: leave the region out")
        detected = read_boxes(boxes, image, wanted[0] if wanted and len(wanted) == 1 else ())
        wanted = wanted or sorted(set(map(tuple, detected.planes.tolist())))
    if wanted is None:
        wanted = list(itertools.product(*map(range, image.planes)))
    if rules is None:
        rules = MergeRules(
            min_score=settings.min_score if detected is None else 0,
            min_stability=settings.min_stability if detected is None else 0,
            nms_iou=settings.nms_iou,
            min_area=settings.least_area(segmenter.diameter if detected is None else None),
        )
    identity = _identity(segmenter, is_kept=records is not None)
    finding = _finding(segmenter, settings, where, detected)
    return SegmentRun(
        segmenter=segmenter,
        settings=settings,
        rules=rules,
        region=where,
        boxes=detected,
        planes=list(dict.fromkeys(wanted)),
        records=Records(identity, finding, image.plane_shape, records),
    )


def _plane(image: ImageSource, plane: int | Sequence[int]) -> tuple[int, ...]:
    return image.check_plane((plane,) if isinstance(plane, (int, np.integer)) else plane)


def _identity(segmenter: Segmenter, *, is_kept: bool) -> StoreIdentity:
    """Say what the masks are made from and with; what is not kept needs no fingerprints."""
    if not is_kept:
        return segmenter.store.identity
    return replace(
        segmenter.store.identity,
        image_fingerprint=fingerprint(segmenter.image),
        model_sha256=segmenter.model.sha256,
    )


def _finding(
    segmenter: Segmenter,
    settings: AutomaticSettings,
    region: Region,
    boxes: DetectorBoxes | None,
) -> dict[str, Any]:
    """List the settings that say what is found; the others choose among it afterwards."""
    sampling, size = segmenter.usual_sampling, segmenter.model.config.image_size
    if boxes is not None:
        digest = hashlib.sha256(boxes.boxes.tobytes() + boxes.planes.tobytes())
        return {"sampling": sampling, "boxes": digest.hexdigest()[:16]}
    return {
        "sampling": sampling,
        "spacing": settings.spacing(sampling, size, segmenter.diameter),
        "nms_iou": settings.nms_iou,
        "max_share": settings.max_share,
        "region_area": settings.region_area,
        "keep_score": settings.keep_score,
        "keep_stability": settings.keep_stability,
        "skip": settings.skip,
        "region": region.key,
    }
