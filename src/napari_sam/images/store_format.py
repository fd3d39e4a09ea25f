"""The words of the store on disk: every key and attribute, and what must agree to open one.

See ``docs/store.md`` for the format as a whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam.images.limits import Limits
    from napari_sam.images.tiles import TileIndex

FORMAT: Final = "napari-sam-embeddings"
"""Value of the attribute "format" of a store's group."""

VERSION: Final = 1
"""Format version that this code writes and the only one it reads."""

EMBEDDINGS: Final = "embeddings"
"""Array of a sampling's group: one chunk a tile, float16."""

CONSTANT: Final = "constant"
"""Array of a sampling's group: one chunk of one byte a tile, 1 where a tile shows nothing."""


def sampling_key(sampling: float) -> str:
    """Name of a sampling's group: "0.25", "1", "16"."""
    return f"{sampling:g}"


def chunk_name(plane: tuple[int, ...], tile: TileIndex, trailing: int) -> str:
    """Name of a tile's chunk file, chunk keys being flat ("." between the indices)."""
    return "c." + ".".join(map(str, (*plane, *tile, *(0,) * trailing)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIdentity:
    """What embeddings were made from and with; all of it must agree to use them.

    Attributes
    ----------
    image_shape : tuple of int
        As the image was given, channel axis included.
    image_dtype, image_axes : str
    image_channels : tuple of int
        The channels in use.
    image_colors : tuple of (red, green, blue)
        What each of them becomes.
    image_fingerprint : str
        Hash of a sample of the pixels.
    limits : tuple of tuple of float
        (low, high) of each channel.
    model_name, model_sha256 : str
    tile : int
        Model pixels along a side of a tile.
    cell : int
        Model pixels along a side of a cell.
    core : int
        Model pixels along a side of a core.
    embedding_shape : tuple of int
        (channels, cells, cells) of one embedding.
    """

    image_shape: tuple[int, ...]
    image_dtype: str
    image_axes: str
    image_channels: tuple[int, ...]
    image_colors: tuple[tuple[float, float, float], ...]
    image_fingerprint: str
    limits: Limits
    model_name: str
    model_sha256: str
    tile: int
    cell: int
    core: int
    embedding_shape: tuple[int, int, int]

    def to_attributes(self) -> dict[str, Any]:
        """Attributes of the group of a store."""
        return {"format": FORMAT, "version": VERSION, **_plain(asdict(self))}

    def differences(self, attributes: Mapping[str, Any]) -> list[str]:
        """Say how a store's attributes differ from this, one phrase each; empty when they agree.

        A store under another name of the same weights is the same.
        """
        if attributes.get("format") != FORMAT:
            return [f"it is not a store of embeddings (format {attributes.get('format')!r})"]
        if attributes.get("version") != VERSION:
            found = attributes.get("version")
            return [f"its format version is {found!r}, but this program reads version {VERSION}"]
        mine = _plain(asdict(self))
        return [
            f"its {_WORDS.get(name, name.replace('_', ' '))} is {_short(attributes.get(name))}, "
            f"but here it is {_short(mine[name])}"
            for name in (field.name for field in fields(self))
            if name != "model_name" and attributes.get(name) != mine[name]
        ]


_WORDS = {
    "image_fingerprint": "image content (fingerprint)",
    "limits": "intensity limits setting",
    "model_sha256": "model (sha256)",
}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."


def _plain(value: Any) -> Any:
    """Tuples to lists, as JSON gives them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
