"""Labels from a journal: without the model, without the image, the same pixels."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic.output import fits_memory
from napari_sam.segmentation.labels.pyramid import LabelPyramid
from napari_sam.segmentation.session.automatic_step import erase_blocks
from napari_sam.segmentation.session.history import History
from napari_sam.segmentation.session.journal_contents import read_journal
from napari_sam.segmentation.session.journal_format import NO_BASE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import numpy.typing as npt

    from napari_sam.segmentation.labels.edits import Labels
    from napari_sam.segmentation.session.automatic_step import AutomaticStep
    from napari_sam.segmentation.session.journal_contents import JournalContents

__all__ = ["keep_painted", "make_all", "make_latest", "replay", "replay_history", "start_array"]


def replay(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Labels:
    """Make the labels of a session from its journal, which is only read.

    Parameters
    ----------
    folder : path
        Of the session, which may be in use.
    out : path, optional
        OME-Zarr labels to make; an array in memory when not given.
    progress : callable, optional
        Called with the steps done and their number.

    Returns
    -------
    ndarray or LabelPyramid
        Shape of the image without its channel axis.

    Raises
    ------
    StoreError
        When the journal, or the records of a run in it, are missing or damaged, or the labels
        cannot be written.
    InputError
        When there are labels at ``out`` already, they are too large for memory, or the session
        began with labels on disk that it kept no copy of.
    """
    return replay_history(folder, out, progress)[0]


def replay_history(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Labels, History]:
    """Make the labels of a session and say what is in them; as `replay`."""
    contents = read_journal(folder)
    history = History.read(contents)
    labels = _start(contents, out)
    make_all(history, labels, progress)
    history.count_rows()
    return labels, history


def make_all(
    history: History, labels: Labels, progress: Callable[[int, int], None] | None = None
) -> None:
    """Make the pixels of all steps that are done in labels as they were before the first.

    Raises
    ------
    StoreError
        As of `replay`.
    """
    for number, step in enumerate(history.done, start=1):
        if step.run is None:
            step.make(labels)
        else:
            _paint(step.run, labels)
        if progress is not None:
            progress(number, len(history.done))


def make_latest(history: History, labels: Labels) -> None:
    """Make the pixels of the last step again, of which a killed process may have made a part.

    Raises
    ------
    StoreError
        As of `replay`.
    """
    step, kind = history.latest, history.latest_kind
    for other in history.done:
        if other.run is not None and other.run.painted is None and other is not step:
            raise StoreError(f"{other.run.done} is missing: restore it from a backup")
    if step is None:
        return
    if step.run is None:
        step.take_back(labels) if kind == "undo" else step.make(labels)
    elif kind == "undo":
        blocks = step.run.painted_blocks(labels)
        for _ in erase_blocks(labels, blocks, step.run.first_id, step.run.last_id):
            pass
    elif kind == "redo" or step.run.painted is None:
        _paint(step.run, labels)
        keep_painted(step.run)


def start_array(contents: JournalContents, array: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
    """Labels in memory as they were before the first step.

    Parameters
    ----------
    contents : JournalContents
    array : ndarray or None
        Where to put them; a new one when not given.

    Raises
    ------
    InputError
        When the array does not fit.
    StoreError
        When they cannot be read.
    """
    header = contents.header
    if array is None:
        # Not filled with zeros, which would take memory where no objects are.
        return np.zeros(header.shape, header.dtype) if header.base is None else _base(contents)
    if array.shape != header.shape or array.dtype != header.dtype:
        raise InputError(
            f"labels of shape {array.shape} and type {array.dtype} do not fit the session, which "
            f"has {header.shape} and {header.dtype}: choose or make labels of the same"
        )
    array[...] = 0 if header.base is None else _base(contents)
    return array


def _start(contents: JournalContents, out: str | os.PathLike[str] | None) -> Labels:
    header = contents.header
    if header.base == NO_BASE:
        raise InputError(
            f"this session went on with labels that were there before, in {contents.labels_path}: "
            "open those, they are up to date"
        )
    if out is None:
        if not fits_memory(header.shape):
            size = " x ".join(f"{length:,}" for length in header.shape)
            raise InputError(
                f"labels of {size} pixels are too large for memory: give out=, the path of "
                "OME-Zarr labels such as 'labels.zarr'"
            )
        return start_array(contents, None)
    path = Path(out)
    if header.base is None:
        return LabelPyramid.create(path, header.shape, axes=header.axes, dtype=header.dtype)
    return LabelPyramid.from_array(path, _base(contents), axes=header.axes)


def _base(contents: JournalContents) -> npt.NDArray[Any]:
    path = contents.folder / str(contents.header.base)
    try:
        with np.load(path, allow_pickle=False) as file:
            labels: npt.NDArray[Any] = file["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path}, the labels before the first step, could not be read ({error}): restore it "
            "from a backup"
        ) from error
    return labels


def _paint(run: AutomaticStep, labels: Labels) -> None:
    for _ in run.paint(labels, run.objects()):
        pass


def keep_painted(run: AutomaticStep) -> None:
    """Say that a run is painted, which a killed process had begun."""
    if run.done is not None and run.painted is not None and not run.done.exists():
        run.painted.save(run.done)
