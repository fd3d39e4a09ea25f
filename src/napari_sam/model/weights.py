"""Checkpoint files: read them without running anything in them, and write our own."""

from __future__ import annotations

import functools
import hashlib
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_sam.durable import whole_file
from napari_sam.errors import CheckpointError

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

__all__ = [
    "SINGLE_FOR_CLICK",
    "file_sha256",
    "read_metadata",
    "read_state_dict",
    "save_safetensors",
]

SINGLE_FOR_CLICK = "single mask for one click"
"""Metadata of a model whose single mask has learnt to answer one click; see `Sam`."""

# Under these keys training scripts keep the weights, beside optimiser, epoch and so on:
# micro-sam and torch-em (model_state), Lightning (state_dict), SAM 2 and MedSAM (model).
WRAPPERS = ("model_state_dict", "model_state", "state_dict", "model")

# What wrapping modules put before every key: DataParallel, Lightning, micro-sam, torch.compile.
PREFIX_PARTS = ("module.", "model.", "sam.", "_orig_mod.")

_ZIP = b"PK\x03\x04"
_LFS_POINTER = b"version https://git-lfs"
_HEADER_LIMIT = 100_000_000  # bytes; the safetensors format allows no longer header

_Format = Literal["safetensors", "zip", "pickle"]


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, without wrappers and prefixes.

    Nothing in the file is executed: safetensors holds numbers only, everything else goes through
    torch's restricted unpickler. Every tensor owns its memory: it is no view of the file, which
    may change later, nor of a buffer it shares with others.

    Parameters
    ----------
    path : str or Path
        A safetensors file or what `torch.save` wrote. The name does not matter, the content does.

    Returns
    -------
    dict of str to Tensor
        Keys as in the official checkpoints, tensors on the CPU in the file's own types.

    Raises
    ------
    CheckpointError
        If there is no such file, it is cut off, it is something else than weights, or reading it
        would mean running code.
    """
    path = Path(path)
    kind = _sniff(path)
    content = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, kind)
    return _without_prefix(_without_wrapper(content, path))


def read_metadata(path: str | Path) -> dict[str, str]:
    """Read the text metadata of a safetensors file; any other checkpoint has none.

    Raises
    ------
    CheckpointError
        As for `read_state_dict`.
    """
    path = Path(path)
    if _sniff(path) != "safetensors":
        return {}
    with _opened_safetensors(path) as file:
        return dict(file.metadata() or {})


def file_sha256(path: str | Path) -> str:
    """Hash a file, once per process as long as its size and modification time stay the same.

    Not remembered on disk: at about 1.5 GB/s the largest SAM takes two seconds, and a note that
    vouches for bytes it has not seen would defeat the check.
    """
    path = Path(path).resolve()
    stat = path.stat()
    return _hash(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _hash(path: Path, _size: int, _mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_safetensors(sam: Sam, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a model's weights, complete or not at all.

    Parameters
    ----------
    sam : Sam
        The model; its variant and name are kept as metadata, so the file can tell what it is.
    path : str or Path
        Where to; an existing file is replaced in one step.
    metadata : mapping of str to str, optional
        More to keep: what the weights were trained from, on what, when.
    """
    path = Path(path)
    told = {"format": "pt", **(metadata or {}), "variant": sam.config.variant, "name": sam.name}
    if sam.single_for_click:
        told[SINGLE_FOR_CLICK] = "yes"
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in sam.state_dict().items()}
    with whole_file(path) as unfinished:
        unfinished.touch()
        mode = unfinished.stat().st_mode  # safetensors would make it readable by its owner alone
        save_file(tensors, unfinished, told)
        unfinished.chmod(mode)


def _sniff(path: Path) -> _Format:
    """Tell the file's format from its first bytes, and refuse what is no checkpoint at all."""
    if not path.exists():
        raise CheckpointError(f"There is no file {path}; give the path of a checkpoint.")
    if not path.is_file():
        raise CheckpointError(f"{path} is a folder; give the path of the checkpoint file in it.")
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    if not head:
        raise CheckpointError(f"{path} is empty (0 bytes); download the checkpoint again.")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError(
            f"{path} is a web page, not a checkpoint: a server's answer was saved under this "
            "name; download the checkpoint itself."
        )
    if head.startswith(_LFS_POINTER):
        raise CheckpointError(
            f"{path} is a Git LFS pointer, not the checkpoint it points to; run `git lfs pull`."
        )
    if head.startswith(_ZIP):
        if not zipfile.is_zipfile(path):  # its directory is the last thing in the file
            raise _cut_off(path)
        return "zip"
    header = int.from_bytes(head[:8], "little")
    if 0 < header <= _HEADER_LIMIT and head[8:9] == b"{":
        if 8 + header > size:
            raise _cut_off(path)
        return "safetensors"
    if head.startswith(b"\x80"):
        return "pickle"
    raise CheckpointError(
        f"{path} is neither a safetensors file nor written by torch.save; give a checkpoint."
    )


def _cut_off(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is cut off after {path.stat().st_size:,} bytes, before the end that its format "
        "calls for; download or copy it again."
    )


def _opened_safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is cut off or damaged: its {path.stat().st_size:,} bytes do not match its "
            f"safetensors header ({error}); download or copy it again."
        ) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    with _opened_safetensors(path) as file:
        return {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118


def _read_torch(path: Path, kind: _Format) -> object:
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise CheckpointError(
                    f"{path} is a TorchScript program, which holds code; save the model's "
                    "state dict instead."
                )
    try:
        with warnings.catch_warnings():
            # A newer pickle protocol is read or refused like any other.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except EOFError as error:
        raise _cut_off(path) from error
    # torch raises whatever a malformed file makes it stumble over.
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path} is damaged or no checkpoint: torch cannot read it ({reason}); download or "
            "copy it again."
        ) from error


def _refusal(path: Path, message: str) -> CheckpointError:
    """Say what a pickle asked for that plain weights do not need."""
    found = re.search(r"GLOBAL (\S+) (?:was not an allowed|whose module)", message)
    asked = found[1] if found else _first_global(path)
    what = (
        f"a pickle that would run code (`{asked}`)"
        if asked
        else "a damaged pickle, or one that holds more than plain weights"
    )
    return CheckpointError(
        f"{path} was not loaded: it is {what}; save the model's state dict alone, or safetensors, "
        "and use that file."
    )


def _first_global(path: Path) -> str | None:
    """Name the first thing that a bare pickle would import; nothing is executed."""
    texts: list[str] = []
    try:
        with path.open("rb") as file:
            for operation, argument, _ in pickletools.genops(file):
                if operation.name == "STACK_GLOBAL":
                    return ".".join(texts[-2:])
                if operation.name == "GLOBAL":
                    return str(argument).replace(" ", ".")
                if isinstance(argument, str):
                    texts.append(argument)
    except ValueError:  # no pickle after all
        pass
    return None


def _without_wrapper(content: object, path: Path) -> dict[str, Tensor]:
    """Descend to the mapping that holds the weights themselves."""
    while isinstance(content, Mapping):
        inner = next(
            (content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None
        )
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path} holds a {type(content).__name__}, not a state dict; save "
            "`model.state_dict()` and use that file."
        )
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        found = ", ".join(map(repr, list(content)[:4])) or "nothing"
        raise CheckpointError(
            f"{path} holds no weights but {found}; they are expected directly in the file or "
            f"under one of {', '.join(WRAPPERS)}."
        )
    return {str(key): _owning(tensor) for key, tensor in tensors.items()}


def _owning(tensor: Tensor) -> Tensor:
    """Copy a tensor that is a view of something larger, as of all parameters in one buffer."""
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what wrapping modules put before every key, once or several times over."""
    while prefix := next((p for p in PREFIX_PARTS if all(k.startswith(p) for k in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state
