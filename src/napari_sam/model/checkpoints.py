"""Find the weights of a model on this machine, or fetch them, and load the model."""

from __future__ import annotations

import difflib
import logging
import os
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam.errors import CheckpointError, InputTypeError
from napari_sam.model.device import resolve_device
from napari_sam.model.download import cache_folder, download
from napari_sam.model.recognition import assemble, recognise
from napari_sam.model.registry import DEFAULT_MODEL, REGISTRY, Checkpoint
from napari_sam.model.weights import SINGLE_FOR_CLICK, file_sha256, read_metadata, read_state_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_sam.model.sam import Sam

__all__ = ["DEFAULT_MODEL", "REGISTRY", "Checkpoint", "find_checkpoint", "load_model"]

LOGGER = logging.getLogger(__name__)

FOLDERS_VARIABLE = "NAPARI_SAM_CHECKPOINTS"

SHIPPED = Path(__file__).parents[1] / "weights"
"""Weights that come with this package."""


def load_model(
    model: str | Path = DEFAULT_MODEL,
    device: str = "auto",
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Sam:
    """Load a model, after downloading its weights where that is needed.

    Parameters
    ----------
    model : str or Path
        A name of the registry or the path of a checkpoint: official weights, a fine-tune of the
        same architecture, or what `save_safetensors` wrote. A name wins over a file of that name.
    device : str
        "auto" (cuda, mps or cpu, the first there is), "cpu", "cuda", "cuda:1" or "mps".
    progress : callable, optional
        Called with (bytes done, bytes in all) while weights are downloaded.

    Returns
    -------
    Sam
        In evaluation mode, float32, on the device. Its parameters can still be trained.

    Raises
    ------
    CheckpointError
        If the name is unknown, or the file is missing, damaged, unsafe or not a SAM.
    DownloadError
        If the weights are not on this machine and cannot be fetched.
    InputError
        If there is no such device.
    """
    target = resolve_device(device)
    checkpoint = _registered(model)
    path = _verified(checkpoint, progress) if checkpoint else Path(model).expanduser()
    state = read_state_dict(path)
    told = read_metadata(path)
    sha256 = file_sha256(path)
    checkpoint = checkpoint or next((c for c in REGISTRY.values() if c.sha256 == sha256), None)
    variant = checkpoint.variant if checkpoint else told.get("variant")
    sam = assemble(state, recognise(state, variant, path)).to(target)
    sam.name = checkpoint.name if checkpoint else told.get("name", path.stem)
    sam.single_for_click = told.get(SINGLE_FOR_CLICK) == "yes"
    sam.sha256 = sha256
    LOGGER.debug("loaded %s (%s) from %s onto %s", sam.name, sam.config.variant, path, target)
    return sam


def find_checkpoint(name: str) -> Path | None:
    """Look for the weights of a registered model on this machine; nothing is downloaded.

    The order is: what came with this package, the folders named in `NAPARI_SAM_CHECKPOINTS`
    (there by file name, then by content), the Python package that carries the weights, the cache.
    Whether a file of the right name has the right content is checked when it is loaded.

    Returns
    -------
    Path or None
        The first file found.

    Raises
    ------
    CheckpointError
        If there is no model of that name.
    """
    if name not in REGISTRY:
        raise _unknown(name)
    checkpoint = REGISTRY[name]
    return next(filter(None, _places(checkpoint)), None)


def _places(checkpoint: Checkpoint) -> Iterator[Path | None]:
    yield _existing(SHIPPED / checkpoint.file_name)
    for entry in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        folder = Path(entry).expanduser()
        yield _existing(folder / checkpoint.file_name) or _same_content(folder, checkpoint)
    yield _in_package(checkpoint)
    yield _existing(cache_folder() / checkpoint.file_name)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _same_content(folder: Path, checkpoint: Checkpoint) -> Path | None:
    """Find the weights under another name; only files of exactly their size are hashed."""
    if not checkpoint.size_is_exact or not folder.is_dir():
        return None
    for path in sorted(folder.iterdir()):
        if (
            path.is_file()
            and path.stat().st_size == checkpoint.size_bytes
            and file_sha256(path) == checkpoint.sha256
        ):
            return path
    return None


def _in_package(checkpoint: Checkpoint) -> Path | None:
    """Find weights among an installed package's files, without importing the package."""
    if checkpoint.package is None:
        return None
    try:
        files = metadata.files(checkpoint.package.partition("==")[0]) or []
    except metadata.PackageNotFoundError:
        return None
    found = next((file for file in files if file.as_posix() == checkpoint.package_file), None)
    return None if found is None else _existing(Path(str(found.locate())))


def _registered(model: str | Path) -> Checkpoint | None:
    """Tell a registry name from a path."""
    if isinstance(model, str) and model in REGISTRY:
        return REGISTRY[model]
    if not isinstance(model, str | os.PathLike):
        raise InputTypeError(
            f"A model is given by its name or its path, found {type(model).__name__}."
        )
    path = Path(model).expanduser()
    looks_like_a_path = isinstance(model, os.PathLike) or len(path.parts) > 1 or path.suffix
    if model == "" or not (looks_like_a_path or path.exists()):
        raise _unknown(str(model))
    return None


def _unknown(name: str) -> CheckpointError:
    close = difflib.get_close_matches(name, REGISTRY, n=2, cutoff=0.5)
    advice = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(REGISTRY)}."
    return CheckpointError(f"There is no model or file named {name!r}; {advice}")


def _verified(checkpoint: Checkpoint, progress: Callable[[int, int], None] | None) -> Path:
    """Find or fetch the weights, and let no other bytes pass under their name."""
    path = find_checkpoint(checkpoint.name)
    if path is None:
        return download(checkpoint, progress)
    found = file_sha256(path)
    if found == checkpoint.sha256:
        return path
    if path.parent == cache_folder():
        return download(checkpoint, progress)  # our own copy is damaged: replace it
    size = "" if not checkpoint.size_is_exact else f" and {checkpoint.size_bytes:,} bytes"
    raise CheckpointError(
        f"{path} is not the published {checkpoint.name}: it has sha256 {found} and "
        f"{path.stat().st_size:,} bytes, expected {checkpoint.sha256}{size}; replace it, or give "
        "its path instead of the name to use it as it is."
    )
