from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam.errors import InputError
from napari_sam.images.source import open_image
from napari_sam.images.tiles import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

AXES = {
    "t": {"name": "t", "type": "time"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space", "unit": "micrometer"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "micrometer"},
}


def metadata(
    axes: str,
    scales: Sequence[Sequence[float]],
    translations: Sequence[Sequence[float]] | None = None,
    colors: Sequence[str] = (),
) -> dict[str, Any]:
    """Attributes of an image as the specification has them, version and place left out."""
    datasets = []
    for level, scale in enumerate(scales):
        transformations = [{"type": "scale", "scale": list(scale)}]
        if translations is not None:
            move = {"type": "translation", "translation": list(translations[level])}
            transformations.append(move)
        datasets.append({"path": f"s{level}", "coordinateTransformations": transformations})
    multiscale = {
        "name": "made",
        "axes": [AXES[name] for name in axes],
        "datasets": datasets,
        "coordinateTransformations": [{"type": "scale", "scale": [2.0] * len(axes)}],
    }
    attributes: dict[str, Any] = {"multiscales": [multiscale]}
    if colors:
        window = {"start": 0, "end": 9, "min": 0, "max": 255}
        attributes["omero"] = {"channels": [{"color": c, "window": window} for c in colors]}
    return attributes


@pytest.fixture(params=["0.4", "0.5"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Write levels and attributes as an OME-Zarr image of either version."""
    version = request.param

    def write_image(
        levels: Sequence[np.ndarray],
        attributes: dict[str, Any],
        path: str = "made.zarr",
        axes: str | None = None,
    ) -> Path:
        folder = tmp_path / path
        group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
        for level, array in enumerate(levels):
            made = group.create_array(
                f"s{level}",
                shape=array.shape,
                dtype=array.dtype,
                chunks=tuple(min(n, 64) for n in array.shape),
                dimension_names=axes if version == "0.5" else None,
            )
            made[...] = array
        if version == "0.4":
            for multiscale in attributes.get("multiscales", ()):
                multiscale.setdefault("version", version)
            group.attrs.update(attributes)
        else:
            group.attrs["ome"] = {"version": version, **attributes}
        return folder

    return write_image


def pyramid(shape: tuple[int, ...], n_levels: int = 3) -> list[np.ndarray]:
    full = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    return [np.ascontiguousarray(full[..., :: 2**level, :: 2**level]) for level in range(n_levels)]


def halving(n_axes: int, n_levels: int = 3, pixel: float = 0.25) -> list[list[float]]:
    return [[1.0] * (n_axes - 2) + [pixel * 2**level] * 2 for level in range(n_levels)]


def test_levels_axes_and_factors_come_from_the_metadata(write: Callable[..., Path]) -> None:
    levels = pyramid((2, 3, 4, 130, 101))
    image = open_image(write(levels, metadata("tczyx", halving(5))), limits=(0, 255))
    assert (image.axes.names, image.planes, image.n_channels) == ("TCZYX", (2, 4), 3)
    assert image.factors == ((1, 1), (2, 2), (4, 4))
    assert [image.level_shape(level) for level in range(3)] == [(130, 101), (65, 51), (33, 26)]
    seen = image.read((1, 2), 1, (5, 6, 20, 40))
    np.testing.assert_array_equal(seen, levels[1][1, :, 2, 5:20, 6:40])


def test_scales_win_over_sizes_that_were_padded(write: Callable[..., Path]) -> None:
    levels = [np.zeros((1000, 1000), np.uint8), np.zeros((512, 512), np.uint8)]
    image = open_image(write(levels, metadata("yx", halving(2, 2))))
    assert image.factors[1] == (2, 2)


def test_scales_may_differ_between_the_axes(write: Callable[..., Path]) -> None:
    levels = [np.zeros((8, 90, 80), np.uint8), np.zeros((4, 30, 40), np.uint8)]
    image = open_image(write(levels, metadata("zyx", [[3, 0.5, 0.5], [6, 1.5, 1.0]])))
    assert image.factors[1] == (3, 2)
    assert image.read((7,), 1, (0, 0, 99, 99)).shape == (1, 30, 40)


@pytest.mark.parametrize("is_said", [True, False])
def test_a_translation_says_where_a_level_lies(write: Callable[..., Path], is_said: bool) -> None:
    y, x = np.mgrid[:256, :256]
    spot = np.exp(-((y - 130.0) ** 2 + (x - 90.0) ** 2) / (2 * 15.0**2))
    full = (250 * spot).astype(np.uint8)
    levels = [full, full[::4, ::4], full[::16, ::16]]  # every 4th, 16th pixel
    scales = [[0.5, 0.5], [2.0, 2.0], [8.0, 8.0]]
    translations = [[7.0, 7.0]] * 3 if is_said else None
    path = write(levels, metadata("yx", scales, translations))
    image = open_image(path, limits=(0, 255))
    window = Window((0.0, 0.0), (16.0, 16.0), 16)
    drawn = image.render(window)[0].astype(float)
    centre = [(drawn.sum(axis=1 - i) * (np.arange(16) + 0.5)).sum() / drawn.sum() for i in (1, 0)]
    error = np.abs(window.to_image(centre) - (130.0, 90.0)).max()
    if is_said:
        assert error < 0.1 * 16
    else:  # then they would be averages, and lie half a pixel further on
        assert error == pytest.approx(7.5, abs=0.5)


def test_translations_of_averages_change_nothing(write: Callable[..., Path]) -> None:
    levels = pyramid((128, 128))
    scales = halving(2, pixel=0.5)
    centres = [[(step[0] - 0.5) / 2] * 2 for step in scales]
    with_them = open_image(write(levels, metadata("yx", scales, centres), "a.zarr"))
    without = open_image(write(levels, metadata("yx", scales), "b.zarr"))
    window = Window((16.0, 32.0), (4.0, 4.0), 16)
    np.testing.assert_array_equal(with_them.render(window), without.render(window))


def test_channels_are_shown_in_the_colors_of_the_file(write: Callable[..., Path]) -> None:
    colors = ("0000FF", "00FF00", "#FF0000", "FF00FF", "ffffff")
    path = write(pyramid((5, 64, 64)), metadata("cyx", halving(3), colors=colors))
    image = open_image(path)
    assert image.channels == (0, 1, 2, 3, 4)
    assert image.colors[0] == (0, 0, 255)
    assert image.colors[3:] == ((255, 0, 255), (255, 255, 255))
    picked = open_image(path, channels=(4, 0))
    assert (picked.channels, picked.colors) == ((4, 0), ((255, 0, 0), (0, 255, 0)))


@pytest.mark.parametrize("colors", [("red?", "0000FF"), ("0000FF",)])
def test_colors_that_cannot_be_used_do_not_hinder(
    write: Callable[..., Path], colors: tuple[str, ...]
) -> None:
    path = write(pyramid((2, 64, 64)), metadata("cyx", halving(3), colors=colors))
    assert open_image(path).colors == ((255, 0, 0), (0, 255, 0))


def test_planes_of_length_one_need_no_index(write: Callable[..., Path]) -> None:
    levels = pyramid((1, 1, 1, 64, 64))
    image = open_image(write(levels, metadata("tczyx", halving(5))), limits=(0, 255))
    assert image.planes == (1, 1)
    assert image.check_plane(()) == (0, 0)
    drawn = image.render(Window((0.0, 0.0), (1.0, 1.0), 64))
    np.testing.assert_array_equal(drawn[0], levels[0][0, 0, 0])


def test_label_images_inside_change_nothing(write: Callable[..., Path]) -> None:
    path = write(pyramid((64, 64)), metadata("yx", halving(2)))
    write(pyramid((64, 64)), metadata("yx", halving(2)), "made.zarr/labels/nuclei")
    assert open_image(path).n_levels == 3
    assert open_image(path / "labels" / "nuclei").n_levels == 3


def test_an_array_inside_is_an_image_of_its_own(write: Callable[..., Path]) -> None:
    levels = pyramid((64, 64))
    image = open_image(write(levels, metadata("yx", halving(2))) / "s1", limits=(0, 255))
    assert (image.n_levels, image.plane_shape) == (1, (32, 32))
    np.testing.assert_array_equal(image.read((), 0, (0, 0, 32, 32))[0], levels[1])


def test_an_open_group_is_an_image_too(write: Callable[..., Path]) -> None:
    path = write(pyramid((64, 64)), metadata("yx", halving(2)))
    assert open_image(zarr.open_group(path, mode="r")).n_levels == 3


def test_axes_that_were_given_win(write: Callable[..., Path]) -> None:
    path = write(pyramid((2, 64, 64)), metadata("cyx", halving(3)))
    assert open_image(path, axes="ZYX").planes == (2,)


def test_axes_with_long_names_are_planes(write: Callable[..., Path]) -> None:
    attributes = metadata("zzyx", halving(4))
    attributes["multiscales"][0]["axes"][0] = {"name": "angle"}
    image = open_image(write(pyramid((5, 2, 64, 64)), attributes))
    assert (image.axes.names, image.planes) == ("AZYX", (5, 2))


@pytest.mark.parametrize("listed", [True, False])
def test_of_the_output_of_bioformats2raw_the_first_image_is_opened(
    write: Callable[..., Path], tmp_path: Path, listed: bool
) -> None:
    write([], {"bioformats2raw.layout": 3})
    if listed:
        write([], {"series": ["7"]}, "made.zarr/OME")
    first = "7" if listed else "0"
    write(pyramid((64, 64)), metadata("yx", halving(2)), f"made.zarr/{first}")
    assert open_image(tmp_path / "made.zarr").plane_shape == (64, 64)


def test_output_of_bioformats2raw_without_its_first_image_is_refused(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    write([], {"bioformats2raw.layout": 3})
    write([], {"series": ["7"]}, "made.zarr/OME")
    with pytest.raises(InputError, match="its first image '7' is not there"):
        open_image(tmp_path / "made.zarr")


def test_opening_reads_a_sample_and_rendering_what_it_needs(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(pyramid((1024, 1024)), metadata("yx", halving(2)))
    image = open_image(path, limits=(0, 255))
    read: list[str] = []
    get = zarr.storage.LocalStore.get

    async def noting(self: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        read.append(key)
        return await get(self, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", noting)
    image.render(Window((256.0, 128.0), (2.0, 2.0), 120))
    chunks = {tuple(key.replace(".", "/").split("/")[-2:]) for key in read}
    assert all("s1" in key for key in read)
    assert chunks == {(str(row), str(column)) for row in (1, 2, 3) for column in (0, 1, 2)}
    assert len(read) == len(chunks)


def without(*keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(attributes: dict[str, Any]) -> None:
        *parents, last = keys
        inner: Any = attributes
        for key in parents:
            inner = inner[key]
        del inner[last]

    return change


def with_value(*keys_and_value: Any) -> Callable[[dict[str, Any]], None]:
    def change(attributes: dict[str, Any]) -> None:
        *parents, last, value = keys_and_value
        inner: Any = attributes
        for key in parents:
            inner = inner[key]
        inner[last] = value

    return change


DATASET = ("multiscales", 0, "datasets", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_value("multiscales", 0, "version", "0.3"), r"version 0\.3: expected 0\.4 or 0\.5"),
        (with_value("multiscales", 0, "axes", 1, {"name": "height"}), "expected y and x"),
        (with_value(*DATASET, "path", "s9"), "no such array"),
        (with_value(*DATASET, "path", ".."), "cannot be used"),
        (without("multiscales", 0, "axes"), "cannot be used.*axes"),
        (without("multiscales", 0, "datasets"), "cannot be used.*datasets"),
        (with_value("multiscales", []), "cannot be used"),
        (with_value("multiscales", 0, "datasets", []), "cannot be used"),
        (
            with_value(*DATASET, "coordinateTransformations", [{"type": "scale", "scale": [1, 1]}]),
            "scale .* for 3 axes",
        ),
        (
            with_value(
                *DATASET, "coordinateTransformations", [{"type": "scale", "scale": [1, 0, 1]}]
            ),
            "above 0",
        ),
        (
            with_value(
                *DATASET, "coordinateTransformations", [{"type": "scale", "scale": [1, 0.25, 0.25]}]
            ),
            "correct them",
        ),
        (without("multiscales"), "no OME-Zarr image.*s0, s1, s2"),
        (with_value("plate", {}), "no error"),
    ],
)
def test_metadata_that_cannot_be_used_are_refused(
    write: Callable[..., Path], change: Callable[[dict[str, Any]], None], message: str
) -> None:
    attributes = metadata("zyx", halving(3))
    change(attributes)
    path = write(pyramid((2, 64, 64)), attributes)
    if message == "no error":
        assert open_image(path).n_levels == 3
        return
    with pytest.raises(InputError, match=message):
        open_image(path)


def test_an_error_about_an_open_group_names_its_folder(write: Callable[..., Path]) -> None:
    path = write(pyramid((2, 64, 64)), {})
    with pytest.raises(InputError, match="is a zarr group") as refused:
        open_image(zarr.open_group(path, mode="r"))
    assert str(refused.value).startswith(f"{path} is a zarr group"), "a path, no file://"


def test_levels_without_scales_are_placed_by_their_sizes(write: Callable[..., Path]) -> None:
    attributes = metadata("yx", halving(2))
    for dataset in attributes["multiscales"][0]["datasets"]:
        del dataset["coordinateTransformations"]
    assert open_image(write(pyramid((101, 64)), attributes)).factors == ((1, 1), (2, 2), (4, 4))


@pytest.mark.parametrize(("kind", "example"), [("plate", "A/1/0"), ("well", "made.zarr/0")])
def test_plates_and_wells_say_to_give_one_image(
    write: Callable[..., Path], kind: str, example: str
) -> None:
    layout = {"bioformats2raw.layout": 3} if kind == "plate" else {}
    path = write([], {kind: {}, **layout})
    with pytest.raises(InputError, match=f"is a {kind}.*{example}"):
        open_image(path)


def test_our_test_images_follow_the_specification(write: Callable[..., Path]) -> None:
    models = pytest.importorskip("ome_zarr_models")
    colors = ("FF0000", "00FF00")
    translations = [[0.0, 0.0, 0.0]] * 3
    path = write(
        pyramid((2, 64, 64)), metadata("cyx", halving(3), translations, colors), axes="cyx"
    )
    models.open_ome_zarr(zarr.open_group(path, mode="r"))
