"""How the same scene looks under another microscope: intensities, colours, noise and focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["vary_intensity"]


def vary_intensity(pixels: Tensor, rng: np.random.Generator, variety: float = 1.0) -> Tensor:
    """Change what a microscope, a camera and a choice of limits change.

    Each with its own chance: inversion (dark or bright objects), gamma, other limits, the colour
    of each channel, grey instead of colour, defocus, and noise last as a camera adds it.

    Parameters
    ----------
    pixels : Tensor
        RGB 0..255, (3, h, w).
    rng : numpy Generator
        All chance comes from it.
    variety : float
        Share of the usual chances, 0..1.

    Returns
    -------
    Tensor
        RGB 0..255, (3, h, w).
    """
    x = pixels / 255
    if rng.random() < 0.15 * variety:
        x = 1 - x
    if rng.random() < 0.15 * variety:
        x = x.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.5 * variety:
        x = x.clamp(0, 1) ** float(2 ** rng.uniform(-1, 1))
    if rng.random() < 0.5 * variety:  # limits too narrow or too wide
        low, high = rng.uniform(-0.25, 0.15), rng.uniform(0.7, 1.4)
        x = (x - low) / (high - low)
    if rng.random() < 0.25 * variety:
        gains = torch.from_numpy(rng.uniform(0.4, 1.1, (3, 1, 1)).astype("float32"))
        x = x * gains
    if rng.random() < 0.25 * variety:
        x = _blur(x, float(rng.uniform(0.5, 3.0)))
    if rng.random() < 0.35 * variety:
        x = x + _noise(x, float(2 ** rng.uniform(-6.5, -3)), bool(rng.random() < 0.5), rng)
    return x.clamp(0, 1) * 255


def _blur(x: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian, sigma in model pixels."""
    radius = max(1, round(2.5 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=x.dtype)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(x[None], (radius,) * 4, mode="replicate")
    along = F.conv2d(padded, kernel, groups=3)
    return F.conv2d(along, kernel.transpose(2, 3), groups=3)[0]


def _noise(x: Tensor, amount: float, shot: bool, rng: np.random.Generator) -> Tensor:
    """Noise of a camera, grainy by 1 to 4 model pixels; shot noise grows with the light."""
    grain = int(rng.integers(1, 5))
    height, width = (-(-side // grain) for side in x.shape[1:])
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    channels = 3 if rng.random() < 0.3 else 1
    noise = torch.randn(1, channels, height, width, generator=generator)
    noise = F.interpolate(noise, scale_factor=float(grain), mode="nearest")
    noise = noise[0, :, : x.shape[1], : x.shape[2]] * amount
    return noise * x.clamp(0, 1).sqrt() * 2 if shot else noise
