from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.locate import locate


def line(text: str, rect: Rect) -> Line:
    return Line(text, rect, 1.0)


PAGE = [
    line("Total amount: 31.00", Rect(0, 0, 190, 20)),
    line("Straße der Pariser", Rect(0, 30, 180, 50)),
    line("Total again", Rect(0, 60, 110, 80)),
]


def test_every_exact_place_is_found_as_a_part_of_its_line() -> None:
    first, second = locate("total", PAGE)

    assert (first.x0, first.x1) == pytest.approx((0, 50), abs=1)
    assert (first.y0, first.y1) == (0, 20)
    assert second.y0 == 60


def test_case_blanks_and_spelling_variants_do_not_hide_a_word() -> None:
    assert len(locate("STRASSE DER", PAGE)) == 1
    assert len(locate("totalamount", PAGE)) == 1


def test_a_misread_letter_does_not_hide_a_word() -> None:
    (found,) = locate("Parizer", PAGE)

    assert found.y0 == 30
    assert found.x0 > 90


def test_absent_words_are_not_found() -> None:
    assert locate("invoice number", PAGE) == []
    assert locate("   ", PAGE) == []


def test_a_part_of_vertical_text_is_found_along_its_height() -> None:
    (found,) = locate("bcd", [line("abcde", Rect(0, 0, 10, 100))])

    assert (found.y0, found.y1) == pytest.approx((20, 80))
    assert (found.x0, found.x1) == (0, 10)
