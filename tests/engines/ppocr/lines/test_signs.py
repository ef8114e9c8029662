from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.signs import with_signs


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("\u00bd4 spoon", "\u00bc spoon"),
        ("\u00bd cup", "\u00bd cup"),
        ("12 %o", "12 \u2030"),
        ("0.5%0 salt", "0.5\u2030 salt"),
        ("12 % of it", "12 % of it"),
        ("50%off", "50%off"),
        ("AErlig talt, \u00f8vrig", "\u00c6rlig talt, \u00f8vrig"),
        ("AES and AError", "AES and AError"),
        ("rate S0.88", "rate $0.88"),
        ("Due S1,250.00.", "Due $1,250.00."),
        ("Table S2.10", "Table S2.10"),
        ("version S0.88.1", "version S0.88.1"),
        ("US0.88", "US0.88"),
        ("1\u00bd2 cup", "\u00bd cup"),
        ("CEuvres", "\u0152uvres"),
        ("Euf, b\u00e6\u0153uf", "\u0152uf, b\u0153uf"),
        ("Europe, neuf", "Europe, neuf"),
        ("5I of oil, 39 U/I", "5l of oil, 39 U/l"),
        ("120 Ifm", "120 lfm"),
        ("Officine S.r.I.", "Officine S.r.l."),
        ("Order-No 7, I am", "Order-No 7, I am"),
    ],
)
def test_signs_are_written_as_they_are_printed(read: str, printed: str) -> None:
    line = Line(read, Rect(0, 0, 10, 10), 0.9)
    assert [found.text for found in with_signs([line])] == [printed]


def test_amounts_beside_dollars_are_dollars() -> None:
    read = ["Net $12.00", "Tax S2.10", "Part S2"]
    lines = with_signs([Line(text, Rect(0, 0, 10, 10), 0.9) for text in read])
    assert [line.text for line in lines] == ["Net $12.00", "Tax $2.10", "Part S2"]


def test_numbers_on_a_german_page_are_marked_in_german() -> None:
    read = ["Rechnungs-No RE-7", "K\u00e4the M\u00fc\u00dfig", "f\u00fcr Sie"]
    lines = with_signs([Line(text, Rect(0, 0, 10, 10), 0.9) for text in read])
    assert lines[0].text == "Rechnungs-Nr. RE-7"
