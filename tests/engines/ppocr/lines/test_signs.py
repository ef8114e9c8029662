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
        ("Linseed oil, boiled, 5 1", "Linseed oil, boiled, 5 l"),
        ("Hydraulik\u00f6l, Kanister 20 I", "Hydraulik\u00f6l, Kanister 20 l"),
        ("Rooms 5 1", "Rooms 5 1"),
        ("1, 2, 5 1", "1, 2, 5 1"),
        ("Class 5 II", "Class 5 II"),
        ("1 I, a box", "1 l, a box"),
        ("Officine S.r.I.", "Officine S.r.l."),
        ("Order-No 7, I am", "Order-No 7, I am"),
        ("Model 5I", "Model 5I"),
        ("Part no. 12I, red", "Part no. 12I, red"),
        ("5I", "5I"),
        ("A-5I and B/5I", "A-5I and B/5I"),
        ("In 2020 I, the undersigned", "In 2020 I, the undersigned"),
        ("Class II/I", "Class II/I"),
        ("\u3002Check the lights", "\u2022 Check the lights"),
        ("\u3002\u6b21\u306e\u65e5", "\u3002\u6b21\u306e\u65e5"),
        ("1.5I of milk", "1.5l of milk"),
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


@pytest.mark.parametrize("word", ["Model", "Order", "Serial", "Customer", "Token"])
def test_numbers_of_english_words_on_a_german_page_stay(word: str) -> None:
    read = [f"{word}-No 7", "K\u00e4the M\u00fc\u00dfig", "f\u00fcr Sie"]
    lines = with_signs([Line(text, Rect(0, 0, 10, 10), 0.9) for text in read])
    assert lines[0].text == f"{word}-No 7"


def test_numbers_of_parts_beside_others_stay() -> None:
    read = ["Bolt 5H for the hinge", "Bolt 5I for the door", "5I"]
    lines = with_signs([Line(text, Rect(0, 0, 10, 10), 0.9) for text in read])
    assert [line.text for line in lines] == read


def test_lone_amounts_on_a_page_with_litres_are_litres() -> None:
    read = ["Oil, 2 l", "5I", "Model 5I"]
    lines = with_signs([Line(text, Rect(0, 0, 10, 10), 0.9) for text in read])
    assert [line.text for line in lines] == ["Oil, 2 l", "5l", "Model 5I"]
