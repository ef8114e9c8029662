"""A table's cells with their text, and their HTML. Where the cells come from is not known here."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.table_model import Cell
from dsocr.engines.ppocr.reading_order.paragraphs import join_row
from dsocr.engines.ppocr.reading_order.text_joins import join_lines
from dsocr.engines.ppocr.tables.white_space import Lattice, printed_rows

_FULL_ROW = 0.6  # of the filled cells
_FIGURES = 0.5  # of what stands beside the first piece of printed rows
_FEW_FIGURES = 0.3
_MANY_ROWS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell with its text."""

    row: int
    column: int
    rowspan: int
    colspan: int
    text: str


def divided(cells: Sequence[Cell], found: Mapping[int, Sequence[Line]]) -> list[Entry]:
    """Entries of the cells; a row that holds several printed rows becomes as many."""
    entries: list[Entry] = []
    added = 0
    for number in sorted({cell.row for cell in cells}):
        row = [
            (cell, found.get(index, ())) for index, cell in enumerate(cells) if cell.row == number
        ]
        printed = _printed_rows(row, cells)
        for cell, lines in row:
            if not printed:
                place = (number + added, cell.column, cell.rowspan, cell.colspan)
                entries.append(Entry(*place, _cell_text(lines)))
            for part, own in enumerate(printed):
                place = (number + added + part, cell.column, 1, cell.colspan)
                entries.append(Entry(*place, _cell_text([line for line in lines if line in own])))
        added += max(0, len(printed) - 1)
    return entries


def _printed_rows(
    row: Sequence[tuple[Cell, Sequence[Line]]], cells: Sequence[Cell]
) -> list[list[Line]]:
    """The rows of print taken for one row of cells; none where cells only hold wrapped text.

    Wrapped text fills few of a row's cells. Rows fill most, line by line, and with figures.
    """
    number = row[0][0].row
    if any(cell.rowspan > 1 and cell.row <= number < cell.row + cell.rowspan for cell in cells):
        return []
    filled = [lines for _, lines in row if lines]
    rows = printed_rows([line for lines in filled for line in lines])
    if len(rows) < 2 or len(filled) < 2:
        return []
    full = [
        own
        for own in rows
        if sum(any(line in own for line in lines) for lines in filled) >= _FULL_ROW * len(filled)
    ]
    beside = [line for own in full for line in own[1:]]
    figures = sum(any(char.isdigit() for char in line.text) for line in beside)
    wanted = _FEW_FIGURES if len(full) >= _MANY_ROWS else _FIGURES
    if len(full) < max(2, _FULL_ROW * len(rows)) or figures < wanted * len(beside):
        return []
    return rows


def entries_of(lattice: Lattice) -> list[Entry]:
    """The cells of rows and columns of white space; gaps are empty cells."""
    entries: list[Entry] = []
    for number, row in enumerate(lattice.rows):
        column = 0
        for piece in row:
            entries.extend(Entry(number, empty, 1, 1, "") for empty in range(column, piece.first))
            span = piece.last - piece.first + 1
            entries.append(Entry(number, piece.first, 1, span, _cell_text(piece.lines)))
            column = piece.last + 1
        entries.extend(Entry(number, empty, 1, 1, "") for empty in range(column, lattice.columns))
    return entries


def to_html(entries: Sequence[Entry]) -> str:
    """Plain cells; spans where there are any; text escaped."""
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
    return join_lines(join_row(row).text for row in printed_rows(lines))


def without_empty(entries: Sequence[Entry]) -> list[Entry]:
    """The entries without rows and columns that hold nothing."""
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
