"""The tables of a document as one CSV file, one below the other with an empty line between them.

A document with one table is plain CSV. Cells are written as they were printed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.tables.document_tables import document_tables, no_table
from dsocr.exports.tables.grid import Grid
from dsocr.exports.tables.numbers import to_number
from dsocr.types import Document

BYTE_ORDER_MARK = "\ufeff"
"""By it spreadsheets know that the file is UTF-8."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets take a cell that begins so for a formula."""
APOSTROPHE = "'"
"""Written before such a cell, unless it is a number: spreadsheets then take it for text."""


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """By RFC 4180, in UTF-8. Raises `BadRequest` for a document without a table."""
    count = 0
    for table in document_tables(document):
        text = io.StringIO()
        writer = csv.writer(text)
        for row in _rows(table.grid):
            # A row of one empty cell would be an empty line, which separates tables.
            writer.writerow(row) if any(row) or len(row) > 1 else text.write('""\r\n')
        out.write(((BYTE_ORDER_MARK if not count else "\r\n") + text.getvalue()).encode())
        count += 1
    if not count:
        raise no_table(document)


def _rows(grid: Grid) -> Iterator[list[str]]:
    """Every row with all columns. A cell's text stands at its first place; the other places that
    it spans are empty."""
    num_columns = grid.num_columns
    for cells in grid.rows():
        row = [""] * num_columns
        for cell in cells:
            row[cell.column] = as_text(cell.text)
        yield row


def as_text(text: str) -> str:
    """The text, unless a spreadsheet would run it as a formula. A sign alone is none."""
    if text in ("+", "-"):
        return text
    is_number = any(to_number(text, decimal) is not None for decimal in ",.")
    return APOSTROPHE + text if text.startswith(FORMULA_STARTS) and not is_number else text
