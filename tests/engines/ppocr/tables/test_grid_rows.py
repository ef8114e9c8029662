"""Tables without rules, found among a page's rows."""

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.columns import arrange
from dsocr.engines.ppocr.reading_order.items import line_items
from dsocr.engines.ppocr.tables.grid_rows import grids_in


def grids(rows: list[list[str]], *, columns: tuple[int, ...] = (50, 300, 420)) -> list[list[str]]:
    lines = []
    for number, row in enumerate(rows):
        for x, text in zip(columns, row, strict=False):
            rect = Rect(x, 30 * number, x + 8 * len(text), 30 * number + 20)
            lines.append(Line(text, rect, 0.99))
    return [[line.text for line in grid] for grid in grids_in(arrange(line_items(lines)))]


def test_numbers_below_one_another_are_a_table() -> None:
    rows = [[f"Town {n}", str(10 + n), str(90 - n)] for n in range(5)]

    (grid,) = grids([["Prose above the table goes on over the page"], *rows])

    assert grid == [text for row in rows for text in row]


def test_a_section_inside_a_table_stays_in_it() -> None:
    rows = [["North", "11", "12"], ["East", "13", "14"], ["West", "15", "16"]]

    (grid,) = grids([*rows, ["Islands"], *rows])

    assert "Islands" in grid


def test_labels_with_values_are_no_table() -> None:
    assert grids([["Name", "Adaeze"], ["Born", "7 June 1984"], ["Town", "Ashford"]]) == []


def test_an_address_beside_two_dates_is_no_table() -> None:
    rows = [["14 Canal Street", "Invoice", "HS"], ["Westport", "Date", "May"], ["VAT", "Due", "1"]]

    assert grids(rows) == []


def test_long_descriptions_beside_numbers_are_a_table() -> None:
    rows = [[f"0{n} May 2024", "PAYMENT TO THE HARBOUR OFFICE", f"{n}5.20"] for n in range(1, 9)]

    (grid,) = grids(rows, columns=(50, 200, 520))

    assert len(grid) == 24


def test_a_head_of_other_columns_far_above_a_table_is_no_part_of_it() -> None:
    head = [
        Line(text, Rect(x, y, x + 150, y + 20), 0.99)
        for y in (0, 30)
        for x, text in ((50, "Account no. 7"), (250, "0061773"), (430, "Sheet 1"))
    ]
    table = [
        Line(text, Rect(x, y, x + 60, y + 20), 0.99)
        for y in range(85, 235, 30)
        for x, text in ((50, "3 May"), (180, "Rent"), (300, "31.50"), (450, "1,204.18"))
    ]

    (grid,) = grids_in(arrange(line_items([*head, *table])))

    assert len(grid) == len(table)
    assert not set(map(id, grid)) & set(map(id, head))
