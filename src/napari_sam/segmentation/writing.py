"""What the operating system says when a place cannot be written, in one sentence."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from napari_sam.errors import StoreError
from napari_sam.segmentation.labels.blocks import write_failed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["writing"]


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the block into one that names the place.

    Raises
    ------
    StoreError
        When anything in the block cannot be written.
    """
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise write_failed(path, error) from error
