"""The words of records on disk: every key and column, and what must agree to open them.

See ``docs/records.md`` for the format as a whole.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from napari_sam.images.store_format import StoreIdentity
from napari_sam.images.tiles import TileIndex
from napari_sam.segmentation.automatic.found import FoundMasks

if TYPE_CHECKING:
    from collections.abc import Mapping


FORMAT: Final = "napari-sam-records"
"""Value of "format"."""

VERSION: Final = 1
"""Format version that this code writes and the only one it reads."""

IDENTITY_FILE: Final = "records.json"
"""File with the format, its version, the identity and the settings."""

MADE_FROM: Final = "made_from"
"""Key of image, limits and model: the attributes of a store of embeddings."""

PLANE_SHAPE: Final = "plane_shape"
"""Key of ``[height, width]`` of a plane in level-0 pixels."""

FINDING: Final = "finding"
"""Key of the settings that say what is found."""

ROWS: Final = "rows"
"""Array of a tile's file: one row a mask."""

RLES: Final = "rles"
"""Array of a tile's file: the run lengths of all masks, one after the other."""

CUT: Final = "cut"
"""Array of a tile's file: one number, good masks that the tile's window cut off."""

ROW: Final = np.dtype(
    [
        ("box", "<i4", 4),
        ("score", "<f4"),
        ("stability", "<f4"),
        ("area", "<i8"),
        ("point", "<f8", 2),
        ("prompt", "<i4"),
        ("token", "u1"),
        ("rle_length", "<i4"),
    ]
)
"""Columns of `ROWS`; what they mean is said by `FoundMasks`. The file's place gives the others."""


def tile_name(plane: tuple[int, ...], tile: TileIndex) -> str:
    """Name of a tile's file: "0.17.42.npz" is plane 0, row 17, column 42."""
    return ".".join(map(str, (*plane, *tile))) + ".npz"


def named_tile(name: str) -> tuple[tuple[int, ...], TileIndex] | None:
    """Plane and tile of a file by its name; None of a file that is no record."""
    numbers, dot, ending = name.rpartition(".")
    try:
        *plane, row, column = map(int, numbers.split("."))
    except ValueError:
        return None
    return (tuple(plane), TileIndex(row, column)) if dot and ending == "npz" else None


class TileRecord(NamedTuple):
    """What was found in a tile.

    Attributes
    ----------
    found : FoundMasks
    cut : int
        Good masks that the tile's window cut off, and that are not among those found.
    """

    found: FoundMasks
    cut: int


def pack(record: TileRecord) -> bytes:
    """Contents of a tile's file: the same for the same masks."""
    found = record.found
    rows = np.empty(len(found), ROW)
    rows["box"] = found.boxes
    rows["score"] = found.scores
    rows["stability"] = found.stability
    rows["area"] = found.areas
    rows["point"] = found.points
    rows["prompt"] = found.prompts
    rows["token"] = found.tokens
    rows["rle_length"] = [len(rle) for rle in found.rles]
    rles = np.frombuffer(b"".join(found.rles), np.uint8)
    arrays: dict[str, Any] = {ROWS: rows, RLES: rles, CUT: np.int64(record.cut)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack(contents: bytes, sampling: float, tile: TileIndex) -> TileRecord | None:
    """Record of a tile from its file; None when it is damaged."""
    try:
        with np.load(io.BytesIO(contents), allow_pickle=False) as file:
            rows, rles, cut = file[ROWS], file[RLES], file[CUT]
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile):
        return None  # what zip and numpy say about flipped and missing bytes
    if (rows.dtype, rles.dtype, cut.shape) != (ROW, np.uint8, ()):
        return None
    if rows["rle_length"].sum() != len(rles):
        return None
    count = len(rows)
    masks = np.empty(count, np.object_)
    ends = np.cumsum(rows["rle_length"]).tolist()
    text = rles.tobytes()
    masks[:] = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    found = FoundMasks(
        boxes=rows["box"].astype(np.int64),
        rles=masks,
        scores=rows["score"].astype(np.float32),
        stability=rows["stability"].astype(np.float32),
        areas=rows["area"].astype(np.int64),
        points=rows["point"].astype(np.float64),
        prompts=rows["prompt"].astype(np.int64),
        tokens=rows["token"].astype(np.uint8),
        samplings=np.full(count, sampling, np.float64),
        tiles=np.tile(np.array(tile, np.int64), (count, 1)),
    )
    return TileRecord(found, int(cut))


@dataclass(frozen=True, slots=True)
class RecordsIdentity:
    """What found masks were made from and with; all of it must agree to use them.

    Attributes
    ----------
    made_from : StoreIdentity
        Image, limits, model and tiles.
    plane_shape : tuple of int
        ``(height, width)`` in level-0 pixels.
    finding : dict
        Settings that say what is found, as JSON has them. Those that choose among the masks
        afterwards are none of them.
    """

    made_from: StoreIdentity
    plane_shape: tuple[int, int]
    finding: dict[str, Any]

    def to_attributes(self) -> dict[str, Any]:
        """Contents of `IDENTITY_FILE`."""
        attributes = {
            "format": FORMAT,
            "version": VERSION,
            MADE_FROM: self.made_from.to_attributes(),
            PLANE_SHAPE: self.plane_shape,
            FINDING: self.finding,
        }
        plain: dict[str, Any] = json.loads(json.dumps(attributes))
        return plain

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Self:
        """Read what `to_attributes` gave.

        Raises
        ------
        ValueError
            When these are not its attributes, or of another version.
        """
        wrong = _wrong_format(attributes)
        if wrong:
            raise ValueError(wrong)
        made_from = {
            name: value
            for name, value in _tuples(attributes[MADE_FROM]).items()
            if name in {field.name for field in fields(StoreIdentity)}
        }
        height, width = attributes[PLANE_SHAPE]
        return cls(StoreIdentity(**made_from), (height, width), dict(attributes[FINDING]))

    def differences(self, attributes: Mapping[str, Any]) -> list[str]:
        """Say how the attributes of records differ from this, one phrase each."""
        wrong = _wrong_format(attributes)
        if wrong:
            return [wrong]
        theirs, mine = attributes.get(FINDING, {}), self.to_attributes()[FINDING]
        return [
            *self.made_from.differences(attributes.get(MADE_FROM, {})),
            *(
                f"its setting {name} is {theirs.get(name)}, but here it is {mine.get(name)}"
                for name in sorted({*theirs, *mine})
                if theirs.get(name) != mine.get(name)
            ),
        ]


def _wrong_format(attributes: Mapping[str, Any]) -> str | None:
    if attributes.get("format") != FORMAT:
        return f"it holds no found masks (format {attributes.get('format')!r})"
    if attributes.get("version") != VERSION:
        found = attributes.get("version")
        return f"its format version is {found!r}, but this program reads version {VERSION}"
    return None


def _tuples(value: Any) -> Any:
    """Turn lists of JSON into the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value
