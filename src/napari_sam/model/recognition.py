"""Tell which SAM a state dict belongs to by its keys and shapes, never by a file's name."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from napari_sam.errors import CheckpointError
from napari_sam.model.config import VARIANTS, SamConfig, TinyViTConfig
from napari_sam.model.sam import Sam
from napari_sam.model.tiny_vit import CLASSIFIER_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = ["assemble", "recognise"]

_Shapes = dict[str, tuple[int, ...]]

# A key, or the beginning of keys, that gives away a family people mistake for this one.
_OTHER_FAMILIES = {
    "sam_mask_decoder.": "SAM 2",
    "image_encoder.trunk.": "SAM 2",
    "mask_decoder.hf_token.": "HQ-SAM",
    "vision_encoder.": "the transformers library's SAM, with key names of its own",
    "layer1.0.conv1.": "a ResNet",
}


def recognise(
    state: Mapping[str, Tensor], variant: str | None = None, source: str | Path = "the state dict"
) -> SamConfig:
    """Find the architecture that has exactly these keys and shapes.

    All variants of the registry differ in them: MobileSAM opens with 3 x 3 convolutions,
    LiteMedSAM with 1 x 1. Fine-tunes that scale their input differently (MedSAM) do not show it.

    Parameters
    ----------
    state : mapping of str to Tensor
        What `read_state_dict` returns. The classifier of a TinyViT may still be in it.
    variant : str, optional
        What the file says of itself; it decides between architectures of equal shapes.
    source : str or Path
        What the error calls the checkpoint.

    Returns
    -------
    SamConfig
        An entry of `VARIANTS`.

    Raises
    ------
    CheckpointError
        If no architecture fits.
    """
    configs = [VARIANTS[variant]] if variant in VARIANTS else list(VARIANTS.values())
    for config in configs:
        if _shapes(_without_classifier(state, config)) == _expected(config):
            return config
    raise CheckpointError(_explain(state, configs, source))


def assemble(state: Mapping[str, Tensor], config: SamConfig) -> Sam:
    """Make the model that holds these weights, as float32 on the CPU, in evaluation mode.

    The model is laid out without memory first and then takes over the tensors themselves; only
    those of another type are converted. So the weights are in memory once.
    """
    sam = _layout(config)
    types = {key: tensor.dtype for key, tensor in sam.state_dict().items()}
    own = {key: tensor.to(types[key]) for key, tensor in _without_classifier(state, config).items()}
    sam.load_state_dict(own, strict=True, assign=True)
    return sam.eval()


def _without_classifier(state: Mapping[str, Tensor], config: SamConfig) -> dict[str, Tensor]:
    extra = CLASSIFIER_KEYS if isinstance(config.encoder, TinyViTConfig) else frozenset[str]()
    return {key: tensor for key, tensor in state.items() if key not in extra}


@functools.cache
def _expected(config: SamConfig) -> _Shapes:
    return _shapes(_layout(config).state_dict())


def _layout(config: SamConfig) -> Sam:
    """Make a model of shapes and types only, in milliseconds whatever its size."""
    with torch.device("meta"), _NothingToFill():
        return Sam(config)


class _NothingToFill(TorchFunctionMode):
    """Leaves out initial values; for those, without memory, torch would import sympy (0.7 s)."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


def _shapes(state: Mapping[str, Tensor]) -> _Shapes:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def _explain(state: Mapping[str, Tensor], configs: list[SamConfig], source: str | Path) -> str:
    """Say why nothing fits: another family, or the differences from the nearest variant."""
    for key, family in _OTHER_FAMILIES.items():
        if any(name.startswith(key) for name in state):
            return f"{source} is a checkpoint of {family}; expected SAM, MobileSAM or LiteMedSAM."
    found = _shapes(state)
    nearest = max(configs, key=lambda config: len(found.items() & _expected(config).items()))
    expected = _expected(nearest)
    shared = found.keys() & expected.keys()
    if len(shared) < len(expected) // 2:
        return (
            f"{source} is a checkpoint of another family (its first key is {next(iter(found))!r}, "
            f"and it shares {len(shared)} of {len(expected)} keys with {nearest.variant}); "
            "expected SAM, MobileSAM or LiteMedSAM."
        )
    differences = [
        _some(
            "has other shapes",
            [
                f"{key} is {found[key]}, expected {shape}"
                for key, shape in expected.items()
                if key in found and found[key] != shape
            ],
        ),
        _some("lacks keys", [key for key in expected if key not in found]),
        _some(
            "has unknown keys",
            [key for key in _without_classifier(state, nearest) if key not in expected],
        ),
    ]
    return (
        f"{source} comes closest to {nearest.variant} but "
        f"{' and '.join(filter(None, differences))}; give weights of an unchanged architecture."
    )


def _some(what: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f" and {len(items) - 2} more" if len(items) > 2 else ""
    return f"{what} ({', '.join(items[:2])}{more})"
