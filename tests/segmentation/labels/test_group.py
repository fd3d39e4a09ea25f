"""The folder of a label image: where it lies, what it says, and that other programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam.errors import InputError, InputTypeError, StoreError
from napari_sam.images.readers import read_path
from napari_sam.segmentation.labels import metadata as label_metadata
from napari_sam.segmentation.labels.edits import paint
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_image(
    path: Path,
    shapes: list[tuple[int, ...]],
    version: str,
    names: str = "czyx",
    translated: bool = False,
) -> None:
    """Write an empty OME-Zarr image."""
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    kinds = {"c": "channel"}
    datasets = []
    for k, shape in enumerate(shapes):
        options: dict[str, Any] = {} if version == "0.4" else {"dimension_names": tuple(names)}
        group.create_array(f"scale{k}", shape=shape, dtype="uint16", chunks=shape, **options)
        scale = [0.5 * n / m for n, m in zip(shapes[0], shape, strict=True)]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if translated:
            move = [3.0 + s / 2 - 0.25 for s in scale]
            steps.append({"type": "translation", "translation": move})
        datasets.append({"path": f"scale{k}", "coordinateTransformations": steps})
    axes = [{"name": name, "type": kinds.get(name, "space")} for name in names]
    axes[-1]["unit"] = "micrometer"
    multiscale = {"axes": axes, "datasets": datasets, "name": "image"}
    if version == "0.4":
        group.update_attributes({"multiscales": [{"version": "0.4", **multiscale}]})
    else:
        group.update_attributes({"ome": {"version": "0.5", "multiscales": [multiscale]}})


# Inside and beside an image ---------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("translated", [False, True])
def test_labels_inside_an_image_have_its_levels_and_version(
    tmp_path: Path, version: str, translated: bool
) -> None:
    shapes = [(2, 5, 90, 71), (2, 5, 45, 35), (2, 3, 22, 17)]
    write_image(tmp_path / "i.zarr", shapes, version, translated=translated)
    path = tmp_path / "i.zarr" / "labels" / "nuclei"
    labels = LabelPyramid.create(path, (5, 90, 71), chunk=16)
    paint(labels, np.ones((40, 40), bool), (20, 20), 1, plane=(2,))
    LabelPyramid.create(path.with_name("cells"), (5, 90, 71), axes="ZYX")
    listing = zarr.open_group(path.parent, mode="r")
    listed: Any = listing.attrs.asdict()
    listed = listed if version == "0.4" else listed["ome"]
    assert listed["labels"] == ["nuclei", "cells"]
    assert listing.metadata.zarr_format == (2 if version == "0.4" else 3)
    attributes: Any = zarr.open_group(path, mode="r").attrs.asdict()
    attributes = attributes if version == "0.4" else attributes["ome"]
    assert attributes["image-label"] == {"version": version, "source": {"image": "../../"}}
    assert attributes["multiscales"][0]["axes"][-1]["unit"] == "micrometer"
    image, mine = read_path(tmp_path / "i.zarr"), read_path(path)
    assert [level.shape for level in mine.levels] == [shape[1:] for shape in shapes]
    assert mine.axes == "ZYX"
    assert image.scales is not None
    assert mine.scales == tuple(scales[1:] for scales in image.scales)
    assert (mine.shifts is None) is (image.shifts is None) is (not translated)


def test_levels_of_any_factor_show_the_label_next_to_their_centres(tmp_path: Path) -> None:
    shapes = [(7, 90, 70), (7, 60, 35), (3, 22, 17)]
    write_image(tmp_path / "i.zarr", shapes, "0.5", "zyx", translated=True)
    labels = LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "a", shapes[0], chunk=16)
    for z in range(7):
        mask = np.random.default_rng(z).random((80, 60)) > 0.4
        paint(labels, mask, (5, 7), z + 1, plane=(z,))
    for shape, level in zip(shapes, labels.levels, strict=True):
        picks = [
            np.floor((np.arange(short) + 0.5) * (n / short)).astype(int)
            for n, short in zip(shapes[0], shape, strict=True)
        ]
        expected = np.asarray(labels.levels[0])[np.ix_(*picks)]
        np.testing.assert_array_equal(level[...], expected)


def test_labels_beside_an_image_lie_where_it_lies(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 71)], "0.4", "cyx", translated=True)
    image_path = tmp_path / "i.zarr"
    LabelPyramid.create(tmp_path / "out" / "a.zarr", (90, 71), image_path=image_path)
    metadata = json.loads((tmp_path / "out" / "a.zarr" / "zarr.json").read_text())
    ome = metadata["attributes"]["ome"]
    assert ome["image-label"]["source"] == {"image": "../../i.zarr"}
    steps = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert steps[0]["scale"] == [0.5, 0.5]
    assert steps[1]["translation"] == [3.0, 3.0]


def test_an_image_with_consolidated_metadata_knows_its_new_labels(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 71)], "0.4", "cyx")
    zarr.consolidate_metadata(tmp_path / "i.zarr", zarr_format=2)
    LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "a", (90, 71))
    group = zarr.open_group(tmp_path / "i.zarr", mode="r", use_consolidated=True)
    assert "labels/a/scale0" in group


# Read by others ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_format_is_what_its_models_demand(tmp_path: Path, version: str) -> None:
    models = pytest.importorskip("ome_zarr_models")
    write_image(tmp_path / "i.zarr", [(2, 5, 90, 70), (2, 5, 45, 35)], version)
    path = tmp_path / "i.zarr" / "labels" / "nuclei"
    labels = LabelPyramid.create(path, (5, 90, 70))
    paint(labels, np.ones((40, 40), bool), (20, 20), 1, plane=(2,))
    group = zarr.open_group(tmp_path / "i.zarr", mode="r")
    image = models.open_ome_zarr(group, version=version)
    listed = image.labels.attributes if version == "0.4" else image.labels.ome_attributes
    assert listed.labels == ["nuclei"]
    found = models.open_ome_zarr(group["labels/nuclei"], version=version)
    assert type(found).__name__ == "ImageLabel"


def test_labels_on_their_own_are_what_the_models_demand(tmp_path: Path) -> None:
    v05 = pytest.importorskip("ome_zarr_models.v05")
    LabelPyramid.create(tmp_path / "a.zarr", (2, 3, 3000, 40), image_path=tmp_path / "i.zarr")
    found = v05.ImageLabel.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    label = found.ome_attributes.image_label
    assert label.version == "0.5"
    assert label.source.image == "../i.zarr"
    assert [dataset.path for dataset in found.ome_attributes.multiscales[0].datasets] == list("012")


def _nodes(path: Path) -> Iterator[Any]:
    pytest.importorskip("ome_zarr")
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    location = parse_url(path)
    assert location is not None
    yield from Reader(location)()


def test_the_reference_reader_finds_the_labels_of_an_image(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 70), (2, 45, 35)], "0.5", "cyx", translated=True)
    labels = LabelPyramid.create(tmp_path / "i.zarr" / "labels" / "nuclei", (90, 70))
    paint(labels, np.ones((40, 40), bool), (20, 20), 7)
    (node,) = [
        node for node in _nodes(tmp_path / "i.zarr") if node.metadata.get("name") == "nuclei"
    ]
    assert [axis["name"] for axis in node.metadata["axes"]] == ["y", "x"]
    for theirs, mine in zip(node.data, labels.levels, strict=True):
        np.testing.assert_array_equal(theirs.compute(), mine[...])


# Refused ----------------------------------------------------------------------------------------


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    LabelPyramid.create(tmp_path / "a.zarr", (40, 40))
    with pytest.raises(InputError, match=r"a.zarr exists already.*open it with LabelPyramid.open"):
        LabelPyramid.create(tmp_path / "a.zarr", (40, 40))


def test_a_folder_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = zarr.storage.LocalStore.set

    async def only_the_group(store: Any, key: str, value: Any) -> None:
        if key.startswith("1/"):
            raise PermissionError(13, "Permission denied")
        await write(store, key, value)

    with monkeypatch.context() as refused:
        refused.setattr(zarr.storage.LocalStore, "set", only_the_group)
        with pytest.raises(StoreError, match=r"a.zarr could not be written .Permission denied"):
            LabelPyramid.create(tmp_path / "a.zarr", (3000, 3000))
    assert list(tmp_path.iterdir()) == []
    assert len(LabelPyramid.create(tmp_path / "a.zarr", (3000, 3000)).levels) == 3


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((40, 40), {"axes": "XY"}, "expected T first"),
        ((2, 40, 40), {"axes": "CYX"}, r"not C"),
        ((2, 2, 40, 40), {"axes": "ZTYX"}, "'ZTYX' cannot be written"),
        ((2, 40, 40), {"axes": "YX"}, "expected T first"),
        ((0, 40), {}, "at least one pixel"),
        ((1, 1, 1, 40, 40), {}, "cannot be written"),
        ((40, 40), {"scale": (1.0,)}, "does not fit 2 axes"),
        ((40, 40), {"scale": (1.0, 0.0)}, "size above 0"),
    ],
)
def test_labels_that_cannot_be_written_are_refused(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LabelPyramid.create(tmp_path / "a.zarr", shape, **options)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_whole_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputTypeError, match="cannot hold float32: choose whole numbers"):
        LabelPyramid.create(tmp_path / "a.zarr", (40, 40), dtype="float32")


def test_labels_that_do_not_fit_their_image_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "i.zarr", [(2, 90, 70)], "0.5", "cyx")
    inside = tmp_path / "i.zarr" / "labels" / "a"
    with pytest.raises(InputError, match=r"without channels its shape is \(90, 70\)"):
        LabelPyramid.create(inside, (70, 90))
    with pytest.raises(InputError, match="leave the scale out"):
        LabelPyramid.create(inside, (90, 70), scale=(1, 1))
    with pytest.raises(InputError, match="do not fit the image"):
        LabelPyramid.create(tmp_path / "b.zarr", (70, 90), image_path=tmp_path / "i.zarr")
    assert not (tmp_path / "i.zarr" / "labels").exists()


def test_a_group_that_is_no_image_gets_no_labels(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "plate.zarr")
    with pytest.raises(InputError, match=r"plate.zarr holds data .* is no OME-Zarr image"):
        LabelPyramid.create(tmp_path / "plate.zarr" / "labels" / "a", (40, 40))


def test_a_folder_named_labels_is_just_a_folder(tmp_path: Path) -> None:
    labels = LabelPyramid.create(tmp_path / "labels" / "a.zarr", (40, 40))
    assert labels.shape == (40, 40)
    assert not (tmp_path / "labels" / "zarr.json").exists()


def test_only_label_images_are_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no label image at"):
        LabelPyramid.open(tmp_path / "nothing.zarr")
    write_image(tmp_path / "i.zarr", [(90, 70)], "0.5", "yx")
    with pytest.raises(InputError, match=r"is not an OME-Zarr label image.*i.zarr/labels/nuclei"):
        LabelPyramid.open(tmp_path / "i.zarr")
    zarr.create_array(tmp_path / "array.zarr", shape=(4, 4), dtype="uint8")
    with pytest.raises(InputError, match="there is no label image at"):
        LabelPyramid.open(tmp_path / "array.zarr")


def test_probabilities_are_not_labels(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", shape=(4, 4), dtype="float32", dimension_names=("y", "x"))
    layout = label_metadata.halved((4, 4), label_metadata.make_axes(None, (4, 4)), (1, 1), (0, 0))
    group.update_attributes(label_metadata.image_label(layout, "a", None))
    with pytest.raises(InputTypeError, match="holds float32: expected labels"):
        LabelPyramid.open(tmp_path / "a.zarr")
