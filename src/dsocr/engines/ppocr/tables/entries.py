"""A table's cells with their text, and their HTML, however the cells were found."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.table_model import Cell
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.reading_order.paragraphs import join_row
from dsocr.engines.ppocr.reading_order.row_pairs import is_key
from dsocr.engines.ppocr.reading_order.text_joins import join_lines
from dsocr.engines.ppocr.tables.white_space import Lattice

_FULL_ROW = 0.6  # of the filled cells
_MIN_NUMBERS = 0.5  # of the lines beside the first one of printed rows
_MIN_NUMBERS_OF_MANY_ROWS = 0.3
_MANY_ROWS = 4
_SMALLER = 0.9  # than the letters of the values

FilledRow = Sequence[tuple[Cell, Sequence[Line]]]
"""The cells of one row, each with its lines."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell with its text."""

    row: int
    column: int
    rowspan: int
    colspan: int
    text: str


def split_rows(cells: Sequence[Cell], found: Mapping[int, Sequence[Line]]) -> list[Entry]:
    """Entries of the cells; a row that holds several printed rows becomes as many.

    `found` has the lines of each cell by its index.
    """
    entries: list[Entry] = []
    added = 0
    for number in sorted({cell.row for cell in cells}):
        row = [
            (cell, found.get(index, ())) for index, cell in enumerate(cells) if cell.row == number
        ]
        printed = _printed_rows(row, cells)
        entries.extend(_row_entries(row, printed, number + added))
        added += max(0, len(printed) - 1)
    return entries


def _row_entries(row: FilledRow, printed: Sequence[Sequence[Line]], number: int) -> list[Entry]:
    entries: list[Entry] = []
    for cell, lines in row:
        if not printed:
            place = (number, cell.column, cell.rowspan, cell.colspan)
            entries.append(Entry(*place, _cell_text(lines)))
        for offset, own in enumerate(printed):
            place = (number + offset, cell.column, 1, cell.colspan)
            entries.append(Entry(*place, _cell_text([line for line in lines if line in own])))
    return entries


def _printed_rows(row: FilledRow, cells: Sequence[Cell]) -> list[list[Line]]:
    """The printed rows in one row of cells; none where cells only hold wrapped text.

    Wrapped text fills few of a row's cells. Printed rows fill most, row by row, with numbers.
    """
    number = row[0][0].row
    if any(cell.rowspan > 1 and cell.row <= number < cell.row + cell.rowspan for cell in cells):
        return []
    filled = [lines for _, lines in row if lines]
    rows = line_rows([line for lines in filled for line in lines])
    if len(rows) < 2 or len(filled) < 2 or _are_keys_over_values(rows):
        return []
    full = [own for own in rows if _num_filled(own, filled) >= _FULL_ROW * len(filled)]
    beside = [line for own in full for line in own[1:]]
    numbers = sum(any(char.isdigit() for char in line.text) for line in beside)
    min_numbers = _MIN_NUMBERS_OF_MANY_ROWS if len(full) >= _MANY_ROWS else _MIN_NUMBERS
    if len(full) < max(2, _FULL_ROW * len(rows)) or numbers < min_numbers * len(beside):
        return []
    return rows


def _are_keys_over_values(rows: Sequence[Sequence[Line]]) -> bool:
    """Whether the cells hold a key and its value below: two rows, keys in the first one only.

    Keys end with a colon, or are words in smaller letters than the values.
    """
    keys = [any(is_key(line) for line in row) for row in rows]
    return keys == [True, False] or (len(rows) == 2 and _are_small_words(*rows))


def _are_small_words(words: Sequence[Line], values: Sequence[Line]) -> bool:
    if any(char.isdigit() for line in words for char in line.text):
        return False
    small, large = (median(line.height for line in row) for row in (words, values))
    return small < _SMALLER * large


def _num_filled(row: Sequence[Line], filled: Sequence[Sequence[Line]]) -> int:
    """The number of cells that hold a line of the printed row."""
    return sum(any(line in row for line in lines) for lines in filled)


def entries_of(lattice: Lattice) -> list[Entry]:
    """The cells of rows and columns of white space; gaps are empty cells."""
    entries: list[Entry] = []
    for number, row in enumerate(lattice.rows):
        column = 0
        for cell in row:
            entries.extend(Entry(number, empty, 1, 1, "") for empty in range(column, cell.first))
            span = cell.last - cell.first + 1
            entries.append(Entry(number, cell.first, 1, span, _cell_text(cell.lines)))
            column = cell.last + 1
        rest = range(column, lattice.num_columns)
        entries.extend(Entry(number, empty, 1, 1, "") for empty in rest)
    return entries


def to_html(entries: Sequence[Entry]) -> str:
    """An HTML table of plain cells, with spans where there are any; the text is escaped."""
    rows: dict[int, list[Entry]] = {}
    for entry in entries:
        rows.setdefault(entry.row, []).append(entry)
    body = "".join(
        "<tr>" + "".join(_cell_html(entry) for entry in rows[number]) + "</tr>"
        for number in sorted(rows)
    )
    return f"<table>{body}</table>"


def _cell_html(entry: Entry) -> str:
    spans = "".join(
        f' {name}="{count}"'
        for name, count in (("rowspan", entry.rowspan), ("colspan", entry.colspan))
        if count > 1
    )
    return f"<td{spans}>{html.escape(entry.text, quote=False)}</td>"


def _cell_text(lines: Sequence[Line]) -> str:
    return join_lines(join_row(row).text for row in line_rows(lines))


def without_empty(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without rows and columns that hold no text."""
    rows = {entry.row for entry in entries if entry.text}
    columns = {entry.column for entry in entries if entry.text}
    kept = []
    for entry in entries:
        down = range(entry.row, entry.row + entry.rowspan)
        across = range(entry.column, entry.column + entry.colspan)
        rowspan, colspan = len(rows.intersection(down)), len(columns.intersection(across))
        if rowspan and colspan:
            row = sum(number < entry.row for number in rows)
            column = sum(number < entry.column for number in columns)
            kept.append(Entry(row, column, rowspan, colspan, entry.text))
    return kept
