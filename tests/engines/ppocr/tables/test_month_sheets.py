from __future__ import annotations

import re

import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.tables.month_sheets import month_sheets

NAMES = ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]


def word(text: str, x: float, y: float) -> Line:
    return Line(text, Rect(x, y, x + 14 * len(text), y + 26), 0.9)


def sheet(
    first: int, days: int, *, notes: dict[int, str] | None = None, right: bool = False
) -> list[Line]:
    lines = [word(name, 60 + 120 * place, 100) for place, name in enumerate(NAMES)]
    for day in range(1, days + 1):
        week, column = divmod(day - 1 + first, 7)
        x, y = 60.0 + 120 * column, 150.0 + 80 * week
        lines.append(word(str(day), x + (80 - 14 * len(str(day)) if right else 0), y))
        if notes and day in notes:
            lines.append(word(notes[day], x, y + 34))
    return lines


def cells(lines: list[Line]) -> list[list[str]]:
    (found,) = month_sheets(lines)
    rows = re.findall("<tr>(.*?)</tr>", found.html)
    return [re.findall("<td>(.*?)</td>", row) for row in rows]


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize(("first", "days"), [(0, 28), (2, 30), (5, 31), (6, 31)])
def test_a_month_is_a_table_of_seven_columns(first: int, days: int, right: bool) -> None:
    table = cells(sheet(first, days, right=right))
    assert table[0] == NAMES
    assert all(len(row) == 7 for row in table)
    flat = [cell for row in table[1:] for cell in row]
    assert flat[first : first + days] == [str(day) for day in range(1, days + 1)]


def test_a_note_belongs_to_the_day_above_it() -> None:
    table = cells(sheet(1, 31, notes={8: "Rent", 31: "Choir"}))
    assert table[2][1] == "8 Rent"
    assert table[5][3] == "31 Choir"


def test_days_that_were_recognized_as_one_line_are_split() -> None:
    lines = [line for line in sheet(0, 28) if line.rect.y0 != 230]
    lines.append(Line(" ".join(map(str, range(8, 15))), Rect(60, 230, 810, 256), 0.9))
    assert cells(lines)[2] == [str(day) for day in range(8, 15)]


def test_a_table_of_numbers_is_no_month() -> None:
    lines = [
        word(str(7 * row + column + 1), 60 + 120 * column, 150 + 80 * row)
        for row in range(2)
        for column in range(7)
    ]
    assert month_sheets(lines) == []
