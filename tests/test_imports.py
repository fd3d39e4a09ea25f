"""Importing the package is cheap, and everything it promises is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import napari_sam

HEAVY = ("torch", "napari", "qtpy", "magicgui", "numpy")


def in_a_fresh_python(code: str) -> str:
    """Run code in a new interpreter and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    return result.stdout.strip()


def test_importing_the_package_leaves_heavy_packages_out() -> None:
    code = f"import sys, napari_sam; print(*(m for m in {HEAVY} if m in sys.modules))"
    assert in_a_fresh_python(code) == ""


def test_using_a_public_name_brings_what_it_needs() -> None:
    code = "import sys, napari_sam; napari_sam.load_model; print('torch' in sys.modules)"
    assert in_a_fresh_python(code) == "True"


@pytest.mark.parametrize("module", ["napari_sam.model.sam", "napari_sam.segmentation.predict"])
def test_the_core_does_not_import_napari(module: str) -> None:
    code = f"import sys, {module}; print(*(m for m in ('napari', 'qtpy') if m in sys.modules))"
    assert in_a_fresh_python(code) == ""


def test_opening_an_image_needs_no_torch() -> None:
    code = "import sys, napari_sam; napari_sam.open_image; print('torch' in sys.modules)"
    assert in_a_fresh_python(code) == "False"


@pytest.mark.parametrize("name", napari_sam.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(napari_sam, name) is not None
    assert name in dir(napari_sam)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'segmenter'"):
        napari_sam.segmenter  # noqa: B018
