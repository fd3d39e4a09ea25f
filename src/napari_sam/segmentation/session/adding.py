"""What was found automatically becomes a step of a session."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from napari_sam.errors import InputError
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.records import Records
from napari_sam.segmentation.session.automatic_step import AutomaticStep, check_room
from napari_sam.segmentation.session.journal import new_records_folder
from napari_sam.segmentation.session.step import Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam.segmentation.automatic.result import SegmentResult
    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.session.automatic_step import RunObjects

__all__ = ["plan_run"]


def plan_run(
    labels: Labels,
    run: SegmentResult | Records | str | os.PathLike[str],
    rules: MergeRules | None,
    planes: Sequence[tuple[int, ...]] | None,
    first_id: int,
    folder: Path | None,
) -> tuple[Step, RunObjects]:
    """Find out which objects a run has; the labels are not touched.

    Parameters
    ----------
    labels : ndarray or LabelPyramid
    run, rules, planes
        As of `Annotator.add_run`.
    first_id : int
        Id of the first object.
    folder : Path or None
        Of the journal, if there is one.

    Returns
    -------
    step : Step
    objects : dict of plane to list of ResolvedObjects

    Raises
    ------
    InputError
        When there is no object, it does not fit the labels, or a plane is not there.
    StoreError
        When the records cannot be read, or written into the folder.
    """
    if isinstance(run, Records):
        records = run
    elif isinstance(run, (str, os.PathLike)):
        records = Records.open(run)
    else:
        records, rules, planes = run.records, rules or run.rules, planes or run.planes
    leading = tuple(labels.shape)[:-2]
    every = list(itertools.product(*map(range, leading)))
    chosen = every if planes is None else [tuple(plane) for plane in planes]
    if records.plane_shape != tuple(labels.shape)[-2:] or not set(chosen) <= set(every):
        raise InputError(
            f"masks found in planes of {records.plane_shape} pixels do not fit labels of shape "
            f"{tuple(labels.shape)}: choose the labels of the same image"
        )
    if folder is not None and records.folder is None:
        records = records.copy_to(new_records_folder(folder))
    automatic = AutomaticStep(
        records=records.folder or records,
        rules=rules or MergeRules(),
        planes=tuple(chosen),
        model=records.identity.model_name,
        first_id=first_id,
        count=0,
    )
    objects = automatic.objects()
    automatic.count = sum(len(part) for parts in objects.values() for part in parts)
    if not automatic.count:
        raise InputError(
            "nothing that was found is good enough for these limits: lower the thresholds"
        )
    check_room(labels, automatic.last_id)
    if folder is not None and records.folder is not None:
        automatic.done = _done_file(folder, records.folder)
    return Step(kind="automatic", run=automatic), objects


def _done_file(folder: Path, records: Path) -> Path:
    """Choose a new file that says what the labels show of a run."""
    number = 1
    base = new_records_folder(folder).parent
    while (path := base / f"{records.name}-{number}.npz").exists():
        number += 1
    return path
