"""A grid as a Word table: merged cells, header rows, cells with formulas."""

from __future__ import annotations

from collections.abc import Callable

from dsocr.exports.docx.runs import PLAIN, Style, paragraph_direction
from dsocr.exports.language.direction import is_right_to_left
from dsocr.exports.tables.grid import Grid, GridCell
from dsocr.exports.tables.spans import without_overlaps

MAX_COLUMNS = 63
"""Word opens no table with more."""
_TEXT_WIDTH = 9638
"""Twentieths of a point between the margins."""

Inline = Callable[[str, Style], str]
"""The runs of a text."""


def table_xml(grid: Grid, inline: Inline) -> str:
    """The table; a table with too many columns as lines of text with tabs."""
    if grid.num_columns > MAX_COLUMNS:
        lines = ("\t".join(cell.text for cell in row) for row in grid.rows())
        return "".join(f"<w:p>{inline(line, PLAIN)}</w:p>" for line in lines)
    grid = without_overlaps(grid)
    mirrored = is_right_to_left("".join(cell.text for cell in grid.cells))
    properties = (
        f'<w:tblStyle w:val="TableGrid"/>{"<w:bidiVisual/>" if mirrored else ""}'
        '<w:tblW w:w="5000" w:type="pct"/><w:tblLook w:val="0020" w:firstRow="1"/>'
    )
    width = _TEXT_WIDTH // max(1, grid.num_columns)
    columns = f'<w:gridCol w:w="{width}"/>' * grid.num_columns
    rows = "".join(_rows(grid, width, inline))
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr><w:tblGrid>{columns}</w:tblGrid>{rows}</w:tbl>"


def _rows(grid: Grid, width: int, inline: Inline) -> list[str]:
    covering = {
        (row, cell.column): cell
        for cell in grid.cells
        for row in range(cell.row, cell.row + cell.row_span)
    }
    heads, num_columns = num_header_rows(grid), grid.num_columns
    rows: list[str] = []
    for row in range(grid.num_rows):
        head = "<w:trPr><w:tblHeader/></w:trPr>" if row < heads else ""
        cells, column = "", 0
        while column < num_columns:
            cell = covering.get((row, column))
            cells += _cell(cell, row, width, inline)
            column += cell.column_span if cell else 1
        rows.append(f"<w:tr>{head}{cells}</w:tr>")
    return rows


def num_header_rows(grid: Grid) -> int:
    """Rows at the top in which every cell is a header. A table of nothing else has none."""
    for number, row in enumerate(grid.rows()):
        if not all(cell.is_header for cell in row):
            return number
    return 0


def _cell(cell: GridCell | None, row: int, width: int, inline: Inline) -> str:
    if cell is None:
        return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr><w:p/></w:tc>'
    properties = f'<w:tcW w:w="{width * cell.column_span}" w:type="dxa"/>'
    if cell.column_span > 1:
        properties += f'<w:gridSpan w:val="{cell.column_span}"/>'
    if cell.row_span > 1:
        properties += f'<w:vMerge w:val="{"restart" if cell.row == row else "continue"}"/>'
    content = ""
    if cell.row == row:
        direction = paragraph_direction(cell.text)
        content = f"<w:pPr>{direction}</w:pPr>" if direction else ""
        content += inline(cell.text, Style(bold=cell.is_header))
    return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p>{content}</w:p></w:tc>"
