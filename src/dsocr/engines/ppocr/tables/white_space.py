"""Rows and columns of a table from the white between its lines, without rules or a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.items import line_rows

_FULL_ROW = 0.6  # of the longest row's cells, or of the columns
_MAX_CROSSED = 0.08  # of the full rows may cross the gap between two columns
_MIN_GAP = 0.2  # of a line's height
_TRIM = 0.2  # of a line's height
_OWN_ROW = 0.9  # of the pitch of rows; text that wraps inside a cell is set closer
_MAX_PITCH = 2.2  # of a line's height, where no record follows another
_HEADING_ROWS = 2
_MIN_FILLED = 1.0  # cells beside the first column, for each row
_MIN_RECORDS = 0.3  # of the rows

Row = list[Line]
Interval = tuple[float, float]
"""From x to x."""


@dataclass(frozen=True, slots=True)
class LatticeCell:
    """A cell with text: its lines, top to bottom, and the columns that it spans."""

    first: int
    last: int
    """Numbers of its first and last column, from 0."""
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Lattice:
    """The rows of a table, each its cells from left to right."""

    rows: tuple[tuple[LatticeCell, ...], ...]
    num_columns: int


def lattice_of(lines: Sequence[Line]) -> Lattice:
    """The lines in the rows and columns that white space divides them into."""
    rows = line_rows(lines)
    separators = _without_halves(column_separators(rows), rows)
    num_columns = len(separators) + 1
    placed = [_cells(row, separators) for row in rows]
    groups: list[list[LatticeCell]] = []
    for cells, joins in zip(placed, _joins_above(rows, placed, num_columns), strict=True):
        if joins:
            groups[-1].extend(cells)
        else:
            groups.append(list(cells))
    return Lattice(tuple(_merged(group) for group in groups), num_columns)


def is_number(text: str) -> bool:
    """Whether it has more digits than letters, or is a dash for nothing."""
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    return digits > letters or text.strip() in ("-", "\u2013", "\u2014")


def column_separators(rows: Sequence[Row]) -> list[float]:
    """The x of each white stripe between two columns, which hardly any full row crosses."""
    return [(left + right) / 2 for left, right in column_stripes(rows)]


def column_stripes(rows: Sequence[Row]) -> list[Interval]:
    """The white stripes between two columns, from left to right."""
    longest = max(map(len, rows), default=0)
    full = [row for row in rows if len(row) >= max(2.0, _FULL_ROW * longest)]
    if not full:
        return []
    spans = [[_trimmed(line.rect) for line in row] for row in full]
    height = median(line.rect.height for row in full for line in row)
    return [
        (left, right) for left, right in _white_stripes(spans) if right - left > _MIN_GAP * height
    ]


def _white_stripes(rows: Sequence[Sequence[Interval]]) -> list[Interval]:
    """The stripes that hardly any row crosses, given from where to where each row has ink."""
    edges = sorted({edge for row in rows for span in row for edge in span})
    stripes: list[Interval] = []
    for left, right in pairwise(edges):
        middle = (left + right) / 2
        crossed = sum(any(x0 < middle < x1 for x0, x1 in row) for row in rows)
        if crossed > _MAX_CROSSED * len(rows):
            continue
        if stripes and stripes[-1][1] == left:
            stripes[-1] = (stripes[-1][0], right)
        else:
            stripes.append((left, right))
    return stripes


def is_clear(lattice: Lattice) -> bool:
    """Whether every cell fits: only headings span columns, no cell has lines side by side."""
    cells = [(row, cell) for row in lattice.rows for cell in row]
    if any(_is_unclear(cell, row) for row, cell in cells):
        return False
    num_filled = sum(cell.last > 0 for _, cell in cells)
    return lattice.num_columns > 1 and num_filled >= _MIN_FILLED * len(lattice.rows)


def _is_unclear(cell: LatticeCell, row: Sequence[LatticeCell]) -> bool:
    if any(len(lines) > 1 for lines in line_rows(cell.lines)):
        return True
    return cell.last > cell.first and len(row) > 1 and any(map(_is_value, row))


def _is_value(cell: LatticeCell) -> bool:
    return cell.first > 0 and is_number(cell.lines[0].text)


def _trimmed(rect: Rect) -> Interval:
    """From where to where there is certainly ink: boxes of neighbours often touch."""
    trim = min(_TRIM * rect.height, rect.width / 4)
    return rect.x0 + trim, rect.x1 - trim


def _without_halves(separators: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """The separators without those between a column's numbers and a heading set clear of them."""
    kept = list(separators)
    for separator in separators:
        left = kept.index(separator)
        placed = [_cells(row, kept) for row in rows]
        sides = [_rows_in_column(placed, column) for column in (left, left + 1)]
        few, many = sorted(sides, key=len)
        if few and len(few) <= _HEADING_ROWS and few[-1] < many[0]:
            kept.remove(separator)
    return kept


def _rows_in_column(placed: Sequence[Sequence[LatticeCell]], column: int) -> list[int]:
    return [
        index
        for index, row in enumerate(placed)
        if any(cell.first <= column <= cell.last for cell in row)
    ]


def _cells(row: Row, separators: Sequence[float]) -> list[LatticeCell]:
    """The row's lines in the columns they span; lines that share a column are one cell."""
    cells: list[LatticeCell] = []
    for line in row:
        first, last = _spanned_columns(line.rect, separators)
        if cells and first <= cells[-1].last < last:
            first = cells[-1].last + 1  # a heading wider than the numbers below it
        if cells and first <= cells[-1].last:
            before = cells.pop()
            last = max(before.last, last)
            cells.append(LatticeCell(before.first, last, (*before.lines, line)))
        else:
            cells.append(LatticeCell(first, last, (line,)))
    return cells


def _spanned_columns(rect: Rect, separators: Sequence[float]) -> tuple[int, int]:
    """First and last column of a rectangle, which may exceed its ink a little."""
    slack = min(rect.height / 2, rect.width / 4)
    first = sum(separator < rect.x0 + slack for separator in separators)
    return first, max(first, sum(separator < rect.x1 - slack for separator in separators))


def _joins_above(
    rows: Sequence[Row], placed: Sequence[Sequence[LatticeCell]], num_columns: int
) -> list[bool]:
    """Whether each printed row continues the one above: wrapped text, headings of several lines.

    Between two records the widest gap divides the upper one's rows from the lower one's.
    """
    middles = [median(line.rect.centre_y for line in row) for row in rows]
    gaps = [0.0, *(below - above for above, below in pairwise(middles))]
    records = _records(placed, num_columns, gaps)
    height = median(line.rect.height for row in rows for line in row) if rows else 0.0
    starts = {0} | _heading_starts(placed[: records[0] if records else None])
    for above, below in pairwise([-1, *records]):
        between = range(max(1, above + 1), below + 1)
        if between:
            starts.add(max(between, key=lambda i: (round(gaps[i] / max(1.0, 0.1 * height)), i)))
    limit = _max_gap_of_wrapped(records, gaps, height)
    return [index not in starts and gaps[index] < limit for index in range(len(rows))]


def _max_gap_of_wrapped(records: Sequence[int], gaps: Sequence[float], height: float) -> float:
    """Rows set as far apart as two records that follow each other are rows of their own."""
    steps = sorted(gaps[below] for above, below in pairwise(records) if below == above + 1)
    return _OWN_ROW * steps[len(steps) // 4] if steps else _MAX_PITCH * height


def _heading_starts(heading: Sequence[Sequence[LatticeCell]]) -> set[int]:
    """The rows of a heading that follow or hold a cell over several columns."""
    return {
        index
        for index in range(1, len(heading))
        if any(cell.last > cell.first for row in heading[index - 1 : index + 1] for cell in row)
    }


def _records(
    placed: Sequence[Sequence[LatticeCell]], num_columns: int, gaps: Sequence[float]
) -> list[int]:
    """The rows that certainly are one each: with numbers, or where those are few, well filled.

    Rows with fewer cells than the row above, and closer to it than complete ones are, hold text
    that wraps.
    """
    with_numbers = [index for index, row in enumerate(placed) if any(map(_is_value, row))]
    if len(with_numbers) >= _MIN_RECORDS * len(placed):
        return with_numbers
    full = [
        index for index, row in enumerate(placed) if len(row) >= max(2, _FULL_ROW * num_columns)
    ]
    complete = [gaps[index] for index in full if index and len(placed[index]) == num_columns]
    limit = _OWN_ROW * median(complete) if complete else 0.0
    return [
        index
        for index in full
        if gaps[index] >= limit or not index or len(placed[index]) >= len(placed[index - 1])
    ]


def _merged(cells: Sequence[LatticeCell]) -> tuple[LatticeCell, ...]:
    """Cells of several printed rows, those in the same columns as one."""
    merged: list[LatticeCell] = []
    for cell in sorted(cells, key=lambda cell: cell.first):
        if merged and cell.first <= merged[-1].last:
            before = merged.pop()
            lines = sorted((*before.lines, *cell.lines), key=lambda line: line.rect.y0)
            cell = LatticeCell(before.first, max(before.last, cell.last), tuple(lines))
        merged.append(cell)
    return tuple(merged)
