"""A plain text table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> str:
    """Set rows under a header, each column as wide as its widest cell.

    Parameters
    ----------
    header : sequence of str
        One name per column.
    rows : sequence of sequences of str
        One cell per column in every row.
    right : str
        The names of the columns to align on the right (numbers), separated by commas.

    Returns
    -------
    str
        Lines without a newline at the end.
    """
    numbers = {name.strip() for name in right.split(",")}
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for name, cell, width in zip(header, cells, widths, strict=True)
        )
        return "  ".join(aligned).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(header), rule, *map(line, rows)])
