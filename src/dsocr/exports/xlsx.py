"""The tables of a document as an Excel file, a sheet a table.

Sheets are held in memory: in its mode of constant memory the library cannot merge cells over rows,
and keeps a file open for each sheet.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import xlsxwriter

from dsocr.exports import Assets
from dsocr.exports.language.direction import is_right_to_left
from dsocr.exports.language.guess import LanguageGuess, decimal_sign
from dsocr.exports.markdown import page_text
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.tables.document_tables import PageTable, document_tables, no_table
from dsocr.exports.tables.grid import GridCell
from dsocr.exports.tables.numbers import Number, decimal_of, decimal_votes, to_number
from dsocr.types import Document

MAX_NAME = 31
"""Characters of a sheet's name."""
MAX_TEXT = 32_767
"""Characters of a cell."""
_INVALID_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]+")
_INVALID_TEXT = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_RESERVED = "history"
_EPOCH = datetime(1980, 1, 1)
"""Every file's date, so that equal documents give equal bytes."""
_WIDTHS = (8, 60)
"""Least and most characters that a column is wide."""


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """Raises `BadRequest` for a document without a table. Text is never taken for a formula."""
    language, votes = _first_look(document)
    default = decimal_of(votes, decimal_sign(language))
    with tempfile.TemporaryDirectory(prefix="dsocr-xlsx-") as folder:
        path = Path(folder) / "tables.xlsx"
        workbook = _Workbook(path, document.name, folder)
        for table in document_tables(document):
            workbook.add(table, default)
        workbook.close()
        with path.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)


def _first_look(document: Document) -> tuple[str | None, dict[str, int]]:
    """The language and the decimal signs of the whole document."""
    guess, votes, has_table = LanguageGuess(), {",": 0, ".": 0}, False
    for page in document.pages:
        guess.add(page_text(page))
    for table in document_tables(document):
        has_table = True
        for sign, count in decimal_votes(_texts(table)).items():
            votes[sign] += count
    if not has_table:
        raise no_table(document)
    return guess.language(), votes


def _texts(table: PageTable) -> Iterable[str]:
    return (cell.text for cell in table.grid.cells)


class _Workbook:
    def __init__(self, path: Path, name: str, folder: str) -> None:
        options = {
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": folder,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.set_properties({"title": Path(name).stem, "created": _EPOCH})
        self._names: set[str] = {_RESERVED}
        self._formats: dict[tuple[bool, str], Any] = {}

    def add(self, table: PageTable, default: str | None) -> None:
        """A sheet with the table. Its own numbers decide on the decimal sign, then `default`."""
        sheet = self._book.add_worksheet(self._name(table))
        decimal = decimal_of(decimal_votes(_texts(table)), default)
        if is_right_to_left("".join(_texts(table))):
            sheet.right_to_left()
        widths: dict[int, int] = {}
        for cell in table.grid.cells:
            self._write(sheet, cell, decimal)
            if cell.column_span == 1:
                longest = max(map(_columns, cell.text.split("\n")))
                widths[cell.column] = max(widths.get(cell.column, 0), longest)
        for column, width in widths.items():
            sheet.set_column(column, column, min(_WIDTHS[1], max(_WIDTHS[0], width + 2)))

    def close(self) -> None:
        self._book.close()

    def _write(self, sheet: Any, cell: GridCell, decimal: str | None) -> None:
        number = None if cell.is_header else to_number(cell.text, decimal)
        format = self._format(cell.is_header, _number_format(number))
        if cell.row_span > 1 or cell.column_span > 1:
            last = cell.row + cell.row_span - 1, cell.column + cell.column_span - 1
            sheet.merge_range(cell.row, cell.column, *last, "", format)
        if number is not None:
            sheet.write_number(cell.row, cell.column, number.value, format)
        elif cell.text:
            text = _INVALID_TEXT.sub("", cell.text)[:MAX_TEXT]
            sheet.write_string(cell.row, cell.column, text, format)

    def _format(self, bold: bool, number: str) -> Any:
        key = bold, number
        if key not in self._formats:
            shape = {"bold": bold, "valign": "top", "text_wrap": not number}
            self._formats[key] = self._book.add_format({**shape, "num_format": number or "@"})
        return self._formats[key]

    def _name(self, table: PageTable) -> str:
        """A valid name that no sheet has: at most 31 characters, without some signs."""
        wanted = _INVALID_NAME.sub(" ", table.name)
        wanted = " ".join(wanted.split()).strip("'")[:MAX_NAME].strip("' ") or "Table"
        name, number = wanted, 2
        while name.casefold() in self._names:
            ending = f" ({number})"
            name, number = wanted[: MAX_NAME - len(ending)] + ending, number + 1
        self._names.add(name.casefold())
        return name


def _columns(text: str) -> int:
    """The width of a text in digits; East Asian characters are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _number_format(number: Number | None) -> str:
    """Excel's code for a number as it was printed; empty for text."""
    if number is None:
        return ""
    digits = ("#,##0" if number.grouped else "0") + ("." + "0" * number.decimals) * bool(
        number.decimals
    )
    code = digits + "%" * number.percent
    shown = _literal(number.before) + code + _literal(number.after)
    return f"{shown};({shown})" if number.in_brackets else shown


def _literal(text: str) -> str:
    return f'"{text}"' if text else ""
