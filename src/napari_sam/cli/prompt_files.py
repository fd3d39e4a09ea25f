"""Prompts from CSV files: tables of points and boxes, and what napari's layers are saved as."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam.cli.csv_table import read_rows
from napari_sam.errors import InputError
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam.cli.csv_table import Row, Rows
    from napari_sam.images.source import ImageSource

    Box = tuple[float, float, float, float]

__all__ = ["Asked", "AskedFor", "read_prompts"]

OBJECT = "object"
"""Column of the id of the object that a row belongs to."""

BOX = ("y0", "x0", "y1", "x1")

SHAPE = ("index", "shape-type", "vertex-index")
"""Columns of a Shapes layer as napari saves it, beside its axes: one row for each corner."""

KNOWN = {OBJECT, "label", *SHAPE}
"""Columns that mean something, beside those that say where."""

LARGEST_ID = 2**32 - 1
"""What label images of the widest type hold."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt and the id that its object gets."""

    id: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class AskedFor:
    """All prompts of the files.

    Attributes
    ----------
    prompts : tuple of Asked
        In the order of the files.
    names_planes : bool
        Whether the files say in which planes the prompts are.
    unused : tuple of str
        Columns that mean nothing here.
    """

    prompts: tuple[Asked, ...]
    names_planes: bool
    unused: tuple[str, ...]


@dataclass(slots=True)
class _Said:
    """What the rows say about one object."""

    row: Row
    plane: tuple[int, ...]
    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    box: Box | None = None


def read_prompts(
    points: Path | None, boxes: Path | None, source: ImageSource, plane: tuple[int, ...]
) -> AskedFor:
    """Read the prompts of one or two files and check them against an image.

    Parameters
    ----------
    points, boxes : Path, optional
        At least one of them. Rows of either with the same object are one prompt.
    source : ImageSource
    plane : tuple of int
        Where prompts are that do not say it.

    Raises
    ------
    InputError
        When a file or a prompt in it cannot be used; the message says where and why.
    """
    said: dict[int, _Said] = {}
    names_planes = False
    unused: list[str] = []
    tables = [(file, read_rows(file)) for file in (points, boxes) if file is not None]
    if len(tables) > 1 and not all(OBJECT in table.columns for _, table in tables):
        raise InputError(
            f"{points} and {boxes} can only be used together when both have a column {OBJECT!r} "
            "that says which points and which box belong together"
        )
    for file, table in tables:
        places = _Places(table, source, plane)
        names_planes |= places.names_planes
        if file is points:
            _add_points(said, table, places)
        elif set(SHAPE) <= set(table.columns):
            _add_shapes(said, table, places)
        else:
            _add_boxes(said, table, places)
        unused += (name for name in table.columns if name not in KNOWN | places.used)
    return AskedFor(
        tuple(Asked(number, _prompt(each, source)) for number, each in said.items()),
        names_planes,
        tuple(unused),
    )


def _prompt(said: _Said, source: ImageSource) -> Prompt:
    try:
        prompt = Prompt(said.points, said.labels, said.box, plane=said.plane)
        return prompt.inside(source.plane_shape)
    except InputError as error:
        raise said.row.error(error) from error


def _add_points(said: dict[int, _Said], table: Rows, places: _Places) -> None:
    if set(SHAPE) <= set(table.columns):
        raise InputError(f"{table.file} holds the shapes of a napari layer: give it with --boxes")
    y, x = places.columns("y", "x")
    for number, row in enumerate(table.rows, start=1):
        each = _object(said, row, number, places)
        label = row.whole("label") if "label" in row.cells else 1
        if label not in (0, 1):
            raise row.error(f"{label} is not a label: 1 is on the object, 0 beside it", "label")
        each.points.append((row.number(y), row.number(x)))
        each.labels.append(label)


def _add_boxes(said: dict[int, _Said], table: Rows, places: _Places) -> None:
    columns = places.columns(*BOX)
    for number, row in enumerate(table.rows, start=1):
        y0, x0, y1, x1 = (row.number(column) for column in columns)
        _add_box(_object(said, row, number, places), row, (y0, x0, y1, x1))


def _add_shapes(said: dict[int, _Said], table: Rows, places: _Places) -> None:
    """Boxes around the corners of shapes, whatever kind they are."""
    y, x = places.columns("y", "x")
    shapes: dict[int, list[Row]] = {}
    for row in table.rows:
        shapes.setdefault(row.whole("index"), []).append(row)
    for number, (first, *more) in enumerate(shapes.values(), start=1):
        each = _object(said, first, number, places)
        for row in more:
            _check_plane(each, row, places)
        ys, xs = ([row.number(column) for row in (first, *more)] for column in (y, x))
        _add_box(each, first, (min(ys), min(xs), max(ys), max(xs)))


def _object(said: dict[int, _Said], row: Row, number: int, places: _Places) -> _Said:
    """Object that a row belongs to: the one it names, or its own."""
    if OBJECT in row.cells:
        number = row.whole(OBJECT)
        if not 1 <= number <= LARGEST_ID:
            raise row.error(f"{number} cannot be an id: expected 1 or more", OBJECT)
    if number not in said:
        said[number] = _Said(row, places.plane(row))
    _check_plane(said[number], row, places)
    return said[number]


def _check_plane(said: _Said, row: Row, places: _Places) -> None:
    plane = places.plane(row)
    if plane != said.plane:
        raise row.error(
            f"this lies in the plane {plane}, but {said.row.file}, line {said.row.line}, of the "
            f"same object in {said.plane}: an object lies in one plane"
        )


def _add_box(said: _Said, row: Row, box: Box) -> None:
    if said.box is not None:
        raise row.error("this object has a box already: give one box for each object", OBJECT)
    said.box = box


class _Places:
    """Which columns of a file say where its rows are."""

    def __init__(self, table: Rows, source: ImageSource, plane: tuple[int, ...]) -> None:
        self._file, self._found, self._source = table.file, table.columns, source
        self._numbered = self._numbered_axes()
        names = [source.axes.names[axis].lower() for axis in source.axes.leading]
        if self._numbered:
            self._leading = [self._numbered.get(name) for name in names]
        else:
            self._leading = [name if name in table.columns else None for name in names]
        self.names_planes = any(column is not None for column in self._leading)
        self.used = set(self._numbered.values()) | set(filter(None, self._leading))
        self._plane = () if self.names_planes else self._usual(plane)
        if self.names_planes and plane:
            given = ", ".join(column for column in self._leading if column is not None)
            raise InputError(
                f"{table.file} says in which planes the prompts are (column {given}), and so does "
                "--plane: leave one of them out"
            )
        for name, column, length in zip(names, self._leading, source.planes, strict=True):
            if self.names_planes and column is None and length > 1:
                raise InputError(f"{table.file} has no column {name}: {self._columns_found()}")

    def columns(self, *names: str) -> tuple[str, ...]:
        """Columns of these names, or what napari calls them."""
        if self._numbered and set(names) == {"y", "x"}:
            return tuple(self._numbered[name] for name in names)
        for name in names:
            if name not in self._found:
                raise InputError(f"{self._file} has no column {name}: {self._columns_found()}")
        self.used |= set(names)
        return names

    def plane(self, row: Row) -> tuple[int, ...]:
        """Plane that a row lies in, the nearest one to what it says."""
        if not self.names_planes:
            return self._plane
        plane = tuple(
            0 if column is None else math.floor(row.number(column) + 0.5)
            for column in self._leading
        )
        try:
            return self._source.check_plane(plane)
        except InputError as error:
            raise row.error(error) from error

    def _usual(self, plane: tuple[int, ...]) -> tuple[int, ...]:
        try:
            return self._source.check_plane(plane)
        except InputError as error:
            raise InputError(
                f"{self._file} does not say in which planes its prompts are, and --plane does not "
                f"either: {error}"
            ) from error

    def _numbered_axes(self) -> dict[str, str]:
        """Columns ``axis-0``, ``axis-1`` ... of a napari layer by the image's name of the axis."""
        columns = sorted(self._numbers())
        if not columns or {"y", "x"} <= set(self._found):
            return {}
        axes = self._source.axes.names.lower()
        without_channels = axes.replace("c", "")
        for names in (without_channels, axes, "yx"):
            if columns == list(range(len(names))):
                return {name: f"axis-{number}" for number, name in enumerate(names)}
        raise InputError(
            f"{self._file} has the columns {', '.join(f'axis-{n}' for n in columns)}, but the "
            f"image has {len(without_channels)} axes ({without_channels}): expected one column for "
            "each, or the last two"
        )

    def _numbers(self) -> Iterator[int]:
        for column in self._found:
            if re.fullmatch(r"axis-\d+", column):
                yield int(column[5:])

    def _columns_found(self) -> str:
        return f"its columns are {', '.join(self._found)}"
