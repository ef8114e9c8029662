"""Tables of words without rules, their cells wrapped, set in rows or side by side."""

from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.tables.build import table_html
from dsocr.engines.ppocr.tables.side_by_side import tables_in
from dsocr.engines.ppocr.tables.text_grids import text_grids_in
from tests.engines.ppocr.business import Sheet

Cells = tuple[str, ...]
"""The cells of a record; a bar stands where one wraps."""
SERVICES: tuple[Cells, ...] = (
    ("Service", "What it includes", "Who"),
    ("Lawn care", "Mowing and hedges, and|taking away what was cut", "Marit"),
    ("Windows", "Outside only", "Ola"),
    ("Removal of|old chairs", "We fetch them from the|flat and bring them to|the yard", "Liv"),
    ("Snow", "The path before seven", "Torunn and|Gro"),
)
GOODS: tuple[Cells, ...] = (
    ("No", "Goods", "Number", "Price"),
    ("A-1", "Oak board, planed on both|sides and oiled", "2", "84.00"),
    ("B-7", "Hinges", "12", "18.60"),
    ("C-3", "Lacquer for wood, clear,|one litre", "1", "22.40"),
)


def sheet_of(records: tuple[Cells, ...], places: tuple[int, ...], *, gap: int) -> Sheet:
    """A table from y 200 on, with `gap` pixels between the records."""
    sheet = Sheet()
    sheet.write(100, 150, "Ask at the office on the second floor if you need more than this.")
    y = 200.0
    for record in records:
        parts = [cell.split("|") for cell in record]
        most = max(map(len, parts))
        for x, rows in zip(places, parts, strict=True):
            for number, row in enumerate(rows):
                sheet.write(x, y + 28 * number, row)
        y += 28 * most + gap
    return sheet


def html_of(lines: list[Line]) -> str:
    return table_html(lambda: (), lines)


def expected_html(records: tuple[Cells, ...]) -> str:
    rows = [[cell.replace("|", " ") for cell in record] for record in records]
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


@pytest.mark.parametrize("gap", [8, 16, 30])
@pytest.mark.parametrize(
    "records, places", [(SERVICES, (100, 360, 820)), (GOODS, (100, 260, 760, 960))]
)
def test_wrapped_cells_stay_in_their_rows(
    records: tuple[Cells, ...], places: tuple[int, ...], gap: int
) -> None:
    sheet = sheet_of(records, places, gap=gap)
    (table,) = text_grids_in(sheet.lines)

    assert html_of(table) == expected_html(records)


def test_columns_of_running_text_are_no_table() -> None:
    sheet = Sheet()
    for column in range(3):
        for row in range(20):
            text = "and so it went on for a" if (row + column) % 6 else "whole year."
            sheet.write(100 + 350 * column, 100 + 28 * row, text)

    assert text_grids_in(sheet.lines) == []


def test_cards_with_headings_in_larger_letters_are_no_table() -> None:
    sheet = Sheet()
    for x, title in ((100, "Fast"), (450, "Fair"), (800, "Near")):
        for y in (100, 400):
            sheet.write(x, y, title, size=30)
            for row, text in enumerate(("We send every", "parcel on the day", "of the order")):
                if row < 1 + (x + y) % 3:
                    sheet.write(x, y + 50 + 28 * row, text)

    assert text_grids_in(sheet.lines) == []


def two_tables(
    *, rows: tuple[int, int], step: tuple[int, int] = (34, 34), right: int = 700
) -> Sheet:
    sheet = Sheet()
    for side, (start, heads) in enumerate(((100, ("Tool", "Shelf")), (right, ("Helper", "Day")))):
        sheet.write(start, 100, heads[0])
        sheet.write(start + 150, 100, heads[1])
        for row in range(rows[side]):
            y = 100 + step[side] * (row + 1)
            sheet.write(start, y, ("Twine", "Putty", "Wax", "Hinges", "Rope", "Saw")[row])
            sheet.write(start + 150, y, ("north", "cellar", "yard", "attic", "hall", "loft")[row])
    return sheet


@pytest.mark.parametrize("rows", [(6, 3), (3, 6), (5, 3)])
def test_tables_side_by_side_that_end_in_different_rows_are_two(rows: tuple[int, int]) -> None:
    sheet = two_tables(rows=rows)
    left, right = text_grids_in(sheet.lines)

    assert html_of(left).count("<tr>") == rows[0] + 1
    assert html_of(right).count("<tr>") == rows[1] + 1
    assert "Tool" in html_of(left) and "Helper" in html_of(right)


def test_tables_side_by_side_with_rows_at_other_heights_are_two() -> None:
    assert len(tables_in(two_tables(rows=(6, 5), step=(34, 45)).lines)) == 2


def test_tables_of_three_columns_far_apart_are_two() -> None:
    sheet = Sheet()
    for row in range(5):
        for start in (100, 700):
            for column, text in enumerate(("Twine", "shelf", "cellar")):
                sheet.write(start + 110 * column, 100 + 34 * row, text)

    assert len(tables_in(sheet.lines)) == 2


def test_one_table_with_sums_below_its_last_columns_stays_one() -> None:
    sheet = sheet_of(GOODS, (100, 260, 760, 960), gap=16)
    for row, text in enumerate(("Net", "Tax", "Total")):
        sheet.write(760, 500 + 44 * row, text)
        sheet.write(960, 500 + 44 * row, "125.00")

    assert len(tables_in(sheet.lines[1:])) == 1


def test_one_table_with_a_wide_stripe_stays_one() -> None:
    assert len(tables_in(two_tables(rows=(5, 5)).lines)) == 1
