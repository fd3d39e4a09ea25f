"""Randomness with an address: any value of a random field, computed where it is needed.

Every value is an integer hash of a seed and a position, so it does not depend on what else is
computed, in which order or by which process. Only the basic operations of IEEE 754 (with the
square root) follow: unlike a vectorised sine or exponential they round alike on every machine and
for every shape of array.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Bits = npt.NDArray[np.uint64]
    Index = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float32]
    Coordinates = npt.NDArray[np.float64]

_WORD = 2**64
_GOLDEN = 0x9E3779B97F4A7C15


def mix(bits: Bits) -> Bits:
    """Scramble 64-bit words so that every bit of the result depends on every bit given.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators", with the constants of D. Stafford's variant 13).
    """
    bits = bits ^ (bits >> np.uint64(30))
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def make_key(seed: int, stream: int) -> int:
    """Key of one of the independent streams of random numbers that a seed has."""
    words = np.array([seed % _WORD], np.uint64)
    words = mix(words) + np.uint64((stream + 1) * _GOLDEN % _WORD)
    return int(mix(words)[0])


def hash_axis(key: int, index: Index) -> Bits:
    """Hash positions along one axis."""
    words = index.astype(np.uint64)  # negative positions wrap round
    words *= np.uint64(_GOLDEN)
    return mix(words + np.uint64(key % _WORD))


def hash_grid(key: int, rows: Index, columns: Index) -> Bits:
    """Hash every pair of a row and a column; shape ``(len(rows), len(columns))``."""
    return mix(hash_axis(key, rows)[:, np.newaxis] + hash_axis(~key, columns))


def uniform(bits: Bits, start: int, width: int) -> Floats:
    """Numbers in 0..1, both ends excluded, from ``width`` (at most 20) bits at ``start``."""
    field = (bits >> np.uint64(start)).astype(np.uint32) & np.uint32(2**width - 1)
    return (field.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-width)


def bell_noise(key: int, rows: Index, columns: Index) -> Floats:
    """Independent noise of every pixel: nearly normal, mean 0 and standard deviation 1.

    The sum of the four bytes of a 32-bit hash. 32 bits are enough for noise and half the work:
    64-bit hashes of the axes, cut short and added, go through the finaliser of MurmurHash3
    (A. Appleby).
    """
    across = (hash_axis(key, rows) >> np.uint64(32)).astype(np.uint32)
    along = (hash_axis(~key, columns) >> np.uint64(32)).astype(np.uint32)
    bits = across[:, np.newaxis] + along
    bits ^= bits >> np.uint32(16)
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> np.uint32(13)
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    pairs = (bits & np.uint32(0x00FF00FF)) + ((bits >> np.uint32(8)) & np.uint32(0x00FF00FF))
    total = (pairs & np.uint32(0xFFFF)) + (pairs >> np.uint32(16))
    deviation = np.float32(math.sqrt(4 * (256**2 - 1) / 12))
    return (total.astype(np.float32) - np.float32(510)) / deviation


def smooth_field(key: int, y: Coordinates, x: Coordinates, wavelength: float) -> Floats:
    """Smooth random field in -1..1 at every pair of a ``y`` and an ``x``: value noise.

    Hashed values at knots ``wavelength`` apart, blended between the knots with a cubic step, so
    the slope along an axis is at most ``3 / wavelength``.
    """
    rows, above, weight_y = _knots(y, wavelength)
    columns, left, weight_x = _knots(x, wavelength)
    knots = uniform(hash_grid(key, rows, columns), 40, 20) * np.float32(2) - np.float32(1)
    upper = knots[above]
    between: Floats = knots[above + 1] - upper
    between *= weight_y[:, np.newaxis]
    between += upper
    field: Floats = between.take(left, axis=1)
    rest: Floats = between.take(left + 1, axis=1)
    rest -= field
    rest *= weight_x
    field += rest
    return field


def _knots(position: Coordinates, wavelength: float) -> tuple[Index, npt.NDArray[np.intp], Floats]:
    """Knots about some positions, the one before each of them, and the blend to the next."""
    scaled = position / wavelength
    before = np.floor(scaled)
    t = (scaled - before).astype(np.float32)
    base = before.astype(np.int64)
    knots = np.unique(np.concatenate([base, base + 1]))
    return knots, np.searchsorted(knots, base), t * t * (np.float32(3) - np.float32(2) * t)
