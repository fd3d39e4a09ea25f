"""`napari-sam evaluate --found`: label images made by a program, compared with the annotations."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.cli.evaluate_run import Evaluation
from napari_sam.cli.progress import Progress
from napari_sam.errors import InputError
from napari_sam.evaluate import (
    THRESHOLDS,
    Matching,
    average_precision,
    match_labels,
    plot_precision,
    report_matches,
)
from napari_sam.images.readers import read_path

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.cli.evaluate_run import Selection
    from napari_sam.training.annotated import AnnotatedImage

__all__ = ["compare_found"]

SUFFIXES = (".tif", ".tiff", ".png", ".npy", ".zarr")

PLANE = re.compile(r"(.*) \(([\d, ]+)\)")
"""Name of an annotated plane of a stack: the file and its index."""


def compare_found(selection: Selection, folder: Path) -> Evaluation:
    """Compare label images with the annotations.

    Raises
    ------
    InputError
        When a file is missing, cannot be used, or does not fit its image.
    """
    matchings: defaultdict[str, list[Matching]] = defaultdict(list)
    rows: list[dict[str, Any]] = []
    with Progress("images", selection.images) as progress:
        for done, image in enumerate(selection, start=1):
            matching = match_labels(_found_labels(folder, image), image.labels)
            matchings[image.source].append(matching)
            rows += _match_rows(image, matching)
            progress.show(done)
    report = report_matches(matchings)
    scores = {source: average_precision(some) for source, some in matchings.items()}
    curves = {source: each.average_precision for source, each in scores.items()}
    facts = {
        "dataset": str(selection.dataset),
        "found": str(folder),
        **report.as_json(),
        "thresholds": THRESHOLDS,
        "average_precision": curves,
    }
    plots = {"average_precision.png": plot_precision(curves, THRESHOLDS)}
    return Evaluation(report.table(), facts, rows, plots)


def _found_labels(folder: Path, image: AnnotatedImage) -> npt.NDArray[Any]:
    """Read the label image of the same name as an annotated one, of a stack the same plane."""
    stack = PLANE.fullmatch(image.name)
    plane = tuple(int(index) for index in re.findall(r"\d+", stack[2])) if stack else ()
    name = Path(stack[1] if stack else image.name).stem
    places = [place / f"{name}{s}" for place in (folder / image.source, folder) for s in SUFFIXES]
    file = next((place for place in places if place.exists()), None)
    if file is None:
        raise InputError(
            f"there is no label image {name} (with one of {', '.join(SUFFIXES)}) in {folder} or "
            f"{folder / image.source} to compare with {image.name}; add it"
        )
    level = read_path(file).levels[0]
    expected = image.labels.shape
    if len(level.shape) != len(plane) + 2 or tuple(level.shape[-2:]) != expected:
        raise InputError(
            f"{file} has shape {tuple(level.shape)} but {image.name} has {expected}; give the "
            "label image that belongs to it"
        )
    if any(index >= length for index, length in zip(plane, level.shape, strict=False)):
        raise InputError(
            f"{file} has shape {tuple(level.shape)} and so no plane {plane} to compare with "
            f"{image.name}; give a label image of the whole stack"
        )
    labels = np.asarray(level[plane] if plane else level)
    if labels.dtype.kind not in "iub":
        raise InputError(
            f"{file} holds {labels.dtype}: expected a label image, one whole number per pixel, 0 "
            "for background"
        )
    return labels


def _match_rows(image: AnnotatedImage, matching: Matching) -> list[dict[str, Any]]:
    """Rows for true objects, found or not, and for found ones that are none."""
    found_for = {
        truth: (found, iou)
        for (found, truth), iou in zip(matching.pairs.tolist(), matching.ious.tolist(), strict=True)
    }
    matched = [(truth, *found_for.get(truth, ("", ""))) for truth in matching.truth.tolist()]
    extra = np.setdiff1d(matching.found, matching.pairs[:, 0])
    matched += [("", found, "") for found in extra.tolist()]
    names = ("object", "found", "iou")
    return [
        {"source": image.source, "image": image.name, **dict(zip(names, row, strict=True))}
        for row in matched
    ]
