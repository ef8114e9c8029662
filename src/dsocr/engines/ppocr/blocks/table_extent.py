"""Which lines of a table's region are the table: the layout model takes whole forms for one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Region
from dsocr.engines.ppocr.reading_order.items import line_items, line_rows, rows_of
from dsocr.engines.ppocr.tables.grid_rows import grids_in

_SENTENCE = 40  # letters
_SENTENCE_WIDTH = 0.6  # of the region
_NEARLY_ALL = 0.85
_MIN_GRID = 0.3  # of the lines
_WIDE_STEP = 1.8  # of the usual distance from row to row
_LEFT = 0.1  # of the region's width

Row = list[Line]


def split_surroundings(
    region: Region, lines: tuple[Line, ...]
) -> tuple[tuple[Line, ...], list[Line]]:
    """A table's own lines, and those around it."""
    inside = _only_grid(lines)
    around = [line for line in lines if line not in inside]
    rows = line_rows(inside)
    for end in (0, -1):
        while len(rows) > 2 and len(rows[end]) == 1 and _is_sentence(rows[end][0], region):
            around.extend(rows.pop(end))
    if len(rows) > 3 and _is_lead(rows, region):
        around.extend(rows.pop(0))
    return tuple(line for line in lines if line not in around), around


def is_sentence_long(line: Line) -> bool:
    return sum(letter.isalpha() for letter in line.text) >= _SENTENCE


def _only_grid(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines of the one grid among them, or of the part that it stands in; else all."""
    grids = _grids_of(lines)
    if len(grids) == 1 and _MIN_GRID * len(lines) < len(grids[0]) < _NEARLY_ALL * len(lines):
        return tuple(grids[0])
    largest = max(_parts(line_rows(lines)), key=len, default=[])
    if not 0.5 * len(lines) < len(largest) < len(lines):
        return lines
    inner = _grids_of(largest)
    whole = len(inner) == 1 and len(inner[0]) > _NEARLY_ALL * len(largest)
    return tuple(largest) if whole else lines


def _grids_of(lines: Sequence[Line]) -> list[list[Line]]:
    return grids_in([rows_of(line_items(lines))])


def _parts(rows: Sequence[Row]) -> list[list[Line]]:
    """The rows' lines, split where the white between two rows is far wider than usual."""
    tops = [min(line.rect.y0 for line in row) for row in rows]
    steps = [below - above for above, below in pairwise(tops)]
    limit = _WIDE_STEP * median(steps) if steps else 0.0
    parts: list[list[Line]] = [[]]
    for row, step in zip(rows, [0.0, *steps], strict=True):
        if step > limit:
            parts.append([])
        parts[-1].extend(row)
    return parts


def _is_lead(rows: Sequence[Row], region: Region) -> bool:
    """Whether the first row is one line at the left over a row of many: no spanning heading."""
    first = rows[0][0]
    at_left = first.rect.x0 < region.rect.x0 + _LEFT * region.rect.width
    return len(rows[0]) == 1 and len(rows[1]) > 2 and at_left


def _is_sentence(line: Line, region: Region) -> bool:
    return is_sentence_long(line) and line.rect.width > _SENTENCE_WIDTH * region.rect.width
