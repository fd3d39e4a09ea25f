"""Masks as JSON with COCO run lengths, in the layout of the SA-1B dataset: out and in."""

from __future__ import annotations

import itertools
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.durable import whole_file
from napari_sam.errors import InputError
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.run_lengths import (
    crop,
    embed,
    lengths_of,
    polygon_lengths,
    to_rle,
)
from napari_sam.segmentation.writing import writing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    import numpy.typing as npt

__all__ = ["CocoMasks", "read_coco", "write_coco"]

LARGEST = 2**31
"""Pixels of a plane: the tools that read COCO run lengths count no further."""


@dataclass(frozen=True, slots=True, eq=False)
class CocoMasks:
    """Masks of one plane, read from or on their way to a file.

    Attributes
    ----------
    plane : tuple of int
        Index for every leading axis of the image.
    shape : tuple of int
        ``(height, width)`` of the plane.
    name : str
        File name of the image, "" where nobody said it.
    ids : ndarray of int64, shape (n,)
    found : FoundMasks
        The masks. What a file does not say is 1 for a score and a stability, the middle of the
        box for a point, and tile (0, 0) at sampling 1.
    """

    plane: tuple[int, ...]
    shape: tuple[int, int]
    name: str
    ids: npt.NDArray[np.int64]
    found: FoundMasks


def write_coco(path: str | os.PathLike[str], planes: Iterable[CocoMasks]) -> None:
    """Write masks as SA-1B does: ``image`` and ``annotations`` with compressed run lengths.

    Masks of several planes become ``images``, and their annotations have an ``image_id``. Planes
    are written as they come, so only one part of the masks is in memory.

    Parameters
    ----------
    path : path
        A file of this name is replaced.
    planes : iterable of CocoMasks
        Those of one plane may come in several parts, one after the other.

    Raises
    ------
    InputError
        When a plane is too large for COCO run lengths.
    StoreError
        When the file cannot be written.
    """
    path = Path(path)
    images: list[dict[str, Any]] = []
    number = itertools.count(1)
    with (
        writing(path),
        whole_file(path) as unfinished,
        unfinished.open("w", encoding="utf-8") as file,
    ):
        file.write('{"annotations": [')
        for masks in planes:
            image = _image(masks)
            if not images or images[-1]["plane"] != image["plane"]:
                images.append({"image_id": len(images) + 1, **image})
            _write_annotations(file, masks, len(images), number)
        file.write("\n], ")
        _write_images(file, images)
        file.write("}\n")


def read_coco(path: str | os.PathLike[str]) -> list[CocoMasks]:
    """Read masks from JSON: of SA-1B, of COCO, or written here.

    Parameters
    ----------
    path : path
        With ``annotations`` whose ``segmentation`` is run lengths, compressed or not, or polygons.

    Returns
    -------
    list of CocoMasks
        One for each image of the file, in its order.

    Raises
    ------
    InputError
        When the file is not that; the message names the annotation.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} could not be read as JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise InputError(
            f"{path} holds no masks: expected an object with annotations, as in SA-1B or COCO"
        )
    images = content.get("images") or [content.get("image")]
    annotations: dict[Any, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        with _telling(path, annotation):
            key = annotation["image_id"] if len(images) > 1 else None
            annotations.setdefault(key, []).append(annotation)
    found = []
    for image in images:
        key = None if len(images) == 1 else image.get("id", image.get("image_id"))
        found.append(_masks(path, image or {}, annotations.get(key, [])))
    return found


def _image(masks: CocoMasks) -> dict[str, Any]:
    height, width = masks.shape
    if height * width >= LARGEST:
        raise InputError(
            f"a plane of {height:,} x {width:,} pixels is too large for COCO run lengths, which "
            f"other tools count up to {LARGEST:,}: write labels, or segment a region of it"
        )
    return {
        "width": width,
        "height": height,
        "file_name": masks.name,
        "plane": list(masks.plane),
    }


def _write_images(file: TextIO, images: list[dict[str, Any]]) -> None:
    if len(images) == 1:
        file.write(f'"image": {json.dumps(images[0])}')
    else:
        coco = [{"id": image["image_id"], **image} for image in images]
        file.write(f'"images": {json.dumps(coco)}')


def _write_annotations(
    file: TextIO, masks: CocoMasks, image_id: int, number: Iterator[int]
) -> None:
    height, width = masks.shape
    found = masks.found
    for row, object_id in enumerate(masks.ids.tolist()):
        y0, x0, y1, x1 = found.boxes[row].tolist()
        counts = embed(lengths_of(found.rles[row]), (y0, x0, y1, x1), masks.shape)
        y, x = found.points[row].tolist()
        annotation = {
            "id": object_id,
            "image_id": image_id,
            "segmentation": {
                "size": [height, width],
                "counts": to_rle(counts, masks.shape).decode("ascii"),
            },
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": int(found.areas[row]),
            "predicted_iou": round(float(found.scores[row]), 6),
            "stability_score": round(float(found.stability[row]), 6),
            "point_coords": [[x, y]],
        }
        separator = "\n" if next(number) == 1 else ",\n"
        file.write(separator + json.dumps(annotation, allow_nan=False))


def _masks(path: Path, image: dict[str, Any], annotations: list[dict[str, Any]]) -> CocoMasks:
    shape: tuple[int, int] | None = None
    if "height" in image and "width" in image:
        shape = int(image["height"]), int(image["width"])
    ids: list[int] = []
    boxes, rles, rest, points = [], [], [], []
    for annotation in annotations:
        with _telling(path, annotation):
            counts, shape = _lengths(annotation["segmentation"], shape)
            cropped = crop(counts, shape)
            if cropped is None:
                raise ValueError("its mask is empty")
            box, counts = cropped
            size = box[2] - box[0], box[3] - box[1]
            score = annotation.get("predicted_iou", annotation.get("score", 1))
            middle = [((box[1] + box[3]) - 1) / 2, ((box[0] + box[2]) - 1) / 2]
            x, y = annotation.get("point_coords", [middle])[0]
            ids.append(int(annotation.get("id", len(ids) + 1)))
            boxes.append(box)
            rles.append(to_rle(counts, size))
            rest.append((score, annotation.get("stability_score", 1), int(counts[1::2].sum())))
            points.append((y, x))
    n = len(ids)
    if not n:
        found = FoundMasks.empty()
    else:
        scores, stability, areas = zip(*rest, strict=True)
        compressed = np.empty(n, np.object_)
        compressed[:] = rles
        found = FoundMasks(
            boxes=np.array(boxes, np.int64),
            rles=compressed,
            scores=np.array(scores, np.float32),
            stability=np.array(stability, np.float32),
            areas=np.array(areas, np.int64),
            points=np.array(points, np.float64),
            prompts=np.arange(n),
            tokens=np.zeros(n, np.uint8),
            samplings=np.ones(n),
            tiles=np.zeros((n, 2), np.int64),
        )
    return CocoMasks(
        plane=tuple(int(i) for i in image.get("plane", ())),
        shape=shape or (0, 0),
        name=str(image.get("file_name", "")),
        ids=np.array(ids, np.int64),
        found=found,
    )


def _lengths(
    segmentation: Any, shape: tuple[int, int] | None
) -> tuple[npt.NDArray[np.int64], tuple[int, int]]:
    """Run lengths of any of COCO's three forms, and the shape of their image."""
    if isinstance(segmentation, list):
        if shape is None:
            raise ValueError("it is a polygon, and the file does not say how large the image is")
        return polygon_lengths(segmentation, shape), shape
    height, width = (int(n) for n in segmentation["size"])
    if shape is not None and shape != (height, width):
        raise ValueError(f"its mask is {(height, width)} pixels, others or the image {shape}")
    counts = segmentation["counts"]
    if isinstance(counts, str):
        lengths = lengths_of(counts.encode("ascii"))
    else:
        lengths = np.asarray(counts, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise ValueError(f"its run lengths do not add up to {height} x {width} pixels")
    return lengths, (height, width)


@contextmanager
def _telling(path: Path, annotation: Any) -> Iterator[None]:
    """Say which annotation cannot be used."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        number = annotation.get("id", "?") if isinstance(annotation, dict) else "?"
        problem = f"no {error}" if isinstance(error, KeyError) else error
        raise InputError(
            f"{path}, annotation {number} cannot be read: {problem}; expected COCO run lengths or "
            "polygons, as in SA-1B or COCO"
        ) from error
