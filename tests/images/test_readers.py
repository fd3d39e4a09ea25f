from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import pytest
import zarr
from PIL import Image

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.source import open_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 900, (4, 50, 60), dtype=np.uint16)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_path_to_a_zarr_array_is_read_like_the_array(
    tmp_path: Path, stack: np.ndarray, zarr_format: Any
) -> None:
    path = tmp_path / "stack.zarr"
    zarr.create_array(path, data=stack, chunks=(1, 16, 16), zarr_format=zarr_format)
    image = open_image(path, limits=(0, 900))
    assert (image.axes.names, image.planes) == ("ZYX", (4,))
    np.testing.assert_array_equal(image.read((3,), 0, (10, 20, 40, 70))[0], stack[3, 10:40, 20:])
    assert image.chunk_shape(0) == (16, 16)


def test_parts_of_shards_are_read_alone(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "stack.zarr"
    kind = {"shape": stack.shape, "dtype": stack.dtype}
    zarr.create_array(path, **kind, chunks=(1, 16, 16), shards=(4, 64, 64))[...] = stack
    image = open_image(path, limits=(0, 900))
    assert image.chunk_shape(0) == (16, 16)
    np.testing.assert_array_equal(image.read((1,), 0, (1, 2, 30, 40))[0], stack[1, 1:30, 2:40])


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("c", "y", "x"), "CYX"),
        (("t", "y", "x"), "TYX"),
        (("plane", "y", "x"), "ZYX"),
        (("z", "x", "y"), "X before Y"),
        (("y", "y", "x"), "ZYX"),
        (("z", None, None), "ZYX"),
    ],
)
def test_a_zarr_array_may_name_its_axes(
    names: tuple[str | None, ...], axes: str, stack: np.ndarray
) -> None:
    array = zarr.create_array({}, data=stack[:3], dimension_names=names)
    if axes == "X before Y":
        with pytest.raises(InputError, match=axes):
            open_image(array)
    else:
        assert open_image(array).axes.names == axes
        assert open_image(array, axes="AYX").axes.names == "AYX"


def test_a_numpy_file_is_mapped(tmp_path: Path, stack: np.ndarray) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, stack)
    image = open_image(path, limits=(0, 900))
    np.testing.assert_array_equal(image.read((2,), 0, (0, 0, 50, 60))[0], stack[2])


class Levels(Sequence[np.ndarray]):
    """As napari's MultiScaleData: a sequence that also has the shape and type of its first."""

    def __init__(self, levels: list[np.ndarray]) -> None:
        self._levels = levels

    @property
    def shape(self) -> tuple[int, ...]:
        return self._levels[0].shape

    @property
    def dtype(self) -> np.dtype:
        return self._levels[0].dtype

    @property
    def ndim(self) -> int:
        return self._levels[0].ndim

    def __len__(self) -> int:
        return len(self._levels)

    def __getitem__(self, key: Any) -> Any:
        return self._levels[key]


@pytest.mark.parametrize("make", [list, tuple, Levels])
@pytest.mark.parametrize("kind", [np.asarray, da.asarray, zarr.array])
def test_levels_may_come_in_any_sequence_and_be_of_any_kind(
    make: Callable[..., Any], kind: Callable[..., Any], stack: np.ndarray
) -> None:
    image = open_image(make([kind(stack), kind(np.ascontiguousarray(stack[:, ::2, ::2]))]))
    assert (image.n_levels, image.planes) == (2, (4,))
    np.testing.assert_array_equal(image.read((1,), 1, (0, 0, 99, 99))[0], stack[1, ::2, ::2])


def test_napari_multiscale_data_is_levels(stack: np.ndarray) -> None:
    multiscale = pytest.importorskip("napari.layers._multiscale_data")
    levels = multiscale.MultiScaleData([stack, stack[:, ::2, ::2]])
    assert open_image(levels).n_levels == 2


def test_rows_of_different_lengths_are_no_image() -> None:
    with pytest.raises(InputTypeError, match="expected a path, an array, or a list"):
        open_image([[1, 2], [3]])


def test_a_picture_with_transparent_grey_is_grey(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((20, 30, 2), 99, np.uint8), mode=None).save(path)
    image = open_image(path)
    assert (image.axes.names, image.n_channels) == ("YX", 1)


def test_a_narrow_picture_is_still_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "narrow.png"
    Image.fromarray(np.zeros((2, 5, 3), np.uint8)).save(path)
    assert open_image(path).plane_shape == (2, 5)


def test_a_picture_too_large_to_unpack_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1300)  # a warning from here on
    assert open_image(path).plane_shape == (50, 50)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1200)
    with pytest.raises(InputError, match="convert it to a tiled TIFF"):
        open_image(path)


def test_a_folder_that_is_no_zarr_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.png").touch()
    with pytest.raises(InputError, match="not in the zarr format"):
        open_image(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"zarr_format": 9}', "\0"])
@pytest.mark.parametrize("name", ["zarr.json", ".zarray", ".zgroup"])
def test_a_zarr_folder_with_damaged_metadata_is_refused(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError):
        open_image(tmp_path)


def test_an_address_is_refused() -> None:
    with pytest.raises(InputError, match="open it with zarr"):
        open_image("https://example.org/image.zarr")
