"""One packed file: a round trip, and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam.errors import InputError
from napari_sam.training.annotated import AnnotatedImage
from napari_sam.training.dataset import read_dataset
from napari_sam.training.packed import pack_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import MakeImage


def test_what_was_packed_comes_out_again(tmp_path: Path, make_image: MakeImage) -> None:
    grey = make_image(0, "a")
    colour = AnnotatedImage("c", "b", grey.pixels // np.array([1, 2, 3], np.uint8), grey.labels)
    wide = AnnotatedImage("w", "b", grey.pixels, grey.labels * 2**24)
    below = AnnotatedImage("n", "b", grey.pixels, -grey.labels)
    path = tmp_path / "without_suffix"
    pack_dataset([grey, colour, wide, below], path)
    read = list(read_dataset(path))
    assert len(read) == 4
    for packed, image in zip(read, [grey, colour, wide, below], strict=True):
        assert (packed.name, packed.source) == (image.name, image.source)
        np.testing.assert_array_equal(packed.pixels, image.pixels)
        np.testing.assert_array_equal(packed.labels, image.labels)
        assert packed.labels.dtype == np.int32


def test_damage_is_one_sentence_with_the_name(tmp_path: Path, make_image: MakeImage) -> None:
    path = tmp_path / "pack.npz"
    pack_dataset([make_image(0)], path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    assert len(list(read_dataset(path))) == 1
    for content in (whole[:middle], flipped, b"something else", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{path} is not a packed data set, or a damaged"):
            list(read_dataset(path))


@pytest.mark.parametrize("lacking", ["sources", "pixels_0", "labels_0"])
def test_other_numpy_files_are_refused(tmp_path: Path, lacking: str, make_image: MakeImage) -> None:
    path = tmp_path / "pack.npz"
    pack_dataset([make_image(0)], path)
    arrays = dict(np.load(path))
    del arrays[lacking]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f"^{path} is not a packed data set"):
        list(read_dataset(path))
    array = tmp_path / "array.npy"
    np.save(array, np.zeros(3))
    with pytest.raises(InputError, match=f"^{array} is not a packed data set"):
        list(read_dataset(array))


def test_nothing_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images to pack"):
        pack_dataset([], tmp_path / "pack.npz")
    assert not (tmp_path / "pack.npz").exists()
