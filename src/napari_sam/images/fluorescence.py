"""How the nuclei of a synthetic slide look under a fluorescence microscope, at every level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.images.hash_noise import bell_noise, make_key, smooth_field
from napari_sam.images.outlines import outlines

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.images.hash_noise import Coordinates, Floats, Index
    from napari_sam.images.nuclei import NucleiLattice, Table

BACKGROUND, GLOW = 110.0, 80.0
"""Intensity outside of tissue, and what tissue adds to it between its nuclei."""

EDGE = 3.0
"""Pixels over which a nucleus fades into the background; its outline is half way."""

HOLLOW = 0.25
"""How much darker a nucleus is at its outline than in its middle."""

CHROMATIN = ((11.0, 0.3), (4.5, 0.25))
"""Texture of nuclei: pixels between the knots of a random field, and its strength."""

READ_NOISE, GAIN = 30.0, 3.0
"""Noise of a pixel: deviation in the dark, and variance per intensity."""

BROAD = 48.0
"""Spacing of samples from which on a nucleus counts as spread evenly over its cell, and the bends
of the lattice do not matter."""

CUT_OFF = 0.17 / 32.0**2
"""Share of the light that soft edges lose where their cells end, per squared spacing: measured."""

_STREAM = 100  # the streams of random numbers below are the lattice's


@dataclass(frozen=True)
class Fluorescence:
    """Light of the nuclei of a slide.

    Parameters
    ----------
    lattice : NucleiLattice
    """

    lattice: NucleiLattice

    @cached_property
    def _keys(self) -> tuple[int, ...]:
        return tuple(make_key(self.lattice.seed, _STREAM + i) for i in range(len(CHROMATIN)))

    def light(self, y: Coordinates, x: Coordinates, spacing: float) -> Floats:
        """Intensity without noise at every pair of a ``y`` and an ``x``.

        Parameters
        ----------
        y, x : ndarray of float64
            Continuous level-0 pixels from the slide's outer corner.
        spacing : float
            Pixels along an axis that a sample stands for: what is finer is smoothed away, and
            the mean kept.
        """
        glow = np.clip(self.lattice.tissue(y, x), 0, 1)
        light: Floats = glow * np.float32(GLOW) + np.float32(BACKGROUND)
        rows, columns, place, u, v = self.lattice.look_up(y, x, bent=spacing < BROAD)
        cells = self.lattice.cells(rows, columns)
        if not cells.present.any():
            return light
        table = self.lattice.table(rows, columns, cells)
        if spacing >= BROAD:
            mean = table.brightness * table.share * np.float32(1 - HOLLOW / 2)
            light += mean.take(place)
            return light
        squared = outlines(rows, columns, cells).squared_distance(place, u, v)
        light += _soft(squared, table, place, spacing) * self._texture(y, x, spacing)
        return light

    def _texture(self, y: Coordinates, x: Coordinates, spacing: float) -> Floats:
        """Fluctuations about 1, as far as samples are dense enough to show them."""
        texture = np.ones((1, 1), np.float32)
        for key, (distance, strength) in zip(self._keys, CHROMATIN, strict=True):
            if spacing < distance / 2:
                texture = texture + smooth_field(key, y, x, distance) * np.float32(strength)
        return texture

    def noise(
        self, light: Floats, level: int, rows: Index, columns: Index, pixels: float
    ) -> Floats:
        """Noise of the pixels of a level, each the mean of so many ``pixels`` of level 0."""
        key = make_key(self.lattice.seed, _STREAM + len(CHROMATIN) + level)
        deviation: Floats = np.sqrt(light * np.float32(GAIN) + np.float32(READ_NOISE**2))
        deviation *= np.float32(1 / math.sqrt(pixels))
        deviation *= bell_noise(key, rows, columns)
        return deviation


def _soft(squared: Floats, table: Table, place: npt.NDArray[np.intp], spacing: float) -> Floats:
    """Nuclei with a soft edge and a bright middle; destroys ``squared``.

    An edge as wide as samples are apart is a cheap average over what they stand for. A disc
    whose edge is a cubic step of some width has the area ``pi * (radius**2 + width**2 / 20)``.
    """
    width = np.float32(math.sqrt(EDGE * EDGE + 2.25 * (spacing * spacing - 1)))
    area = table.radius * table.radius
    gain = (area + np.float32(EDGE**2 / 20)) / (area + width * width * np.float32(1 / 20))
    gain *= table.brightness * np.float32(1 / (1 - CUT_OFF * spacing * spacing))
    soft: Floats = np.sqrt(squared)
    soft -= 1
    soft *= (table.radius / -width).take(place)
    soft += np.float32(0.5)
    np.clip(soft, 0, 1, out=soft)
    soft *= soft * (3 - 2 * soft)
    np.minimum(squared, 1, out=squared)
    squared *= np.float32(-HOLLOW)
    squared += 1
    soft *= squared
    soft *= gain.take(place)
    return soft
