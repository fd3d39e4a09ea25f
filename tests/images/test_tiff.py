from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tifffile.zarr import ZarrTiffStore

from napari_sam.errors import InputError
from napari_sam.images import tiff
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def photo() -> np.ndarray:
    """Smooth in colour, so that JPEG changes little."""
    y, x = np.mgrid[:700, :612]
    values = [128 + 90 * np.sin(y / 90 + c) + 30 * np.cos(x / 70) for c in range(3)]
    return np.stack(values, axis=-1).astype(np.uint8)


@pytest.fixture(params=["in memory", "part by part"])
def amount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Open files once as small ones and once as large ones."""
    if request.param == "part by part":
        monkeypatch.setattr(tiff, "IN_MEMORY", 0)
    return str(request.param)


def write_sub_ifds(path: Path, photo: np.ndarray, **options: Any) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(photo, subifds=2, **options)
        for factor in (2, 4):
            writer.write(photo[::factor, ::factor], subfiletype=1, **options)


def write_reduced_pages(path: Path, photo: np.ndarray, **options: Any) -> None:
    with tifffile.TiffWriter(path) as writer:
        for factor in (1, 2, 4):
            reduced = int(factor > 1)
            writer.write(photo[::factor, ::factor], subfiletype=reduced, metadata=None, **options)


@pytest.mark.parametrize("write", [write_sub_ifds, write_reduced_pages])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg"])
def test_levels_of_a_pyramid_are_found_and_read(
    tmp_path: Path, photo: np.ndarray, write: Callable[..., None], compression: str, amount: str
) -> None:
    path = tmp_path / "slide.tif"
    write(path, photo, tile=(256, 256), photometric="rgb", compression=compression)
    image = open_image(path)
    assert image.is_rgb
    assert image.factors == ((1, 1), (2, 2), (4, 4))
    for level, factor in enumerate((1, 2, 4)):
        seen = image.read((), level, (10, 20, 140, 150))
        wanted = np.moveaxis(photo[::factor, ::factor][10:140, 20:150], -1, 0)
        assert np.abs(seen.astype(int) - wanted).max() <= (12 if compression == "jpeg" else 0)


def test_of_a_tiled_file_only_the_tiles_of_a_window_are_unpacked(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "IN_MEMORY", 0)
    path = tmp_path / "slide.tif"
    write_sub_ifds(path, photo, tile=(128, 128), photometric="rgb", compression="zlib")
    image = open_image(path)
    read: list[str] = []
    get = ZarrTiffStore.get

    async def noting(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        read.append(key)
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(ZarrTiffStore, "get", noting)
    image.render(Window((2 * 130.0, 2 * 130.0), (2.0, 2.0), 100))
    assert read == ["1.1.0"]
    image.render(Window((2 * 130.0, 2 * 130.0), (2.0, 2.0), 160))
    assert sorted(read[1:]) == ["1.1.0", "1.2.0", "2.1.0", "2.2.0"]


@pytest.mark.parametrize(
    ("options", "axes", "planes"),
    [
        ({"metadata": {"axes": "ZCYX"}}, "ZCYX", (4,)),
        ({"metadata": {"axes": "TZYX"}}, "TZYX", (4, 3)),
        ({"imagej": True, "metadata": {"axes": "TCYX"}}, "TCYX", (4,)),
    ],
)
def test_axes_come_from_the_file(
    tmp_path: Path, options: dict[str, Any], axes: str, planes: tuple[int, ...], amount: str
) -> None:
    stack = np.random.default_rng(0).integers(0, 9000, (4, 3, 50, 60), dtype=np.uint16)
    path = tmp_path / ("stack.tif" if "imagej" in options else "stack.ome.tif")
    tifffile.imwrite(path, stack, **options)
    image = open_image(path, limits=(0, 9000))
    assert (image.axes.names, image.planes) == (axes, planes)
    plane = tuple(length - 1 for length in planes)
    key = (3,) if "C" in axes else (3, 2)
    np.testing.assert_array_equal(
        image.read(plane, 0, (5, 6, 50, 60)), np.atleast_3d(stack[key][..., 5:, 6:].T).T
    )


def test_pages_without_a_meaning_are_planes(tmp_path: Path, amount: str) -> None:
    stack = np.zeros((5, 64, 70), np.uint16)
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, stack, metadata=None, photometric="minisblack")
    assert open_image(path).planes == (5,)


def test_a_picture_in_separate_planes_is_still_a_picture(
    tmp_path: Path, photo: np.ndarray, amount: str
) -> None:
    path = tmp_path / "planar.tif"
    planes = np.moveaxis(photo, -1, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", tile=(256, 256))
    image = open_image(path)
    assert (image.axes.names, image.is_rgb) == ("CYX", True)
    np.testing.assert_array_equal(image.read((), 0, (0, 0, 700, 612)), planes)


def test_a_stack_of_pictures_has_planes_and_colors(tmp_path: Path, amount: str) -> None:
    path = tmp_path / "time.ome.tif"
    stack = np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3), dtype=np.uint8)
    tifffile.imwrite(path, stack, photometric="rgb", metadata={"axes": "TYXS"})
    image = open_image(path)
    assert (image.planes, image.is_rgb, image.n_channels) == ((3,), True, 3)
    np.testing.assert_array_equal(image.read((2,), 0, (0, 0, 40, 50)), np.moveaxis(stack[2], -1, 0))


def test_colors_of_ome_tiff_are_used(tmp_path: Path) -> None:
    path = tmp_path / "stains.ome.tif"
    # RRGGBBAA as signed numbers: blue, orange, white, green, red
    colors = [0x0000FFFF, 0xFF8000FF - 2**32, -1, 0x00FF00FF, 0xFF0000FF - 2**32]
    tifffile.imwrite(
        path,
        np.zeros((5, 40, 50), np.uint8),
        metadata={"axes": "CYX", "Channel": {"Color": colors}},
        photometric="minisblack",
    )
    wanted = (0, 0, 255), (255, 128, 0), (255, 255, 255), (0, 255, 0), (255, 0, 0)
    assert open_image(path).colors == wanted


@pytest.mark.parametrize("mode", ["composite", "grayscale"])
def test_colors_of_imagej_are_used_when_it_shows_them_together(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "stains.tif"
    ramp = np.arange(256, dtype=np.uint8)
    tables = [np.stack([ramp, 0 * ramp, ramp]), np.stack([0 * ramp, ramp, 0 * ramp])]
    tifffile.imwrite(
        path,
        np.zeros((2, 40, 50), np.uint8),
        imagej=True,
        metadata={"axes": "CYX", "mode": mode, "LUTs": tables},
    )
    magenta_green = (255, 0, 255), (0, 255, 0)
    red_green = (255, 0, 0), (0, 255, 0)
    assert open_image(path).colors == (magenta_green if mode == "composite" else red_green)


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_one_uncompressed_run_of_bytes_is_mapped_not_read(
    tmp_path: Path, byteorder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "IN_MEMORY", 0)
    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(0).normal(size=(5, 64, 70)).astype(np.float32)
    stack[4, 3, 3] = np.nan  # found when it is read, not before
    tifffile.imwrite(path, stack, photometric="minisblack", byteorder=byteorder)
    contents = tiff.read_tiff(path)
    assert isinstance(contents.levels[0], np.memmap)
    image = open_image(path, limits=(-3, 3))
    np.testing.assert_array_equal(image.read((2,), 0, (1, 2, 30, 40))[0], stack[2, 1:30, 2:40])
    with pytest.raises(InputError, match="not finite"):
        image.render(Window((0.0, 0.0), (1.0, 1.0), 64), (4,))


def test_a_file_is_closed_with_the_image(
    tmp_path: Path, photo: np.ndarray, amount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    init = tifffile.FileHandle.open

    def noting(handle: tifffile.FileHandle) -> None:
        opened.append(handle)
        init(handle)

    monkeypatch.setattr(tifffile.FileHandle, "open", noting)
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, photo, tile=(256, 256), compression="zlib")
    opened.clear()
    image = open_image(path)
    image.read((), 0, (0, 0, 9, 9))
    (handle,) = opened
    assert handle.closed == (amount == "in memory")
    del image
    gc.collect()
    assert handle.closed


@pytest.mark.parametrize("content", [b"", b"II*\0", b"II*\0\x08\0\0\0\0\0", b"no tiff at all"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    with pytest.raises(InputError, match="could not be read as an image"):
        open_image(path)


def test_a_damaged_tile_is_refused_when_it_is_read(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "IN_MEMORY", 0)
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, photo, tile=(256, 256), compression="zlib", photometric="rgb")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[4]
    with path.open("r+b") as raw:
        raw.seek(offset)
        raw.write(bytes(200))
    image = open_image(path)
    image.read((), 0, (0, 0, 200, 200))
    with pytest.raises(InputError, match=r"slide\.tif could not be read"):
        image.read((), 0, (300, 300, 400, 400))
