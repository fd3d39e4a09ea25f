"""A file that appears when all of it is written."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from napari_sam.segmentation.labels.blocks import write_failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a place to write to; it gets the file's name when the block has ended well.

    Until then, and for good if it does not end well, a file of that name is as it was.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.partial")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)
