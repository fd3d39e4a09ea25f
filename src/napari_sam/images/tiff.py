"""TIFF of every kind through tifffile: small ones whole, large ones part by part."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from napari_sam.errors import InputError
from napari_sam.images.channels import parse_color
from napari_sam.images.contents import Contents

if TYPE_CHECKING:
    from pathlib import Path

    from tifffile import TiffFile, TiffPageSeries

    from napari_sam.images.arrays import ArrayLike
    from napari_sam.images.channels import Color

IN_MEMORY = 2**26
"""Bytes of level 0 up to which a file is read at once: that takes as long as a few tiles."""


def read_tiff(file: Path) -> Contents:
    """Open the first image of a TIFF file with all its levels.

    Levels may be SubIFDs (OME-TIFF), reduced pages (slide scanners) or whatever else tifffile
    knows as the levels of a series.

    Raises
    ------
    InputError
        When the file holds no image.
    """
    import tifffile

    tiff = tifffile.TiffFile(file)
    # The arrays of a large file hold on to it; with the last of them its handle is closed.
    close = weakref.finalize(tiff, tiff.filehandle.close)
    try:
        if not tiff.series or not tiff.series[0].shape:
            raise InputError(f"{file} could not be read as an image: it holds none")
        series = tiff.series[0]
        contents = Contents(
            _levels(file, series),
            axes=_axes(series),
            colors=_colors(tiff),
            is_rgb=_is_rgb(series),
        )
    except BaseException:
        close()
        raise
    if not any(hasattr(level, "store") for level in contents.levels):
        close()
    return contents


def _levels(file: Path, series: TiffPageSeries) -> tuple[ArrayLike, ...]:
    """Levels in memory, mapped into memory, or read part by part."""
    import tifffile
    import zarr

    if series.nbytes <= IN_MEMORY:
        return tuple(level.asarray() for level in series.levels)
    if len(series.levels) == 1 and series.dataoffset is not None and not series.is_multifile:
        # One uncompressed run of bytes; its strips may be as large as the image.
        return (tifffile.memmap(file, mode="r"),)
    return tuple(
        zarr.open_array(series.aszarr(level=level), mode="r", zarr_format=2)
        for level in range(len(series.levels))
    )


def _axes(series: TiffPageSeries) -> str | None:
    """Axes of a series, or None where tifffile does not know them."""
    names = series.axes
    if "S" in names:  # the samples of a pixel are its channels; C then is one more way to a plane
        names = names.replace("C", "K").replace("S", "C")
    # I and Q are axes without a name.
    return None if set(names) & {"I", "Q"} or len(set(names)) < len(names) else names


def _is_rgb(series: TiffPageSeries) -> bool:
    from tifffile import PHOTOMETRIC

    return "S" in series.axes and series.keyframe.photometric in (
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.YCBCR,
    )


def _colors(tiff: TiffFile) -> tuple[Color, ...]:
    """Colours of the channels as OME or ImageJ keep them."""
    if tiff.ome_metadata:
        return _ome_colors(tiff.ome_metadata)
    if (tiff.imagej_metadata or {}).get("mode") == "composite":
        return _imagej_colors(tiff)
    return ()


def _ome_colors(xml: str) -> tuple[Color, ...]:
    """Colours of the first image, kept as signed 32-bit numbers RRGGBBAA."""
    image = ET.fromstring(xml).find("{*}Image")
    channels = [] if image is None else image.findall("{*}Pixels/{*}Channel")
    values = [channel.get("Color") for channel in channels]
    return tuple(parse_color(f"{(int(value) & 0xFFFFFFFF) >> 8:06X}") for value in values if value)


def _imagej_colors(tiff: TiffFile) -> tuple[Color, ...]:
    """Brightest entry of each channel's lookup table."""
    tables = (tiff.imagej_metadata or {}).get("LUTs", [])
    return tuple((int(t[0, -1]), int(t[1, -1]), int(t[2, -1])) for t in tables)
