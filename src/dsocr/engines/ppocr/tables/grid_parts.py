"""Divides rows of cells where the columns change: two tables below one another, a head over one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.tables.white_space import Row, column_separators

_WIDE_STEP = 1.4  # of the usual distance from row to row
_MIN_ROWS = 3  # of the part that has more columns alone


def parts_by_columns(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows, divided at wide steps below or above which there are more columns than in all.

    Rows of other columns hide the white stripes of a table: its amounts would share a cell.
    """
    whole = _num_columns(rows)
    for cut in _wide_steps(rows):
        parts = rows[:cut], rows[cut:]
        if any(len(part) >= _MIN_ROWS and _num_columns(part) > whole for part in parts):
            return [part for own in parts for part in parts_by_columns(own)]
    return [list(rows)]


def _num_columns(rows: Sequence[Row]) -> int:
    """The number of columns, no more than entries in a row: indents make white stripes, too."""
    return min(len(column_separators(rows)) + 1, max(map(len, rows), default=0))


def _wide_steps(rows: Sequence[Row]) -> list[int]:
    """The numbers of the rows that stand far below the row before, the farthest first."""
    middles = [median(line.rect.centre_y for line in row) for row in rows]
    steps = [below - above for above, below in pairwise(middles)]
    limit = _WIDE_STEP * median(steps) if steps else 0.0
    wide = [index for index, step in enumerate(steps, start=1) if step > limit]
    return sorted(wide, key=lambda index: -steps[index - 1])
