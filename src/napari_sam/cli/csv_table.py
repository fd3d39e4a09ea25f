"""Rows of a CSV file, with errors that name the file, the line and the column."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Row", "Rows", "read_rows"]

DELIMITERS = ",;\t"
"""What separates columns; spreadsheets in some languages write semicolons."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV file.

    Attributes
    ----------
    file : Path
    line : int
        Number of its line in the file, from 1.
    cells : mapping of str to str
        Text by column.
    """

    file: Path
    line: int
    cells: Mapping[str, str]

    def error(self, problem: object, column: str | None = None) -> InputError:
        """Error that says where it was found."""
        where = "" if column is None else f", column {column}"
        return InputError(f"{self.file}, line {self.line}{where}: {problem}")

    def number(self, column: str) -> float:
        """Read a finite number."""
        text = self.cells[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(f"{text!r} is not a number: expected one such as 120.5", column)
        return value

    def whole(self, column: str) -> int:
        """Read a whole number; ``3.0``, as napari writes it, is one."""
        value = self.number(column)
        if value != int(value):
            raise self.error(f"{self.cells[column]!r} is not a whole number", column)
        return int(value)


@dataclass(frozen=True, slots=True)
class Rows:
    """A CSV file that has been read.

    Attributes
    ----------
    file : Path
    columns : tuple of str
        Their names in lower case.
    rows : tuple of Row
        At least one.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_rows(file: Path) -> Rows:
    """Read a CSV file with a header; empty lines do not count.

    Raises
    ------
    InputError
        When it cannot be read, has no rows, or a row has not as many values as there are columns.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            lines = csv.reader(stream, delimiter=max(DELIMITERS, key=first.count))
            columns = tuple(name.strip().lower() for name in next(lines, []))
            rows = tuple(
                _row(file, lines.line_num, columns, values) for values in lines if any(values)
            )
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"{file} could not be read as a CSV file: {error}") from error
    if len(set(columns)) != len(columns):
        raise InputError(f"{file} has two columns of the same name: {', '.join(columns)}")
    if not rows:
        raise InputError(f"{file} has no rows: expected a header and one row for each prompt")
    return Rows(file, columns, rows)


def _row(file: Path, line: int, columns: tuple[str, ...], values: list[str]) -> Row:
    row = Row(file, line, dict(zip(columns, map(str.strip, values), strict=False)))
    if len(values) != len(columns):
        raise row.error(f"{len(values)} value(s) for {len(columns)} columns")
    return row
