"""Intensities: varied, in range, and by the generator alone."""

from __future__ import annotations

import numpy as np
import torch

from napari_sam.training.augment import vary_intensity

PIXELS = torch.linspace(0, 255, 3 * 20 * 24).reshape(3, 20, 24)


def test_every_variation_stays_in_range_and_keeps_the_shape() -> None:
    seen = [vary_intensity(PIXELS, np.random.default_rng(seed)) for seed in range(200)]
    for varied in seen:
        assert varied.shape == PIXELS.shape
        assert varied.dtype == torch.float32
        assert varied.min() >= 0
        assert varied.max() <= 255
    changed = [not torch.allclose(varied, PIXELS, atol=1) for varied in seen]
    assert 0.8 < np.mean(changed) < 1  # some scenes stay as they are
    inverted = [varied.mean(0)[0, 0] > varied.mean(0)[-1, -1] for varied in seen]
    assert 0.05 < np.mean(inverted) < 0.3


def test_the_same_generator_varies_alike() -> None:
    one, again, other = (vary_intensity(PIXELS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(PIXELS, torch.linspace(0, 255, 3 * 20 * 24).reshape(3, 20, 24))
