"""Rows and columns from the positions of lines."""

from __future__ import annotations

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.tables.white_space import is_clear, lattice_of


def at(words: str, x: float, y: float, width: float = 60) -> Line:
    return Line(words, Rect(x, y, x + width, y + 20), 1.0)


def table(lines: list[Line]) -> list[list[tuple[int, str]]]:
    """Of each row, the first column of each cell and its text."""
    return [
        [(cell.first, " ".join(line.text for line in cell.lines)) for cell in row]
        for row in lattice_of(lines).rows
    ]


RECORDS = [
    line
    for row in range(4)
    for line in (at(f"Town {row}", 0, 100 + 40 * row), at(f"{row}.5", 200, 100 + 40 * row))
]


def test_text_that_wraps_belongs_to_its_record() -> None:
    wrapped = [at("on the river", 0, 118), at("in the hills", 0, 198)]

    rows = table([*RECORDS, *wrapped])

    assert rows[0] == [(0, "Town 0 on the river"), (1, "0.5")]
    assert rows[2] == [(0, "Town 2 in the hills"), (1, "2.5")]


def test_a_label_as_far_away_as_a_record_is_a_row_of_its_own() -> None:
    below = [at("Islands", 0, 260), at("Town 9", 0, 300), at("9.5", 200, 300)]

    assert table([*RECORDS, *below])[-2:] == [[(0, "Islands")], [(0, "Town 9"), (1, "9.5")]]


def test_a_heading_of_two_lines_is_one_row() -> None:
    heading = [at("Place", 0, 70), at("Rate", 200, 48), at("per cent", 200, 70)]

    assert table([*heading, *RECORDS])[0] == [(0, "Place"), (1, "Rate per cent")]


def test_a_heading_over_two_columns_spans_them_and_keeps_its_row() -> None:
    third = [at(f"{row}.7", 300, 100 + 40 * row) for row in range(4)]
    heading = [at("Both of the rates", 200, 48, width=160), at("old", 200, 72), at("new", 300, 72)]

    lattice = lattice_of([*heading, *RECORDS, *third])

    assert [(cell.first, cell.last) for cell in lattice.rows[0]] == [(1, 2)]
    assert is_clear(lattice)


def test_a_heading_set_clear_of_its_numbers_is_in_their_column() -> None:
    heading = [at("Place", 0, 60), at("Rate", 290, 60)]

    assert table([*heading, *RECORDS])[0] == [(0, "Place"), (1, "Rate")]


def test_columns_that_are_never_filled_together_stay_two_under_two_headings() -> None:
    heading = [at("Day", 0, 60), at("Out", 200, 60), at("In", 300, 60)]
    records = [
        line
        for row in range(4)
        for line in (
            at(f"Day {row}", 0, 100 + 40 * row),
            at("5.0", 200 + row % 2 * 100, 100 + 40 * row),
        )
    ]

    assert table([*heading, *records])[2] == [(0, "Day 1"), (2, "5.0")]


def test_lines_that_stand_beside_one_another_in_a_column_are_not_clear() -> None:
    beside = [at("a", 0, 60, width=20), at("b", 40, 60, width=20)]

    assert is_clear(lattice_of(RECORDS))
    assert not is_clear(lattice_of([*RECORDS, *beside]))


def test_a_heading_wider_than_its_numbers_keeps_its_column() -> None:
    numbers = [at("17", x, 100 + 40 * row, 20) for row in range(4) for x in (0, 100, 160)]
    heading = [at("Bin", 0, 60, 20), at("On", 100, 60, 20), at("Reserved", 126, 60, 54)]

    assert table([*heading, *numbers])[0] == [(0, "Bin"), (1, "On"), (2, "Reserved")]
