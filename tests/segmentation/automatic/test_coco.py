from __future__ import annotations

import json
import warnings
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools import mask as coco

from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.automatic.coco import CocoMasks, read_coco, write_coco
from napari_sam.segmentation.automatic.found import FoundMasks

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (40, 60)


def disc(centre: tuple[int, int], radius: int) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


MASKS = [disc((10, 12), 6), disc((25, 40), 9), disc((0, 0), 5), disc((38, 30), 4)]


def found_masks(masks: list[np.ndarray]) -> FoundMasks:
    n = len(masks)
    hits = [np.nonzero(mask) for mask in masks]
    boxes = np.array([(y.min(), x.min(), y.max() + 1, x.max() + 1) for y, x in hits])
    rles = np.empty(n, np.object_)
    for row, (mask, (y0, x0, y1, x1)) in enumerate(zip(masks, boxes, strict=True)):
        rles[row] = coco.encode(np.asfortranarray(mask[y0:y1, x0:x1].astype(np.uint8)))["counts"]
    return replace(
        FoundMasks.empty(),
        boxes=boxes,
        rles=rles,
        scores=np.linspace(0.9, 0.6, n, dtype=np.float32),
        stability=np.linspace(0.99, 0.8, n, dtype=np.float32),
        areas=np.array([mask.sum() for mask in masks]),
        points=np.array([(y.mean(), x.mean()) for y, x in hits]),
        prompts=np.arange(n),
        tokens=np.zeros(n, np.uint8),
        samplings=np.ones(n),
        tiles=np.zeros((n, 2), np.int64),
    )


def coco_masks(plane: tuple[int, ...] = (), masks: list[np.ndarray] = MASKS) -> CocoMasks:
    return CocoMasks(plane, SHAPE, "cells.tif", np.arange(1, len(masks) + 1), found_masks(masks))


def decode(segmentation: dict[str, Any]) -> np.ndarray:
    """Draw run lengths with pycocotools, which numpy 2.4 warns about."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return np.asarray(coco.decode(segmentation), bool)


def drawn(masks: CocoMasks) -> np.ndarray:
    """Masks on their plane, one page each."""
    pages = np.zeros((len(masks.ids), *masks.shape), bool)
    for page, (y0, x0, y1, x1), rle in zip(pages, masks.found.boxes, masks.found.rles, strict=True):
        page[y0:y1, x0:x1] = decode({"size": [y1 - y0, x1 - x0], "counts": rle})
    return pages


def test_any_tool_for_coco_reads_the_masks(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    write_coco(path, [coco_masks()])
    content = json.loads(path.read_text())
    assert (content["image"]["width"], content["image"]["height"]) == (60, 40)
    assert content["image"]["file_name"] == "cells.tif"
    for annotation, mask in zip(content["annotations"], MASKS, strict=True):
        np.testing.assert_array_equal(decode(annotation["segmentation"]), mask)
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == coco.toBbox(annotation["segmentation"]).tolist()
    assert content["annotations"][0]["predicted_iou"] == pytest.approx(0.9)
    assert content["annotations"][0]["stability_score"] == pytest.approx(0.99)
    assert content["annotations"][0]["point_coords"] == [[12.0, 10.0]]


def test_masks_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    original = coco_masks()
    write_coco(path, [original])
    (again,) = read_coco(path)
    assert (again.plane, again.shape, again.name) == ((), SHAPE, "cells.tif")
    np.testing.assert_array_equal(again.ids, original.ids)
    for field in fields(FoundMasks):
        one, other = getattr(again.found, field.name), getattr(original.found, field.name)
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, atol=1e-6)
        else:
            np.testing.assert_array_equal(one, other)


def test_planes_become_images_in_one_file_whatever_parts_they_come_in(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    parts = [coco_masks((0,), MASKS[:1]), coco_masks((0,), MASKS[1:2]), coco_masks((3,), MASKS[2:])]
    write_coco(path, parts)
    content = json.loads(path.read_text())
    assert [image["plane"] for image in content["images"]] == [[0], [3]]
    assert [annotation["image_id"] for annotation in content["annotations"]] == [1, 1, 2, 2]
    first, second = read_coco(path)
    np.testing.assert_array_equal(drawn(first), MASKS[:2])
    np.testing.assert_array_equal(drawn(second), MASKS[2:])
    assert second.plane == (3,)


def test_no_masks_are_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    write_coco(path, [CocoMasks((), SHAPE, "", np.empty(0, np.int64), FoundMasks.empty())])
    (again,) = read_coco(path)
    assert (len(again.found), again.shape) == (0, SHAPE)


def test_all_forms_of_coco_are_read(tmp_path: Path) -> None:
    rectangle = np.zeros(SHAPE, bool)
    rectangle[5:15, 10:30] = True
    counts = [10 * 40 + 5, *[10, 30] * 19, 10, 40 * 30 - 15 + 5 - 10 + 10]
    counts[-1] = rectangle.size - sum(counts[:-1])
    content: dict[str, Any] = {
        "images": [{"id": 7, "width": 60, "height": 40}],
        "annotations": [
            {"id": 1, "image_id": 7, "segmentation": [[10, 5, 30, 5, 30, 15, 10, 15]]},
            {"id": 2, "image_id": 7, "segmentation": {"size": SHAPE, "counts": counts}},
            {
                "id": 5,
                "image_id": 7,
                "segmentation": [[10, 5, 30, 5, 30, 15, 10, 15]],
                "score": 0.5,
            },
        ],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    (masks,) = read_coco(path)
    np.testing.assert_array_equal(drawn(masks), [rectangle] * 3)
    np.testing.assert_array_equal(masks.ids, [1, 2, 5])
    np.testing.assert_array_equal(masks.found.scores, [1, 1, 0.5])
    np.testing.assert_array_equal(masks.found.points, [(9.5, 19.5)] * 3)


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        ({"id": 4}, "no 'segmentation'"),
        ({"id": 4, "segmentation": {"size": [40, 60], "counts": [1, 2]}}, "do not add up"),
        ({"id": 4, "segmentation": {"size": [40, 60], "counts": "zz"}}, "run length"),
        ({"id": 4, "segmentation": {"size": [41, 60], "counts": [2460]}}, r"\(41, 60\)"),
        ({"id": 4, "segmentation": {"size": [40, 60], "counts": [2400]}}, "empty"),
        ({"id": 4, "segmentation": [[1, 2]]}, "three corners"),
    ],
)
def test_a_mask_that_cannot_be_read_is_named(
    tmp_path: Path, annotation: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "masks.json"
    image = {"width": 60, "height": 40}
    path.write_text(json.dumps({"image": image, "annotations": [annotation]}))
    with pytest.raises(InputError, match=f"annotation 4.*{problem}"):
        read_coco(path)


def test_a_polygon_needs_the_size_of_its_image(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    square = {"id": 4, "segmentation": [[10, 10, 20, 10, 20, 20, 10, 20]]}
    sized = {"image": {"width": 60, "height": 40}, "annotations": [square]}
    path.write_text(json.dumps(sized))
    assert len(read_coco(path)[0].found) == 1
    path.write_text(json.dumps({**sized, "image": {}}))
    with pytest.raises(InputError, match=r"annotation 4.*does not say how large the image is"):
        read_coco(path)


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"image": {}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "masks.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"masks\.json"):
        read_coco(path)


def test_a_plane_that_coco_cannot_count_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    huge = replace(coco_masks(), shape=(100_000, 100_000))
    with pytest.raises(InputError, match="too large for COCO"):
        write_coco(tmp_path / "masks.json", [huge])
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be written"):
        write_coco(tmp_path / "missing" / "masks.json", [coco_masks()])
