"""A table's cells without overlaps, as word processors and spreadsheets need them.

A model's HTML may have spans that run into each other or past the table's end.
"""

from __future__ import annotations

from dataclasses import replace

from dsocr.exports.tables.grid import Grid, GridCell


def without_overlaps(grid: Grid) -> Grid:
    """The same cells at the same places, with spans cut where another cell begins, and at the last
    row and column in which one begins."""
    last_row = max((cell.row for cell in grid.cells), default=0)
    last_column = max((cell.column for cell in grid.cells), default=0)
    starts = {(cell.row, cell.column) for cell in grid.cells}
    taken: set[tuple[int, int]] = set()
    cells: list[GridCell] = []
    for cell in grid.cells:
        if (cell.row, cell.column) in taken:
            continue
        columns = _free_columns(cell, last_column, starts, taken)
        rows = _free_rows(cell, columns, last_row, starts, taken)
        taken.update(
            (row, column)
            for row in range(cell.row, cell.row + rows)
            for column in range(cell.column, cell.column + columns)
        )
        cells.append(replace(cell, row_span=rows, column_span=columns))
    return replace(grid, cells=tuple(cells))


def _free_columns(
    cell: GridCell, last_column: int, starts: set[tuple[int, int]], taken: set[tuple[int, int]]
) -> int:
    wanted = min(cell.column_span, last_column + 1 - cell.column)
    for span in range(1, wanted):
        place = (cell.row, cell.column + span)
        if place in starts or place in taken:
            return span
    return wanted


def _free_rows(
    cell: GridCell,
    columns: int,
    last_row: int,
    starts: set[tuple[int, int]],
    taken: set[tuple[int, int]],
) -> int:
    wanted = min(cell.row_span, last_row + 1 - cell.row)
    for span in range(1, wanted):
        places = {(cell.row + span, cell.column + column) for column in range(columns)}
        if places & starts or places & taken:
            return span
    return wanted
