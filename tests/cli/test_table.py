from __future__ import annotations

from napari_sam.cli.table import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    drawn = table(("name", "MB"), [("a", "1,000"), ("longer", "7")], right="MB")
    assert drawn.splitlines() == [
        "name       MB",
        "------  -----",
        "a       1,000",
        "longer      7",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert table(("a", "b"), []) == "a  b\n-  -"
