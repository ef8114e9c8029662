"""Finds tables of words without rules whose cells wrap, which the layout model takes for text.

Rows of a table begin level in all columns, and some cells go on below while others have ended.
Columns of running text have rows side by side without end, cards have headings in larger letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.tables.side_by_side import tables_in
from dsocr.engines.ppocr.tables.white_space import (
    Lattice,
    LatticeCell,
    Row,
    column_separators,
    is_clear,
    lattice_of,
)

_MIN_COLUMNS = 3
_MIN_RECORDS = 3
_MIN_WRAPPED = 2  # records with cells of different numbers of rows
_MIN_FILLED = 0.65  # of the cells
_MAX_ROWS = 7  # of one cell
_CELL_GAP = 0.6  # of a line's height
_MAX_STEP = 3.2  # of a line's height, from row to row
_LEVEL = 0.4  # of a line's height, between the first rows of a record's cells
_MOST = 0.85  # of the records
_LARGER = 1.15  # than the table's lines
_TRIM = 0.3  # of a line's height


def text_grids_in(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each table found among these."""
    rows = line_rows(lines)
    found: list[list[Line]] = []
    start = 0
    while start < len(rows):
        group = _group_from(rows, start)
        own = [line for row in group for line in row]
        tables = _tables_of(own) if len(group) >= _MIN_RECORDS else []
        found.extend(tables)
        start += len(group) if tables else 1
    return found


def _tables_of(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines as one table or as tables side by side; none if they are no table."""
    tables = [list(table) for table in tables_in(lines)]
    if len(tables) > 1 and all(map(_is_complete, tables)):
        return tables
    return [list(lines)] if _is_text_grid(lines) else []


def _is_complete(lines: Sequence[Line]) -> bool:
    """Whether nearly all its cells are filled, one row each."""
    lattice = lattice_of(lines)
    cells = [cell for row in lattice.rows for cell in row]
    filled = len(cells) >= _MOST * lattice.num_columns * len(lattice.rows)
    return filled and is_clear(lattice) and not _has_larger_letters(lattice)


def _group_from(rows: Sequence[Row], start: int) -> list[Row]:
    """The rows from one of several cells on that keep to the columns of its kind."""
    if _num_cells(rows[start]) < _MIN_COLUMNS:
        return []
    near = [rows[start]]
    for above, below in pairwise(rows[start:]):
        if _step(above, below) > _MAX_STEP * _height(above):
            break
        near.append(below)
    full = [row for row in near if len(row) >= _MIN_COLUMNS]
    separators = column_separators(full)
    for end, row in enumerate(near):
        if any(_crosses(line, x) for line in row for x in separators):
            return near[:end]
    return near


def _num_cells(row: Row) -> int:
    """Its entries that stand apart."""
    gaps = [right.rect.x0 - left.rect.x1 for left, right in pairwise(row)]
    return 1 + sum(gap > _CELL_GAP * _height(row) for gap in gaps)


def _height(row: Row) -> float:
    return median(line.height for line in row)


def _step(above: Row, below: Row) -> float:
    return min(line.rect.y0 for line in below) - min(line.rect.y0 for line in above)


def _crosses(line: Line, x: float) -> bool:
    trim = _TRIM * line.rect.height
    return line.rect.x0 + trim < x < line.rect.x1 - trim


def _is_text_grid(lines: Sequence[Line]) -> bool:
    lattice = lattice_of(lines)
    if lattice.num_columns < _MIN_COLUMNS or len(lattice.rows) < _MIN_RECORDS:
        return False
    cells = [cell for row in lattice.rows for cell in row]
    if len(cells) < _MIN_FILLED * lattice.num_columns * len(lattice.rows) or not is_clear(lattice):
        return False
    if max(_num_rows(cell) for cell in cells) > _MAX_ROWS or _has_larger_letters(lattice):
        return False
    starts = sum(row[0].first == 0 and _are_level(row) for row in lattice.rows)
    wrapped = sum(len({_num_rows(cell) for cell in row}) > 1 for row in lattice.rows)
    return starts >= _MOST * len(lattice.rows) and wrapped >= _MIN_WRAPPED


def _num_rows(cell: LatticeCell) -> int:
    return len(line_rows(cell.lines))


def _are_level(row: Sequence[LatticeCell]) -> bool:
    """Whether all cells of a record begin in one row."""
    tops = [cell.lines[0].rect.centre_y for cell in row]
    return max(tops) - min(tops) < _LEVEL * row[0].lines[0].rect.height


def _has_larger_letters(lattice: Lattice) -> bool:
    """Whether a record below the first one is set in larger letters: headings of cards."""
    usual = median(line.height for row in lattice.rows for cell in row for line in cell.lines)
    records = [[line.height for cell in row for line in cell.lines] for row in lattice.rows]
    return any(median(heights) > _LARGER * usual for heights in records[1:])
