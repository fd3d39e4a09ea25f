from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.source import open_image
from napari_sam.images.tiles import TileGrid, Window, window_to_fit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def photo() -> np.ndarray:
    """Smooth but lively: every interpolation error shows."""
    y, x = np.mgrid[:90, :130]
    values = 128 + 60 * np.sin(y / 9) + 60 * np.cos(x / 7)
    return values.astype(np.uint8)


def one_to_one(shape: tuple[int, int], size: int = 256) -> Window:
    return TileGrid(shape, 1.0, size, 0).window_around((0, 0))


def test_at_sampling_one_the_model_sees_the_pixels_themselves(photo: np.ndarray) -> None:
    drawn = open_image(photo, limits=(0, 255)).render(one_to_one(photo.shape))
    np.testing.assert_array_equal(drawn, np.stack([photo] * 3))


def test_fit_is_what_pillow_makes_of_the_whole_image(photo: np.ndarray) -> None:
    drawn = open_image(photo, limits=(0, 255)).render(window_to_fit(photo.shape, 1024))
    whole = Image.fromarray(photo).resize((1024, 709), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(drawn[0], np.asarray(whole))


@pytest.mark.parametrize("sampling", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_a_window_inside_shows_what_the_whole_plane_shows_there(
    photo: np.ndarray, sampling: float
) -> None:
    image = open_image(photo, limits=(0, 255))
    whole = image.render(Window((0.0, 0.0), (sampling, sampling), 1024))
    part = image.render(Window((8 * sampling, 4 * sampling), (sampling, sampling), 10))
    assert part.shape == (3, 10, 10)
    # The same filter from other offsets: Pillow's fixed-point weights may round the other way.
    difference = part.astype(int) - whole[:, 8:18, 4:14]
    assert np.abs(difference).max() <= 1


def test_a_coarser_level_is_read_when_it_is_fine_enough(photo: np.ndarray) -> None:
    mean = photo[:90, :130].reshape(45, 2, 65, 2).mean(axis=(1, 3)).astype(np.uint8)
    image = open_image([photo, np.zeros_like(mean)], limits=(0, 255))
    assert image.level_for((1.0, 1.0)) == 0
    assert image.level_for((2.0, 2.0)) == 1
    assert image.render(Window((0.0, 0.0), (1.0, 1.0), 64)).any()
    assert not image.render(Window((0.0, 0.0), (4.0, 4.0), 64)).any()


def test_large_windows_are_drawn_in_bands_without_a_trace(
    photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = open_image(photo, limits=(0, 255))
    window = Window((0.0, 0.0), (2.0, 2.0), 256)
    whole = image.render(window)
    monkeypatch.setattr("napari_sam.images.source.BAND_PIXELS", 900)
    difference = image.render(window).astype(int) - whole
    assert np.abs(difference).max() <= 1


def test_beyond_the_far_edges_nothing_is_drawn(photo: np.ndarray) -> None:
    drawn = open_image(photo, limits=(0, 255)).render(Window((80.0, 100.0), (1.0, 1.0), 64))
    np.testing.assert_array_equal(drawn[0], photo[80:, 100:])


@pytest.mark.parametrize(
    "make", [np.asarray, da.asarray, zarr.array], ids=["numpy", "dask", "zarr"]
)
def test_arrays_of_every_kind_are_drawn_alike(make: object, photo: np.ndarray) -> None:
    stack = np.stack([photo, 255 - photo])
    drawn = open_image(make(stack), limits=(0, 255)).render(one_to_one(photo.shape), plane=(1,))  # type: ignore[operator]
    np.testing.assert_array_equal(drawn[0], 255 - photo)


def test_planes_and_channels_are_found_wherever_they_are(photo: np.ndarray) -> None:
    array = np.stack([[photo + c + 10 * z for z in range(2)] for c in range(5)])  # C, Z, Y, X
    image = open_image(array, limits=(0, 255), axes="CZYX", channels=(4, 1))
    assert image.planes == (2,)
    drawn = image.render(one_to_one(photo.shape), plane=(1,))
    np.testing.assert_array_equal(drawn, [photo + 14, photo + 11, np.zeros_like(photo)])


def test_alpha_is_not_seen(photo: np.ndarray) -> None:
    rgba = np.stack([photo, photo + 1, photo + 2, photo * 0], axis=-1)
    drawn = open_image(rgba).render(one_to_one(photo.shape))
    np.testing.assert_array_equal(drawn, np.moveaxis(rgba[..., :3], -1, 0))


def test_lists_of_numbers_are_an_image() -> None:
    assert open_image([[0, 1], [2, 3]]).plane_shape == (2, 2)


def test_an_open_image_is_itself() -> None:
    image = open_image(np.eye(4))
    assert open_image(image) is image


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_files_give_their_pixels_back(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, photo)
    else:
        Image.fromarray(photo).save(path)
    drawn = open_image(path, limits=(0, 255)).render(one_to_one(photo.shape))
    np.testing.assert_array_equal(drawn[0], photo)


def test_a_tiff_says_its_axes(tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((4, 2, 40, 50), np.uint16), metadata={"axes": "ZCYX"})
    image = open_image(path)
    assert (image.axes.names, image.planes, image.n_channels) == ("ZCYX", (4,), 2)


def test_a_jpeg_in_colour_is_rgb(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)
    assert open_image(str(path)).is_rgb


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5)), "is empty"),
        (np.full((8, 8), np.nan), "not finite"),
        (np.array([[1.0, np.inf], [0.0, 0.0]]), "not finite"),
        (np.zeros((64, 64, 5)), "5 channels"),
        (np.zeros(9), "at least two axes"),
    ],
)
def test_an_array_that_is_no_image_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_image(array)


@pytest.mark.parametrize(
    "array", [np.array([[object()]]), np.zeros((4, 4), complex), np.array([["a"]])]
)
def test_values_that_are_no_intensities_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InputTypeError, match="whole or real numbers"):
        open_image(array)


def test_nan_in_an_array_that_is_not_in_memory_is_found_when_it_is_read(photo: np.ndarray) -> None:
    values = photo.astype(np.float32)
    values[50, 60] = np.nan
    image = open_image(da.asarray(values), limits=(0, 255))
    with pytest.raises(InputError, match="not finite"):
        image.render(one_to_one(photo.shape))


@pytest.mark.parametrize("channels", [(5,), (0, 0), (0, 1, 2, 3), (-1,), ()])
def test_channels_that_cannot_be_picked_are_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="from 0 to 4"):
        open_image(np.zeros((5, 16, 16)), axes="CYX", channels=channels)


@pytest.mark.parametrize("plane", [(), (0, 0), (3,), (-1,)])
def test_a_plane_that_is_not_there_is_refused(plane: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="plane"):
        open_image(np.zeros((3, 16, 16))).check_plane(plane)


def test_axes_that_do_not_fit_the_shape_are_refused() -> None:
    with pytest.raises(InputError, match="one letter for each axis"):
        open_image(np.zeros((3, 16, 16)), axes="YX")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.png", None, "no file"),
        ("notes.txt", b"hello", "not read here"),
        ("broken.png", b"not a picture", "could not be read"),
        ("broken.tif", b"II*\0 not a tiff", "could not be read"),
    ],
)
def test_a_file_that_is_no_image_is_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_image(path)
