"""Tells two tables without rules that stand side by side from one wide table.

A wide white stripe alone says little: entries set at tab stops leave such stripes, too. Two tables
have titles of their own, end in different rows, have their rows at different heights, or both have
three columns or more that stand far closer to each other than the tables do.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from dsocr.engines.ppocr.geometry import Line, enclose
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.tables.white_space import (
    Interval,
    Row,
    column_stripes,
    is_number,
    lattice_of,
)

_MIN_GAP = 2.0  # of a line's height
_WIDER = 1.5  # than the other stripes
_FAR_GAP = 3.0  # of a line's height, where nothing but the stripe divides the tables
_FAR_WIDER = 3.0
_FAR_COLUMNS = 3
_MIN_ROWS = 3
_MIN_EXTRA_ROWS = 2
_LARGER = 1.12  # letters of a title
_LEVEL = 0.4  # of a line's height
_MOST = 0.6

Lines = tuple[Line, ...]


def tables_in(lines: Sequence[Line]) -> list[Lines]:
    """The tables, from left to right; all lines in one if it is one table."""
    stripes = column_stripes(line_rows(lines))
    widths = [right - left for left, right in stripes]
    for index in sorted(range(len(stripes)), key=lambda i: -widths[i]):
        others = widths[:index] + widths[index + 1 :]
        sides = _sides(lines, stripes[index])
        if _are_apart(*sides, widths[index], max(others, default=0.0)):
            return [sides[0], *tables_in(sides[1])]
        break
    return [tuple(lines)]


def titled_tables_in(lines: Sequence[Line]) -> list[Lines]:
    """The tables with titles of their own, from left to right; all lines in one without them."""
    for stripe in column_stripes(line_rows(lines)):
        sides = _sides(lines, stripe)
        if all(map(_is_titled, sides)):
            return [sides[0], *titled_tables_in(sides[1])]
    return [tuple(lines)]


def _sides(lines: Sequence[Line], stripe: Interval) -> tuple[Lines, Lines]:
    middle = sum(stripe) / 2
    left = tuple(line for line in lines if line.rect.x0 + line.rect.x1 < 2 * middle)
    return left, tuple(line for line in lines if line not in left)


def _are_apart(left: Lines, right: Lines, width: float, other: float) -> bool:
    """Whether two tables stand at the sides of a stripe; `other` is the widest one in them."""
    if not left or not right:
        return False
    height = median(line.rect.height for line in (*left, *right))
    if width < max(_MIN_GAP * height, _WIDER * other):
        return False
    rows = line_rows(left), line_rows(right)
    columns = [len(column_stripes(own)) + 1 for own in rows]
    if min(columns) < 2 or not all(map(_begins_with_words, rows)):
        return False
    far = width >= max(_FAR_GAP * height, _FAR_WIDER * other) and min(columns) >= _FAR_COLUMNS
    return far or not _are_level(*rows) or _ends_below(left, right) or _ends_below(right, left)


def _is_titled(lines: Lines) -> bool:
    """Whether a title in larger letters stands over the first of several columns."""
    rows = line_rows(lines)
    if len(rows) <= _MIN_ROWS or len(rows[0]) > 1:
        return False
    title, below = rows[0][0], [line for row in rows[1:] for line in row]
    height = median(line.height for line in below)
    return (
        title.height > _LARGER * height
        and abs(title.rect.x0 - min(line.rect.x0 for line in below)) < height
        and sum(len(row) > 1 for row in rows[1:]) >= _MOST * (len(rows) - 1)
    )


def _begins_with_words(rows: Sequence[Row]) -> bool:
    """Whether it can be a table of its own: several rows, most with a label first."""
    first = min(row[0].rect.x0 for row in rows)
    starts = [row[0] for row in rows if row[0].rect.x0 - first < 2 * row[0].rect.height]
    words = sum(not is_number(line.text) for line in starts)
    return len(starts) >= max(_MIN_ROWS, _MOST * len(rows)) and words >= _MOST * len(starts)


def _are_level(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether most rows of the shorter side stand beside a row of the other."""
    few, many = sorted((left, right), key=len)
    middles = [row[0].rect.centre_y for row in many]
    level = [
        min(abs(row[0].rect.centre_y - y) for y in middles) < _LEVEL * row[0].rect.height
        for row in few
    ]
    return sum(level) >= _MOST * len(level)


def _ends_below(long: Lines, short: Lines) -> bool:
    """Whether one side goes on for some complete rows below the end of the other.

    Sums below a table stand below its last columns only, and lack a cell of them.
    """
    end = enclose([line.rect for line in short]).y1
    below = [line for line in long if line.rect.y0 > end]
    lattice = lattice_of(long)
    complete = [
        row for row in lattice.rows if len(row) == lattice.num_columns and row[0].lines[0] in below
    ]
    whole = all(len(row) == lattice.num_columns for row in lattice_of(short).rows)
    return whole and len(complete) >= _MIN_EXTRA_ROWS and len(complete) == len(line_rows(below))
