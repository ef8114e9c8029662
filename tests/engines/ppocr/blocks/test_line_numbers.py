from __future__ import annotations

from dsocr.engines.ppocr.blocks.line_numbers import line_numbers
from dsocr.engines.ppocr.geometry import Line, Rect

SENTENCE = "The witness was sworn and stated as follows"


def at(text: str, x: float, row: float) -> Line:
    return Line(text, Rect(x, row * 40, x + 12 * len(text), row * 40 + 24), 0.9)


def numbers(*values: int, x: float = 60, first_row: int = 0) -> list[Line]:
    return [at(str(value), x, first_row + place) for place, value in enumerate(values)]


def test_numbers_of_lines_are_found_beside_half_a_page_of_text() -> None:
    counted = numbers(*range(1, 25))
    text = [at(SENTENCE, 130, row) for row in range(12)]
    assert line_numbers([*counted, *text]) == counted


def test_every_fifth_line_may_be_counted_at_the_right() -> None:
    counted = [at(str(value), 900, value - 1) for value in (5, 10, 15)]
    text = [at(SENTENCE, 60, row) for row in range(18)]
    assert line_numbers([*text, *counted]) == counted


def test_the_first_column_of_a_table_counts_no_lines() -> None:
    rows = [[at("Leith", 130, row), at("88", 400, row)] for row in range(30)]
    assert line_numbers([*numbers(*range(1, 31)), *(cell for row in rows for cell in row)]) == []


def test_a_short_list_counts_no_lines() -> None:
    text = [at("Oil the wheel", 130, row) for row in range(9)]
    assert line_numbers([*numbers(*range(1, 10)), *text]) == []


def test_numbers_of_paragraphs_count_no_lines() -> None:
    text = [at(SENTENCE, 130, row / 2) for row in range(24)]
    assert line_numbers([*numbers(*range(1, 13)), *text]) == []
