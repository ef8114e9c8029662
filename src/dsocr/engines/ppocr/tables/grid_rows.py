"""Finds tables without rules among a column's rows: numbers that stand below one another.

Only what is certainly a table: prose, forms and receipts of two columns stay lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.items import Column
from dsocr.engines.ppocr.reading_order.prose import is_prose
from dsocr.engines.ppocr.tables.grid_parts import parts_by_columns
from dsocr.engines.ppocr.tables.white_space import is_number

_MIN_ROWS = 3
_MIN_CELLS = 3
_MAX_PITCH = 2.8  # of a line's height, from row to row
_SHORT = 14  # letters of a cell other than a row's first
_MIN_SHORT = 0.5  # of the cells: a column of words among the numbers is usual
_MIN_NUMBERS = 0.3  # of the cells
_MANY_ROWS = 5
_MIN_NUMBERS_OF_FEW_ROWS = 0.6
_MIN_ALIGNED = 0.6
_SLACK = 0.6  # of a line's height
_MIN_GAP = 0.5  # of a line's height; wider than a blank

Row = list[Line]


def grids_in(columns: Sequence[Column]) -> list[list[Line]]:
    """The lines of each table found, by column and row as `columns.arrange` returns them."""
    found: list[list[Line]] = []
    for column in columns:
        rows = [[item.lines[0] for item in row if item.lines] for row in column]
        for group in _groups([row for row in rows if row]):
            for part in parts_by_columns(group):
                if _is_grid(part):
                    found.append([line for row in part for line in row])
    return found


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Neighbouring rows of several cells; one short label may stand between two of them."""
    groups: list[list[Row]] = [[]]
    label: Row | None = None
    for row in rows:
        current = groups[-1]
        above = label or (current[-1] if current else None)
        cells = _has_cells(row)
        if above and (not _follows(above, row) or (label and not cells)):
            current, label = [], None
            groups.append(current)
        if cells:
            current.extend([label, row] if label else [row])
            label = None
        elif current:
            label = row
    return groups


def _has_cells(row: Row) -> bool:
    """Several lines with gaps between them; a label with one number is enough inside a table."""
    if len(row) < 2:
        return False
    height = median(line.rect.height for line in row)
    gaps = sum(right.rect.x0 - left.rect.x1 > _MIN_GAP * height for left, right in pairwise(row))
    return gaps >= 2 or (len(row) == 2 and gaps == 1 and is_number(row[-1].text))


def _follows(above: Row, below: Row) -> bool:
    height = median(line.rect.height for line in [*above, *below])
    step = min(line.rect.y0 for line in below) - min(line.rect.y0 for line in above)
    return step < _MAX_PITCH * height


def _is_grid(group: Sequence[Row]) -> bool:
    wide = [row for row in group if len(row) >= _MIN_CELLS]
    without_numbers = [row for row in group if not any(is_number(line.text) for line in row)]
    if len(wide) < _MIN_ROWS or is_prose([line for row in without_numbers for line in row]):
        return False
    cells = [line for row in group for line in row[1:]]
    short = sum(sum(letter.isalpha() for letter in line.text) <= _SHORT for line in cells)
    numbers = sum(is_number(line.text) for line in cells)
    min_numbers = _MIN_NUMBERS if len(wide) >= _MANY_ROWS else _MIN_NUMBERS_OF_FEW_ROWS
    return (
        short >= _MIN_SHORT * len(cells)
        and numbers >= min_numbers * len(cells)
        and _aligned_share(wide) >= _MIN_ALIGNED
    )


def _aligned_share(rows: Sequence[Row]) -> float:
    """The share of cells that begin, end or are centred as a cell of a neighbouring row is."""
    aligned = total = 0
    for index, row in enumerate(rows):
        others = [
            line for near in (index - 1, index + 1) if 0 <= near < len(rows) for line in rows[near]
        ]
        total += len(row)
        aligned += sum(any(_is_aligned(line.rect, other.rect) for other in others) for line in row)
    return aligned / total if total else 0.0


def _is_aligned(rect: Rect, other: Rect) -> bool:
    slack = _SLACK * rect.height
    return (
        abs(rect.x0 - other.x0) < slack
        or abs(rect.x1 - other.x1) < slack
        or abs(rect.x0 + rect.x1 - other.x0 - other.x1) < 2 * slack
    )
