"""Annotated images in one file that numpy alone can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.errors import InputError
from napari_sam.training.annotated import AnnotatedImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

__all__ = ["pack_dataset", "read_packed"]


def pack_dataset(images: Sequence[AnnotatedImage], path: str | Path) -> None:
    """Write annotated images to one compressed file, to train where no image library is.

    Parameters
    ----------
    images : sequence of AnnotatedImage
        As `read_dataset` gives them.
    path : str or Path
        Where to; an existing file is replaced.

    Raises
    ------
    InputError
        When there are no images.
    """
    if not images:
        raise InputError(f"there are no images to pack into {path}; give at least one with labels")
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "names": np.array([image.name for image in images]),
        "sources": np.array([image.source for image in images]),
    }
    for index, image in enumerate(images):
        grey = (image.pixels == image.pixels[..., :1]).all()
        arrays[f"pixels_{index}"] = image.pixels[..., 0] if grey else image.pixels
        small = image.labels.min() >= 0 and image.labels.max() < 2**16
        arrays[f"labels_{index}"] = image.labels.astype(np.uint16) if small else image.labels
    with Path(path).open("wb") as file:  # numpy would add a suffix to a name without one
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_packed(path: Path) -> Iterator[AnnotatedImage]:
    """Read what `pack_dataset` wrote.

    Yields
    ------
    AnnotatedImage
        In the order they were given in.

    Raises
    ------
    InputError
        When it is no such file, or a damaged one.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as pack:
            names, sources = pack["names"].tolist(), pack["sources"].tolist()
            for index, (name, source) in enumerate(zip(names, sources, strict=True)):
                pixels, labels = pack[f"pixels_{index}"], pack[f"labels_{index}"]
                if pixels.ndim == 2:
                    pixels = np.repeat(pixels[..., None], 3, axis=2)
                yield AnnotatedImage(name, source, pixels, labels.astype(np.int32))
    except InputError:
        raise
    except Exception as error:  # zip, zlib and numpy each raise their own for a damaged file
        raise InputError(
            f"{path} is not a packed data set, or a damaged one ({error}); pack it again, or give "
            "a folder"
        ) from error
