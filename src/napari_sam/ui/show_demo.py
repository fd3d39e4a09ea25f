"""Open napari on the result of `napari-sam demo`: ``python -m napari_sam.ui.show_demo FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam.errors import InputError, NapariSamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import napari

__all__ = ["add_results", "main"]

LABELS_ENDING = "_labels.tif"


def add_results(viewer: napari.Viewer, folder: Path) -> None:
    """Add every image of a folder with the objects found in it, side by side.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    folder : Path
        Holds ``<name>.png`` and ``<name>_labels.tif`` for every image.

    Raises
    ------
    InputError
        When there is no such pair.
    """
    import numpy as np
    import tifffile
    from PIL import Image

    start = 0.0
    pairs = list(_pairs(folder))
    if not pairs:
        raise InputError(
            f"there is no image with its labels in {folder}: expected name.png beside "
            f"name{LABELS_ENDING}; run napari-sam demo first"
        )
    for picture, labels in pairs:
        with Image.open(picture) as opened:
            pixels = np.asarray(opened)
        place = (0.0, start)
        viewer.add_image(pixels, name=picture.stem, translate=place)
        viewer.add_labels(tifffile.imread(labels), name=labels.stem, translate=place)
        start += 1.05 * pixels.shape[1]
    viewer.reset_view()


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    for labels in sorted(folder.glob(f"*{LABELS_ENDING}")):
        picture = folder / f"{labels.name.removesuffix(LABELS_ENDING)}.png"
        if picture.is_file():
            yield picture, labels


def main(arguments: Sequence[str]) -> int:
    """Show a folder until the window is closed; 0 when all went well, 2 for a user's mistake."""
    import napari

    from napari_sam.ui.commands import show_panel

    if len(arguments) != 1:
        print("usage: python -m napari_sam.ui.show_demo FOLDER", file=sys.stderr)  # noqa: T201
        return 2
    viewer = napari.Viewer(title="napari_sam demo")
    try:
        add_results(viewer, Path(arguments[0]))
    except NapariSamError as error:
        viewer.close()
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    show_panel(viewer)
    napari.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
