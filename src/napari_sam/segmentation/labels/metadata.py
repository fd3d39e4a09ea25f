"""What an OME-Zarr label image says of itself: axes, levels, what it belongs to.

Versions 0.5 (zarr 3) and 0.4 (zarr 2) of https://ngff.openmicroscopy.org. ``docs/labels.md``
describes what is written; `napari_sam.images.ome_zarr` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_sam.errors import InputError
from napari_sam.images.ome_zarr import place_of, read_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import zarr

LARGEST_TOP: Final = 1024
"""Pixels of the longer side at which levels stop halving: one look at the whole plane."""

OWN_KEY: Final = "napari_sam"
"""Attribute of the group that holds what only this program needs."""

HIGHEST_ID: Final = "highest_id"
"""Key in `OWN_KEY`: the highest id that was ever given."""

ORDER: Final = {"t": 0, "z": 2, "y": 3, "x": 4}
"""Rank of the axes in the format; one other, of any name, may stand second."""

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Axes and levels that labels have, or are to have.

    Attributes
    ----------
    version : str
        Of OME-Zarr, "0.5" or "0.4".
    axes : list of dict
        ``name`` and perhaps ``type`` and ``unit`` of each axis.
    datasets : list of dict
        ``path`` and ``coordinateTransformations`` of each level, finest first.
    shapes : tuple of tuple of int
        Shape of each level.
    """

    version: str
    axes: list[Attributes]
    datasets: list[Attributes]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes."""
        return tuple(axis["name"] for axis in self.axes)


def make_axes(axes: str | None, shape: tuple[int, ...]) -> list[Attributes]:
    """Describe the axes of labels.

    Parameters
    ----------
    axes : str or None
        One letter an axis; the last of T, Z, Y, X when None.
    shape : tuple of int

    Raises
    ------
    InputError
        When they do not fit the shape, or are not in the order of the format.
    """
    names = "tzyx"[-len(shape) :] if axes is None else axes.lower()
    ranks = [ORDER.get(name, 1) for name in names]
    if (
        len(names) != len(shape)
        or min(shape) < 1
        or not names.endswith("yx")
        or "c" in names
        or ranks != sorted(set(ranks))
    ):
        raise InputError(
            f"labels of shape {shape} with the axes {names.upper()!r} cannot be written as "
            "OME-Zarr: expected T first, then at most one other axis (not C), then Z, Y and X, "
            "all at least one pixel long"
        )
    kinds = {"t": {"type": "time"}} | {name: {"type": "space"} for name in "zyx"}
    return [{"name": name, **kinds.get(name, {})} for name in names]


def halved(
    shape: tuple[int, ...],
    axes: list[Attributes],
    scale: Sequence[float],
    translation: Sequence[float],
) -> Layout:
    """Layout of a pyramid that halves y and x until the longer side is `LARGEST_TOP` or less.

    Pixel ``i`` of level ``k`` stands for the ``f = 2 ** k`` pixels from ``f * i`` on and shows the
    one at ``f * i + f // 2``, next to their centre; a level has a pixel wherever that one exists.
    """
    shapes, datasets = [shape], [_dataset("0", scale, translation)]
    factor = 1
    while max(shapes[-1][-2:]) > LARGEST_TOP:
        factor *= 2
        steps = [factor if axis["name"] in ("y", "x") else 1 for axis in axes]
        shapes.append(
            tuple(max(1, -((f // 2 - n) // f)) for n, f in zip(shape, steps, strict=True))
        )
        datasets.append(
            _dataset(
                str(len(datasets)),
                [s * f for s, f in zip(scale, steps, strict=True)],
                [t + s * (f - 1) / 2 for t, s, f in zip(translation, scale, steps, strict=True)],
            )
        )
    return Layout(version="0.5", axes=axes, datasets=datasets, shapes=tuple(shapes))


def layout_of_image(group: zarr.Group) -> Layout | None:
    """Layout that labels of an OME-Zarr image have; None of a group that is no image.

    The image's own without its channel axis, level by level as the format demands.

    Raises
    ------
    InputError
        When the metadata of the image cannot be used.
    """
    attributes = group.attrs.asdict()
    metadata: Any = attributes.get("ome", attributes)
    if "multiscales" not in metadata:
        return None
    contents = read_group(group, place_of(group))
    assert contents.axes is not None
    keep = [i for i, letter in enumerate(contents.axes) if letter != "C"]
    multiscale = metadata["multiscales"][0]
    shapes = [tuple(int(n) for n in level.shape) for level in contents.levels]
    outer_scale, outer_shift = _vectors(multiscale, len(shapes[0]))
    datasets = []
    for dataset, shape in zip(multiscale["datasets"], shapes, strict=True):
        scale, shift = _vectors(dataset, len(shape))
        if contents.scales is None:
            scale = [n / short for n, short in zip(shapes[0], shape, strict=True)]
        start = [shift[i] * outer_scale[i] + outer_shift[i] for i in keep]
        datasets.append(
            _dataset(
                dataset["path"],
                [scale[i] * outer_scale[i] for i in keep],
                start if contents.shifts is not None else None,
            )
        )
    return Layout(
        version="0.4" if group.metadata.zarr_format == 2 else "0.5",
        axes=[multiscale["axes"][i] for i in keep],
        datasets=datasets,
        shapes=tuple(tuple(shape[i] for i in keep) for shape in shapes),
    )


def place(layout: Layout) -> tuple[list[float], list[float]]:
    """Scale and translation of level 0."""
    return _vectors(layout.datasets[0], len(layout.axes))


def _dataset(path: str, scale: Sequence[float], translation: Sequence[float] | None) -> Attributes:
    steps: list[Attributes] = [{"type": "scale", "scale": list(map(float, scale))}]
    if translation is not None:
        steps.append({"type": "translation", "translation": list(map(float, translation))})
    return {"path": path, "coordinateTransformations": steps}


def _vectors(item: Mapping[str, Any], n_axes: int) -> tuple[list[float], list[float]]:
    """Scale and translation that a level or a whole multiscale has."""
    steps = {step["type"]: step for step in item.get("coordinateTransformations", ())}
    scale = steps.get("scale", {}).get("scale", [1.0] * n_axes)
    translation = steps.get("translation", {}).get("translation", [0.0] * n_axes)
    return scale, translation


def is_label_image(attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes of a group are those of a label image."""
    metadata = attributes.get("ome", attributes)
    return "multiscales" in metadata and "image-label" in metadata


def image_label(layout: Layout, name: str, source: str | None) -> Attributes:
    """Attributes of the group of a label image.

    Parameters
    ----------
    layout : Layout
    name : str
    source : str or None
        Relative path to the image that the labels are of.
    """
    multiscale = {"name": name, "axes": layout.axes, "datasets": layout.datasets, "type": "nearest"}
    label: Attributes = {"version": layout.version}
    if source is not None:
        label["source"] = {"image": source}
    if layout.version == "0.4":
        return {"multiscales": [{"version": "0.4", **multiscale}], "image-label": label}
    ome = {"version": layout.version, "multiscales": [multiscale], "image-label": label}
    return {"ome": ome}


def with_label(attributes: Mapping[str, Any], name: str, version: str) -> Attributes:
    """Attributes of the ``labels`` group of an image with one more name in its list."""
    metadata = dict(attributes if version == "0.4" else attributes.get("ome", {}))
    metadata["labels"] = [*(n for n in metadata.get("labels", ()) if n != name), name]
    if version == "0.4":
        return metadata
    return {**attributes, "ome": {"version": version, **metadata}}
