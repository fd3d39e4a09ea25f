"""Names of devices, and what is said about those that are not there."""

from __future__ import annotations

import pytest
import torch

from napari_sam.errors import InputError
from napari_sam.model.device import resolve_device


def pretend(monkeypatch: pytest.MonkeyPatch, *, gpus: int, mps: bool) -> None:
    """Make torch believe that it sees so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("gpus", "mps", "expected"), [(2, True, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_prefers_cuda_then_mps_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch, gpus: int, mps: bool, expected: str
) -> None:
    pretend(monkeypatch, gpus=gpus, mps=mps)
    assert resolve_device("auto") == resolve_device() == torch.device(expected)


def test_a_device_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2, mps=False)
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch, gpus=0, mps=False)
    with pytest.raises(InputError, match=f"'{name}' is not available here; choose from auto, cpu"):
        resolve_device(name)


def test_a_gpu_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2, mps=False)
    with pytest.raises(InputError, match=r"cuda:2.*choose from auto, cuda, cuda:0, cuda:1, cpu"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:one", "meta"])
def test_nonsense_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="choose from auto, "):
        resolve_device(name)
