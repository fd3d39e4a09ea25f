"""An automatic run as the runner's thread does it: model and image joined, masks recorded."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam.ui.coordinates import image_shape
from napari_sam.ui.run_folders import copy_records

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from napari.layers import Image

    from napari_sam.segmentation.automatic.merge_rules import MergeRules
    from napari_sam.segmentation.automatic.run import SegmentProgress
    from napari_sam.ui.automatic_region import WhereToLook
    from napari_sam.ui.backend import Backend, ImageInput
    from napari_sam.ui.preferences import Computing
    from napari_sam.ui.workers import Outcome

__all__ = ["FoundRun", "Running", "TilePoints", "find", "run_key"]

SHARES = 50
"""Times at most that a tile says how far it is."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FoundRun:
    """What is looked for, and where what is found is kept.

    Attributes
    ----------
    image : Image
    input : ImageInput
        Its pixels and limits when the run was begun.
    model : str or Path
    where : WhereToLook
    diameter : float or None
    computing : Computing
        How the model computes.
    folder : Path
        The records.
    start_from : Path, optional
        Records of the same search to begin with; they belong to objects that were kept, and must
        stay as they are.
    instead_of : Path, optional
        Records of another search, of which nothing was kept, to be removed.
    """

    image: Image
    input: ImageInput
    model: str | Path
    where: WhereToLook
    diameter: float | None
    computing: Computing
    folder: Path
    start_from: Path | None = None
    instead_of: Path | None = None

    @property
    def key(self) -> Hashable:
        """Differs when other masks would be found."""
        return run_key(self.input, self.model, self.where, self.diameter, self.computing)

    @property
    def planes(self) -> list[tuple[int, ...]]:
        """Planes that are looked at."""
        if self.where.planes is not None:
            return self.where.planes
        return list(itertools.product(*map(range, image_shape(self.image)[:-2])))


@dataclass(frozen=True, slots=True)
class TilePoints:
    """How far the tile at hand is.

    Attributes
    ----------
    done, total : int
        Points of its grid.
    """

    done: int
    total: int


class Running(Protocol):
    """A thread for long runs, see `runner.Runner`."""

    @property
    def is_busy(self) -> bool:
        """Whether there is a run."""

    def start(
        self,
        steps: Callable[[], Iterator[Any]],
        each: Callable[[list[Any]], None],
        done: Callable[[Outcome[bool]], None],
    ) -> None:
        """Run a generator."""

    def pause(self) -> None:
        """Wait."""

    def resume(self) -> None:
        """Go on."""

    def hold(self, *, held: bool) -> None:
        """Wait for something more urgent."""

    def cancel(self) -> None:
        """End after the present step."""

    def tell(self, value: Any) -> None:
        """Hand a value to the GUI."""

    def breathe(self) -> None:
        """Pause or end here."""

    def close(self, timeout: float = 0.0) -> None:
        """End, and tell nothing more."""


def run_key(
    image: ImageInput,
    model: str | Path,
    where: WhereToLook,
    diameter: float | None,
    computing: Computing,
) -> Hashable:
    """Differs when a run would find other masks."""
    region = where.region
    shown = region.tobytes() if isinstance(region, np.ndarray) else region
    planes = None if where.planes is None else tuple(where.planes)
    how = computing.device, computing.precision
    return image.key, model, shown, planes, diameter, how


def find(
    backend: Backend, run: FoundRun, rules: MergeRules, runner: Running
) -> Iterator[SegmentProgress]:
    """Find and record masks; runs on the runner's thread and touches no layer.

    The model, the image and the embeddings are those of the clicks. The `Segmenter` is not: it
    keeps tiles prepared for its decoder without a lock.

    Raises
    ------
    NapariSamError
        When the model cannot be had, or the image or the folder cannot be used.
    """
    from napari_sam.segmentation.predict import Segmenter

    if run.instead_of is not None:
        shutil.rmtree(run.instead_of, ignore_errors=True)
    if run.start_from is not None and not run.folder.exists():
        copy_records(run.start_from, run.folder)
    shared = backend.segmenter(run.model, run.input, runner.tell)
    own = Segmenter(shared.model, shared.image, diameter=run.diameter)
    own.store = shared.store
    said = -1

    def on_points(done: int, total: int) -> None:
        nonlocal said
        share = SHARES * done // max(total, 1)
        if share != said:
            said = share
            runner.tell(TilePoints(done, total))
        runner.breathe()

    yield from own.find_progress(
        run.folder,
        region=run.where.region,
        planes=run.where.planes,
        rules=rules,
        on_points=on_points,
    )
