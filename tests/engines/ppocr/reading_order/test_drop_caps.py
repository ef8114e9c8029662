from __future__ import annotations

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.drop_caps import with_drop_caps

ROWS = [
    Line("he harbour council met on Tuesday", Rect(60, 0, 500, 20), 1.0),
    Line("should be used, said several members", Rect(60, 28, 500, 48), 1.0),
    Line("builders who have worked there", Rect(0, 56, 500, 76), 1.0),
]


def letter(text: str = "T", height: float = 48) -> Line:
    return Line(text, Rect(0, 0, 50, height), 1.0)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in with_drop_caps(lines)]


def test_a_drop_cap_joins_the_first_of_the_rows_beside_it() -> None:
    rows = texts([letter(), *ROWS])
    assert rows == ["The harbour council met on Tuesday", ROWS[1].text, ROWS[2].text]


def test_a_part_of_the_letter_in_the_row_is_dropped() -> None:
    into = Line("1 he harbour council met", Rect(30, 0, 500, 20), 1.0)
    assert texts([letter(), into, *ROWS[1:]])[0] == "The harbour council met"


def test_a_letter_no_larger_than_its_row_or_beside_one_row_alone_stays() -> None:
    assert texts([letter(height=22), *ROWS])[0] == "T"
    assert texts([letter(), ROWS[0]])[0] == "T"


def test_digits_and_words_are_no_drop_caps() -> None:
    assert texts([letter("3"), *ROWS])[0] == "3"
    assert texts([letter("To"), *ROWS])[0] == "To"


def test_a_row_of_a_text_layer_that_begins_with_a_drop_cap_stands_above_the_rows_beside_it() -> (
    None
):
    row = Line("The harbour council met on", Rect(0, 0, 500, 76), 1.0, from_layer=True)
    beside = [
        Line(text, Rect(60, y, 500, y + 20), 1.0, from_layer=True)
        for text, y in (("Tuesday to hear what had been", 28), ("said by several members", 56))
    ]
    below = Line("builders who have worked there", Rect(0, 84, 500, 104), 1.0, from_layer=True)

    first, *others = with_drop_caps([row, *beside, below])

    assert first.rect == Rect(0, 0, 500, 20)
    assert others == [*beside, below]
