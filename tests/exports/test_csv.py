from __future__ import annotations

import csv
import io
from functools import partial

import pytest

from dsocr import exports
from dsocr.exports.csv import BYTE_ORDER_MARK, as_text
from tests.exports.documents import document, page

render = partial(exports.render, format="csv")


def text_of(*markdowns: str) -> str:
    whole = document(*(page(text, index) for index, text in enumerate(markdowns)))
    return render(whole).decode()


def test_one_table_is_plain_csv_with_spans_as_empty_cells() -> None:
    table = (
        '<table><tr><th>Name</th><th colspan="2">Value</th></tr>'
        '<tr><td rowspan="2">a, "b"</td><td>1.234,50</td><td>x<br>y</td></tr>'
        "<tr><td>007</td></tr></table>"
    )
    text = text_of(f"Words.\n\n{table}")
    assert text.startswith(BYTE_ORDER_MARK)
    assert list(csv.reader(io.StringIO(text[1:], newline=""))) == [
        ["Name", "Value", ""],
        ['a, "b"', "1.234,50", "x\ny"],
        ["", "007", ""],
    ]


def test_several_tables_are_separated_by_an_empty_line() -> None:
    one, empty = "<table><tr><td>1</td></tr></table>", "<table><tr><td></td></tr></table>"
    assert text_of(f"{one}\n\nWords.\n\n{empty}", one)[1:] == '1\r\n\r\n""\r\n\r\n1\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-cmd", "@SUM(1)", "\t=1"])
def test_a_cell_that_a_spreadsheet_would_run_has_an_apostrophe(text: str) -> None:
    assert as_text(text) == "'" + text


@pytest.mark.parametrize("text", ["-1.5", "-1,5", "a=1", "(5)", "", "1.000,00", "-", "+"])
def test_numbers_and_words_stay_as_they_were_printed(text: str) -> None:
    assert as_text(text) == text
