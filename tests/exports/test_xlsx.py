"""The tables as an Excel file, opened by openpyxl; in the slow run by LibreOffice too."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from functools import partial
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from dsocr import exports
from tests.exports.documents import document, page

render = partial(exports.render, format="xlsx")

TABLE = """<table><tr><th>Name</th><th colspan="2">Value</th></tr>
<tr><td rowspan="2">=SUM(A1:A9)</td><td>1,234.56</td><td>12.5 %</td></tr>
<tr><td>(1,000)</td><td>007</td></tr>
<tr><td>2024-02-01</td><td>$ 5.00</td><td>123456789012345678</td></tr></table>"""


def sheets(*markdowns: str) -> list[Worksheet]:
    whole = document(*(page(text, index) for index, text in enumerate(markdowns)))
    return openpyxl.load_workbook(io.BytesIO(render(whole))).worksheets


def rows(sheet: Worksheet) -> list[list[object]]:
    return [[cell.value for cell in row] for row in sheet]


def test_numbers_are_numbers_and_everything_else_stays_text() -> None:
    (sheet,) = sheets(TABLE)
    assert rows(sheet) == [
        ["Name", "Value", None],
        ["=SUM(A1:A9)", 1234.56, 0.125],
        [None, -1000, "007"],
        ["2024-02-01", 5, "123456789012345678"],
    ]
    formats = [sheet[at].number_format for at in ("B2", "C2", "B3", "B4")]
    assert formats == ["#,##0.00", "0.0%", "#,##0;(#,##0)", '"$ "0.00']


def test_a_cell_that_begins_like_a_formula_is_text() -> None:
    starts = "=1+1", "+cmd", "-cmd", "@SUM(1)", "{=1}", "https://example.org"
    cells = "".join(f"<tr><td>{text}</td></tr>" for text in starts)
    (sheet,) = sheets(f"<table>{cells}</table>")
    assert [cell.data_type for (cell,) in sheet] == ["s"] * len(starts)
    assert [cell.value for (cell,) in sheet] == list(starts)
    assert all(cell.hyperlink is None for (cell,) in sheet)


def test_spans_are_merged_and_headers_bold() -> None:
    (sheet,) = sheets(TABLE)
    assert sorted(map(str, sheet.merged_cells.ranges)) == ["A2:A3", "B1:C1"]
    assert sheet["A1"].font.bold and sheet["B1"].font.bold and not sheet["B2"].font.bold


def test_a_sheet_is_named_by_the_tables_caption() -> None:
    caption = "Table 1: Sales [2023/24] of all the many regions"
    own = "<table><caption>Own *name*</caption><tr><td>1</td></tr></table>"
    text = f"{caption}\n\n{TABLE}\n\nWords.\n\n{own}\n\n<table><tr><td>2</td></tr></table>"
    names = [sheet.title for sheet in sheets("Words.", text)]
    assert names == ["Table 1 Sales 2023 24 of all th", "Own name", "Page 2 table 3"]


def test_names_of_sheets_are_unique_whatever_their_case() -> None:
    table = "<table><caption>{}</caption><tr><td>1</td></tr></table>\n\n"
    texts = "".join(
        table.format(name) for name in ("A", "a", "A", "History", "'", "x" * 40, "x" * 40)
    )
    names = [sheet.title for sheet in sheets(texts)]
    assert names == ["A", "a (2)", "A (3)", "History (2)", "Table", "x" * 31, "x" * 27 + " (2)"]


def test_the_decimal_sign_is_that_of_the_table_then_of_the_document_then_of_its_language() -> None:
    cell = "<table><tr><td>1.234</td></tr></table>"
    german = "Der Umsatz ist nicht mit dem von der Firma und den anderen zu vergleichen.\n\n"
    assert rows(sheets(cell)[0]) == [["1.234"]]
    assert rows(sheets(german + cell)[0]) == [[1234]]
    point = "<table><tr><td>1.234</td><td>0.5</td><td>2.75</td></tr></table>"
    assert rows(sheets(german + point)[0]) == [[1.234, 0.5, 2.75]]
    assert [rows(sheet) for sheet in sheets(cell, point)] == [[[1.234]], [[1.234, 0.5, 2.75]]]


def test_a_negative_number_in_brackets_is_shown_in_brackets() -> None:
    (sheet,) = sheets("<table><tr><td>(12.5)</td><td>-3</td></tr></table>")
    assert rows(sheet) == [[-12.5, -3]]
    assert [cell.number_format for cell in sheet[1]] == ["0.0;(0.0)", "0"]


def test_spans_that_overlap_and_run_past_the_end_are_cut() -> None:
    table = (
        '<table><tr><td rowspan="90">a</td><td rowspan="2">b</td><td>c</td></tr>'
        '<tr><td colspan="50">d</td></tr><tr><td colspan="2">e</td></tr></table>'
    )
    (sheet,) = sheets(table)
    assert sorted(map(str, sheet.merged_cells.ranges)) == ["A1:A3", "B1:B2", "B3:C3"]


def test_a_very_long_cell_and_invalid_characters_do_not_break_the_file() -> None:
    (sheet,) = sheets(f"<table><tr><td>{'x' * 40_000}</td><td>a\x0bb</td></tr></table>")
    assert len(sheet["A1"].value) == 32_767
    assert sheet["B1"].value in ("ab", "a b", "a\ufffdb")


def test_a_right_to_left_table_begins_at_the_right() -> None:
    left, right = sheets(
        "<table><tr><td>a</td></tr></table>", "<table><tr><td>שלום</td></tr></table>"
    )
    assert (bool(left.sheet_view.rightToLeft), right.sheet_view.rightToLeft) == (False, True)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_reads_the_cells(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(render(document(page(TABLE))))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "csv", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "a.xlsx")], check=True, timeout=180)
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found[1] == ["=SUM(A1:A9)", "1234.56", "12.5%"]
    assert found[2] == ["", "-1000", "007"]
