"""Models and images for the panel: loaded on a worker's thread, kept as long as they are in use.

Importing this module imports no torch; that happens with the first prompt, in the background.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, Protocol

from napari_sam.images.source import open_image
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY
from napari_sam.ui.effort import Effort
from napari_sam.ui.preferences import Computing, Preferences

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from napari_sam.images.limits import Limits
    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.ui.workers import Report

__all__ = ["Backend", "ImageInput", "ModelChoice", "ModelState", "SamBackend"]

SEGMENTERS_KEPT = 4
"""Images whose embeddings stay in memory; the one used longest ago goes first."""

ModelState = Literal["shipped", "here", "download", "package", "file"]
"""Where a model's weights are: they come with the plugin, are on this computer, have to be
downloaded, come with a Python package that is not installed, or are a file of the user's."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that can be picked.

    Parameters
    ----------
    model : str or Path
        What `load_model` takes.
    label : str
        For a list.
    details : str
        What it is, in a line.
    size : int or None
        Bytes of its file, about.
    licence : str
        Of its weights.
    """

    model: str | Path
    label: str
    details: str
    size: int | None = None
    licence: str = ""

    @classmethod
    def of_file(cls, path: Path) -> ModelChoice:
        """Choice of a checkpoint file."""
        return cls(path, path.name, f"Weights from {path}", path.stat().st_size)


@dataclass(frozen=True, slots=True)
class ImageInput:
    """What the worker's thread needs of an image layer.

    Parameters
    ----------
    key : hashable
        Differs when the pixels or the limits differ.
    data : array or list of arrays
        Level 0, or the levels from fine to coarse.
    axes : str
        One letter for each axis.
    limits : tuple
        Intensities that become black and white: (low, high), or one such pair for each channel.
    """

    key: Hashable
    data: Any
    axes: str
    limits: tuple[float, float] | Limits


class Backend(Protocol):
    """Where the panel gets its models from; tests bring their own."""

    @property
    def computing(self) -> Computing:
        """Device, precision and memory for all models."""

    def set_computing(self, computing: Computing) -> None:
        """Compute in another way from now on."""

    def choices(self) -> Sequence[ModelChoice]:
        """Models to pick from, the default one first."""

    def state(self, model: str | Path) -> ModelState:
        """Where a model's weights are; may take a moment."""

    def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
        """Download a model's weights, going on where an earlier attempt stopped; may take long."""

    def check(self, path: Path) -> None:
        """Raise a `CheckpointError` if a file holds no model; may take long."""

    def segmenter(self, model: str | Path, image: ImageInput, report: Report) -> Segmenter:
        """Join a model and an image; called on a worker's thread, may take long."""

    def effort(self, model: str | Path, image: ImageInput) -> Effort:
        """Say what has been computed for an image; takes no time."""


class SamBackend:
    """Models of the registry or from files, one of them in memory.

    Parameters
    ----------
    preferences : Preferences, optional
        Where device, precision and memory are kept; napari's settings when not given.
    """

    def __init__(self, preferences: Preferences | None = None) -> None:
        self._preferences = preferences or Preferences()
        self._model: tuple[Hashable, Sam] | None = None
        self._segmenters: OrderedDict[Hashable, Segmenter] = OrderedDict()
        self._lock = RLock()  # prompts and automatic runs have threads of their own

    @property
    def computing(self) -> Computing:
        """Device, precision and memory for all models."""
        return self._preferences.computing

    def set_computing(self, computing: Computing) -> None:
        """Compute in another way from the next prompt on, and remember it."""
        self._preferences.keep(computing)

    def choices(self) -> list[ModelChoice]:
        """Models of the registry, the default one first."""
        names = sorted(REGISTRY, key=lambda name: name != DEFAULT_MODEL)
        return [_registered(name) for name in names]

    def state(self, model: str | Path) -> ModelState:
        """Where a model's weights are: imports torch, and may read a file to tell what it is."""
        if model not in REGISTRY:
            return "file"
        checkpoint = REGISTRY[str(model)]
        if not checkpoint.urls and not checkpoint.package:
            return "shipped"
        from napari_sam.model.checkpoints import find_checkpoint

        if find_checkpoint(checkpoint.name) is not None:
            return "here"
        return "download" if checkpoint.urls else "package"

    def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
        """Download a model's weights, going on where an earlier attempt stopped.

        Parameters
        ----------
        model : str
            A name of the registry.
        progress : callable
            Called with (bytes done, bytes in all). What it raises ends the download.

        Raises
        ------
        DownloadError
            When they cannot be had.
        """
        from napari_sam.model.download import download

        download(REGISTRY[model], progress)

    def check(self, path: Path) -> None:
        """Refuse a file that holds no model.

        Raises
        ------
        CheckpointError
        """
        from napari_sam.model.recognition import recognise
        from napari_sam.model.weights import read_metadata, read_state_dict

        recognise(read_state_dict(path), read_metadata(path).get("variant"), path)

    def segmenter(self, model: str | Path, image: ImageInput, report: Report) -> Segmenter:
        """Load the model and open the image, or take those that are at hand.

        Raises
        ------
        NapariSamError
            When the model cannot be had, the image cannot be used or there is no such device.
        """
        from napari_sam.segmentation.predict import Segmenter

        with self._lock:
            computing = self.computing
            sam = self._load(model, computing, report)
            key = (_model_key(model, computing), image.key)
            if key not in self._segmenters:
                source = open_image(image.data, limits=image.limits, axes=image.axes)
                self._segmenters[key] = Segmenter(sam, source)
                if len(self._segmenters) > SEGMENTERS_KEPT:
                    self._segmenters.popitem(last=False)
            self._segmenters.move_to_end(key)
            segmenter = self._segmenters[key]
            segmenter.store.memory_limit = computing.memory * 2**20
            return segmenter

    def effort(self, model: str | Path, image: ImageInput) -> Effort:
        """Say what has been computed for an image and is kept."""
        segmenter = self._segmenters.get((_model_key(model, self.computing), image.key))
        if segmenter is None:
            return Effort()
        return Effort(segmenter.store.in_memory, segmenter.model.seconds_per_tile)

    def _load(self, model: str | Path, computing: Computing, report: Report) -> Sam:
        key = _model_key(model, computing)
        if self._model is None or self._model[0] != key:
            self._segmenters.clear()
            self._model = None  # two models at once may not fit into memory
            report(f"Loading {_short_name(model)} …")
            from napari_sam.model.checkpoints import load_model

            sam = load_model(model, computing.device, progress=_Download(model, report))
            sam.precision = computing.precision
            self._model = (key, sam)
        return self._model[1]


class _Download:
    """Reports a download in whole percents."""

    def __init__(self, model: str | Path, report: Report) -> None:
        self._name = _short_name(model)
        self._report = report
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent != self._shown:
            self._shown = percent
            self._report(f"Downloading {self._name}: {percent} % of {total / 1e6:.0f} MB")


def _model_key(model: str | Path, computing: Computing) -> Hashable:
    return model, replace(computing, memory=0)  # more memory asks for no other model


def _registered(name: str) -> ModelChoice:
    checkpoint = REGISTRY[name]
    return ModelChoice(
        model=name,
        label=name,
        details=checkpoint.description,
        size=checkpoint.size_bytes,
        licence=checkpoint.licence,
    )


def _short_name(model: str | Path) -> str:
    return model.name if isinstance(model, Path) else model
