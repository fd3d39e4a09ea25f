"""The words of a journal on disk: its files, its first line, and how a line is checked.

See ``docs/journal.md`` for the format as a whole.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam.images.source import ImageSource
    from napari_sam.segmentation.predict import Segmenter

__all__ = ["Header", "ImageIdentity", "made_with", "pack_line", "relative_to", "unpack_line"]

FORMAT: Final = "napari-sam-journal"
"""Value of "format" in the first line."""

VERSION: Final = 1
"""Format version that this code writes and the only one it reads."""

JOURNAL_FILE: Final = "journal.jsonl"
"""One line a step, only ever added to."""

LOCK_FILE: Final = "journal.lock"
"""Locked by the process that may add lines."""

OWNER_FILE: Final = "journal.pid"
"""Number of that process, for messages."""

TORN_FILE: Final = "journal.torn"
"""Lines that were not finished when a process or the computer stopped."""

BASE_FILE: Final = "base.npz"
"""Labels in memory as they were before the first step, under the name "labels"."""

LABELS_FOLDER: Final = "labels.zarr"
"""Labels of an image too large for memory, where nobody says another place."""

RUNS_FOLDER: Final = "runs"
"""Folder of the records of automatic runs."""

NO_BASE: Final = "not kept"
"""Value of "base" of labels on disk that were not empty before the first step."""

CHECK_LENGTH: Final = len(b'{"crc":"00000000",')


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageIdentity:
    """What tells an image from others, whatever it is called.

    Attributes
    ----------
    name : str
        For people; it may change.
    shape : tuple of int
        As the image was given, channel axis included.
    dtype, axes : str
    fingerprint : str
        Hash of a sample of the pixels of the channels in use.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    axes: str
    fingerprint: str

    @classmethod
    def of(cls, image: ImageSource, name: str | None = None) -> Self:
        """Look at an image: reads a sample of its pixels, a few milliseconds or, from far, more.

        Parameters
        ----------
        image : ImageSource
        name : str, optional
            The image's own when not given.
        """
        from napari_sam.images.fingerprint import fingerprint

        return cls(
            name=name or image.name,
            shape=image.shape,
            dtype=str(image.dtype),
            axes=image.axes.names,
            fingerprint=fingerprint(image),
        )

    def is_same(self, other: ImageIdentity) -> bool:
        """Whether both are the same image, perhaps under another name."""
        mine = (self.shape, self.dtype, self.axes, self.fingerprint)
        return mine == (other.shape, other.dtype, other.axes, other.fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """First line of a journal.

    Attributes
    ----------
    created : str
        Time, ISO 8601.
    image : ImageIdentity
    shape : tuple of int
        Of the labels.
    dtype : str
        Of the labels.
    labels : str or None
        Where they are on disk, absolute or from the folder; None when in memory.
    highest : int
        Highest id in the labels before the first step.
    base : str or None
        File with the labels before the first step; None when they were empty; `NO_BASE`.
    made_with : dict
        Model and limits at the beginning, see `made_with`.
    """

    created: str
    image: ImageIdentity
    shape: tuple[int, ...]
    dtype: str
    labels: str | None
    highest: int
    base: str | None
    made_with: dict[str, Any]

    @property
    def axes(self) -> str | None:
        """One letter for every axis of the labels; None where the image says something else."""
        axes = self.image.axes.replace("C", "")
        return axes if len(axes) == len(self.shape) else None

    def to_json(self) -> dict[str, Any]:
        """Entry of the first line."""
        return {"kind": "begin", "format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read the first line.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is none, or of another version; the message says what was found.
        """
        if entry.get("format") != FORMAT:
            raise ValueError(f"its format is {entry.get('format')!r}, expected {FORMAT!r}")
        if entry.get("version") != VERSION:
            raise ValueError(
                f"its version is {entry.get('version')!r}, but this program reads {VERSION}"
            )
        image = entry["image"]
        return cls(
            created=entry["created"],
            image=ImageIdentity(**{**image, "shape": tuple(image["shape"])}),
            shape=tuple(entry["shape"]),
            dtype=entry["dtype"],
            labels=entry["labels"],
            highest=int(entry["highest"]),
            base=entry["base"],
            made_with=dict(entry["made_with"]),
        )


def made_with(segmenter: Segmenter | None) -> dict[str, Any]:
    """Model and limits that objects are found with, as JSON has them; empty without a model."""
    if segmenter is None:
        return {}
    return {
        "model": segmenter.model.name,
        "sha256": segmenter.model.sha256,
        "limits": [list(pair) for pair in segmenter.image.limits],
    }


def pack_line(entry: Mapping[str, Any]) -> bytes:
    """Line of a journal: JSON whose first value is the CRC-32 of all that comes after it."""
    rest = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode()[1:]
    return b'{"crc":"%08x",%b\n' % (zlib.crc32(rest), rest)


def unpack_line(line: bytes) -> dict[str, Any] | None:
    """Entry of a line without its end; None when a byte is not as it was written."""
    rest = line[CHECK_LENGTH:]
    if line[:CHECK_LENGTH] != b'{"crc":"%08x",' % zlib.crc32(rest):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def relative_to(path: Path, folder: Path) -> str:
    """Path from a folder on where it lies inside, so that both may move; else the whole one."""
    path, folder = path.resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
