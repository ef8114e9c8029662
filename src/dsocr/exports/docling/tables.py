"""Tables as docling has them: cells with spans, or tokens of OTSL."""

from __future__ import annotations

from typing import Any

from dsocr.exports.tables.grid import Grid, GridCell

MAX_CELLS = 1 << 16
"""Of a table's tokens; a larger one is left out."""


def table_data(grid: Grid) -> dict[str, Any]:
    """The `data` of a table item."""
    cells = [_cell(cell) for cell in grid.cells]
    return {
        "table_cells": cells,
        "num_rows": grid.num_rows,
        "num_cols": grid.num_columns,
    }


def otsl(grid: Grid) -> str:
    """The table in the tokens of OTSL: a token a place, `<nl>` after each row."""
    return "".join("".join(row) + "<nl>" for row in _tokens(grid))


def _cell(cell: GridCell) -> dict[str, Any]:
    return {
        "row_span": cell.row_span,
        "col_span": cell.column_span,
        "start_row_offset_idx": cell.row,
        "end_row_offset_idx": cell.row + cell.row_span,
        "start_col_offset_idx": cell.column,
        "end_col_offset_idx": cell.column + cell.column_span,
        "text": cell.text,
        "column_header": cell.is_header,
        "row_header": False,
        "row_section": False,
    }


def _tokens(grid: Grid) -> list[list[str]]:
    if grid.num_rows * grid.num_columns > MAX_CELLS:
        return []
    rows = [["<ecel>"] * grid.num_columns for _ in range(grid.num_rows)]
    for cell in grid.cells:
        for row in range(cell.row, cell.row + cell.row_span):
            for column in range(cell.column, cell.column + cell.column_span):
                rows[row][column] = _token(cell, row, column)
    return rows


def _token(cell: GridCell, row: int, column: int) -> str:
    if row > cell.row:
        return "<xcel>" if column > cell.column else "<ucel>"
    if column > cell.column:
        return "<lcel>"
    text = " ".join(cell.text.replace("<", "&lt;").split())
    if not text:
        return "<ecel>"
    return ("<ched>" if cell.is_header else "<fcel>") + text
