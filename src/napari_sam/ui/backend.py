"""Models and images for the panel: loaded on the worker's thread, kept as long as they are in use.

Importing this module imports no torch; that happens with the first prompt, in the background.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam.images.source import open_image
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from napari.layers import Image

    from napari_sam.images.source import ImageSource
    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.ui.workers import Report

__all__ = ["Backend", "ImageInput", "ModelChoice", "SamBackend", "image_input", "shown_limits"]

SEGMENTERS_KEPT = 4
"""Images whose embeddings stay in memory; the one used longest ago goes first."""


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
        For a tooltip: what it is, size and licence.
    """

    model: str | Path
    label: str
    details: str

    @classmethod
    def of_file(cls, path: Path) -> ModelChoice:
        """Choice of a checkpoint file."""
        return cls(path, path.name, f"Weights from {path}")


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
    limits : tuple of float
        Intensities shown black and white, as the layer shows them.
    """

    key: Hashable
    data: Any
    axes: str
    limits: tuple[float, float]


class Backend(Protocol):
    """Where the panel gets its models from; tests bring their own."""

    def choices(self) -> Sequence[ModelChoice]:
        """Models to pick from, the default one first."""

    def segmenter(self, model: str | Path, image: ImageInput, report: Report) -> Segmenter:
        """Join a model and an image; called on the worker's thread, may take long."""


class SamBackend:
    """Models of the registry or from files, one of them in memory."""

    def __init__(self) -> None:
        self._model: tuple[str | Path, Sam] | None = None
        self._segmenters: OrderedDict[tuple[str | Path, Hashable], Segmenter] = OrderedDict()

    def choices(self) -> list[ModelChoice]:
        """Models of the registry, the default one first."""
        names = sorted(REGISTRY, key=lambda name: name != DEFAULT_MODEL)
        return [_registered(name) for name in names]

    def segmenter(self, model: str | Path, image: ImageInput, report: Report) -> Segmenter:
        """Load the model and open the image, or take those that are at hand.

        Raises
        ------
        NapariSamError
            When the model cannot be had or the image cannot be used.
        """
        from napari_sam.segmentation.predict import Segmenter

        sam = self._load(model, report)
        key = (model, image.key)
        if key not in self._segmenters:
            self._segmenters[key] = Segmenter(sam, self._open(image))
            if len(self._segmenters) > SEGMENTERS_KEPT:
                self._segmenters.popitem(last=False)
        self._segmenters.move_to_end(key)
        return self._segmenters[key]

    def _load(self, model: str | Path, report: Report) -> Sam:
        if self._model is None or self._model[0] != model:
            self._segmenters.clear()
            self._model = None  # two models at once may not fit into memory
            report(f"Loading {_short_name(model)} …")
            from napari_sam.model.checkpoints import load_model

            self._model = (model, load_model(model, progress=_Download(model, report)))
        return self._model[1]

    @staticmethod
    def _open(image: ImageInput) -> ImageSource:
        return open_image(image.data, limits=image.limits, axes=image.axes)


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


def image_input(image: Image, limits: tuple[float, float]) -> ImageInput:
    """Read what a model needs to know from an image layer; no pixels are read."""
    data: Any = list(image.data) if image.multiscale else image.data
    axes = "TZ"[-(image.ndim - 2) :] if 2 < image.ndim <= 4 else "ABDEFGHIJK"[: image.ndim - 2]
    axes += "YXC" if image.rgb else "YX"
    return ImageInput(
        key=(image.unique_id, id(image.data), limits), data=data, axes=axes, limits=limits
    )


def shown_limits(image: Image) -> tuple[float, float]:
    """Intensities that the layer shows black and white at this moment.

    Colour images have no contrast limits in napari: whole numbers span their type, real numbers
    0 to 1.
    """
    if not image.rgb:
        low, high = image.contrast_limits
        return float(low), float(high)
    dtype = np.dtype(image.dtype)
    return (0.0, float(np.iinfo(dtype).max)) if dtype.kind == "u" else (0.0, 1.0)


def _registered(name: str) -> ModelChoice:
    checkpoint = REGISTRY[name]
    size = f"{checkpoint.size_bytes / 1e6:,.0f} MB"
    where = (
        f"Downloaded once ({size}) when it is first used, unless it is on this computer already."
        if checkpoint.urls or checkpoint.package
        else "Comes with the plugin."
    )
    return ModelChoice(
        model=name,
        label=f"{name} ({size})",
        details=f"{checkpoint.description}\nLicence: {checkpoint.licence}. {where}",
    )


def _short_name(model: str | Path) -> str:
    return model.name if isinstance(model, Path) else model
