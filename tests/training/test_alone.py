"""Training runs where torch and numpy are all there is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from napari_sam.training.packed import pack_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.training.annotated import AnnotatedImage

CODE = """
import importlib.machinery, sys

# torch with what its own installation brings, and numpy.
ALLOWED = {
    "torch", "torchgen", "functorch", "numpy", "napari_sam",
    "typing_extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec",
    "filelock", "setuptools",
} | set(sys.stdlib_module_names)

class Bare:  # finds nothing else, as if it were not installed
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ALLOWED or top.startswith("_sysconfigdata"):
            return importlib.machinery.PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Bare()]
for absent in ("scipy", "skimage", "zarr", "tifffile", "safetensors", "PIL", "click", "tqdm"):
    try:
        __import__(absent)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{absent} can be imported")

from pathlib import Path
from napari_sam.model.sam import build_sam
from napari_sam.training.dataset import read_dataset
from napari_sam.training.finetune import finetune
from napari_sam.training.recipe import Recipe

images = list(read_dataset(sys.argv[1]))
state = Path(sys.argv[2])
recipe = Recipe(steps=3, images_per_step=1, prompts_per_image=2, corrections=1, train="all")
for stop in (2, 3):
    run = finetune(build_sam("tiny_tiny_vit", seed=0), images, recipe, state=state)
    for progress in run:
        print(progress.step, end=" ")
        if progress.step == stop:
            break
    run.close()
print(len(images), state.is_file())
"""


def test_torch_and_numpy_are_all_that_training_needs(
    images: list[AnnotatedImage], tmp_path: Path
) -> None:
    pack_dataset(images, tmp_path / "pack.npz")
    ended = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "pack.npz", tmp_path / "state.pt"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "1 2 3 3 True"
