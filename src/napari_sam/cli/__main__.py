"""`python -m napari_sam.cli` is the program `napari-sam`."""

from __future__ import annotations

from napari_sam.cli import main

if __name__ == "__main__":
    main(prog_name="napari-sam")
