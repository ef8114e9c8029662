"""A table's lines into HTML: by the cells the model saw, or by rows and columns of white space."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from dsocr.engines.embedded.line import Line, Rect
from dsocr.engines.embedded.order import Atom, rows_of
from dsocr.engines.embedded.paragraphs import join_row
from dsocr.engines.embedded.table_model import Cell
from dsocr.engines.embedded.text_joins import join_lines

MAX_MODEL_LINES = 150
_MAX_LOST = 0.05
_MAX_SWALLOWED = 3
_MIN_PART = 0.8  # of a line's height: less of a line reaches over a rule by chance
_FULL_ROW = 0.6  # of the filled cells


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell with its text."""

    row: int
    column: int
    rowspan: int
    colspan: int
    text: str


def table_html(cells: Sequence[Cell], lines: Sequence[Line]) -> str:
    """The table as HTML. The model's cells are used unless they do not fit the lines."""
    entries = fill(cells, lines)
    if entries is None or _merges_columns(cells, lines):
        entries = by_geometry(lines)
    return to_html(entries)


def fill(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry] | None:
    """Each line into the cell that covers it best; None when that loses too much."""
    if not cells or len(lines) > MAX_MODEL_LINES:
        return None
    found: dict[int, list[Line]] = {}
    lost = 0
    for line in lines:
        index = _best_cell(cells, line.rect)
        if index is None:
            lost += len(line.text)
        else:
            found.setdefault(index, []).append(line)
    if lost > _MAX_LOST * sum(len(line.text) for line in lines):
        return None
    if _is_jumbled(found, cells):
        return None
    return divided(cells, found)


def fill_drawn(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry]:
    """Each line into the drawn cell around it; rows printed without rules between are divided."""
    found: dict[int, list[Line]] = {}
    for line in lines:
        for part in _cut_at_cells(line, cells):
            found.setdefault(_drawn_cell(cells, part.rect), []).append(part)
    return divided(cells, found)


def _cut_at_cells(line: Line, cells: Sequence[Cell]) -> list[Line]:
    """A line that runs over drawn cells, cut at the blanks nearest to the rules between them."""
    rect = line.rect
    across = [
        cell.rect
        for cell in cells
        if rect.intersection(cell.rect) > _MIN_PART * rect.height**2
        and min(rect.y1, cell.rect.y1) - max(rect.y0, cell.rect.y0) > 0.5 * rect.height
    ]
    parts = []
    for stop in sorted(cell.x1 for cell in across)[:-1]:
        share = (stop - line.rect.x0) / line.rect.width
        blanks = [place for place, letter in enumerate(line.text) if letter == " "]
        if not blanks:
            break
        place = min(blanks, key=lambda blank: abs((blank + 0.5) / len(line.text) - share))
        left, right = replace(line.rect, x1=stop), replace(line.rect, x0=stop)
        parts.append(replace(line, text=line.text[:place], rect=left))
        line = replace(line, text=line.text[place + 1 :], rect=right)
    return [*parts, line]


def _drawn_cell(cells: Sequence[Cell], rect: Rect) -> int:
    return max(
        range(len(cells)),
        key=lambda index: (
            rect.intersection(cells[index].rect),
            -_distance(rect, cells[index].rect),
        ),
    )


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
    rows = _rows([line for lines in filled for line in lines])
    if len(rows) < 2 or len(filled) < 2:
        return []
    full = [
        own
        for own in rows
        if sum(any(line in own for line in lines) for lines in filled) >= _FULL_ROW * len(filled)
    ]
    beside = [line for own in full for line in own[1:]]
    figures = sum(any(char.isdigit() for char in line.text) for line in beside)
    if len(full) < max(2, 0.6 * len(rows)) or figures < 0.5 * len(beside):
        return []
    return rows


def by_geometry(lines: Sequence[Line]) -> list[Entry]:
    """Rows by height, columns by the white stripes that most rows leave."""
    rows = _rows(lines)
    stops = _column_stops(rows)
    entries: list[Entry] = []
    for number, row in enumerate(rows):
        placed: dict[int, list[Line]] = {}
        spans: dict[int, int] = {}
        for line in row:
            first, last = _reach(line.rect, stops)
            placed.setdefault(first, []).append(line)
            spans[first] = max(spans.get(first, 1), last - first + 1)
        entries.extend(_row_entries(number, placed, spans, len(stops) + 1))
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
    return join_lines(join_row(row).text for row in _rows(lines))


def _best_cell(cells: Sequence[Cell], rect: Rect) -> int | None:
    """The cell with the largest overlap; of those that share none, the nearest one close by."""
    best = max(range(len(cells)), key=lambda index: rect.intersection(cells[index].rect))
    if rect.intersection(cells[best].rect) > 0:
        return best
    nearest = min(range(len(cells)), key=lambda index: _distance(rect, cells[index].rect))
    return nearest if _distance(rect, cells[nearest].rect) < 1.5 * rect.height else None


def _distance(first: Rect, second: Rect) -> float:
    dx = max(first.x0 - second.x1, second.x0 - first.x1, 0.0)
    dy = max(first.y0 - second.y1, second.y0 - first.y1, 0.0)
    return dx + dy


def _is_jumbled(found: dict[int, list[Line]], cells: Sequence[Cell]) -> bool:
    """Many cells swallowed lines that stand side by side far apart: the grid is wrong."""
    swallowed = [sum(map(_wide_gaps, _rows(cell_lines))) for cell_lines in found.values()]
    if max(swallowed, default=0) > _MAX_SWALLOWED:
        return True
    return sum(swallowed) > max(2, 0.1 * sum(len(lines) for lines in found.values()))


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    return [
        [atom.lines[0] for atom in row]
        for row in rows_of([Atom(line.rect, (line,)) for line in lines])
    ]


def _merges_columns(cells: Sequence[Cell], lines: Sequence[Line]) -> bool:
    """Cells that hold figures of two columns, again and again down the table."""
    found: dict[int, list[Line]] = {}
    for line in lines:
        index = _best_cell(cells, line.rect)
        if index is not None and cells[index].colspan == 1:
            found.setdefault(index, []).append(line)
    merged = [
        index for index, inside in found.items() if any(_is_parted(row) for row in _rows(inside))
    ]
    return len(merged) >= max(3, 0.1 * len(found))


def _is_parted(row: Sequence[Line]) -> bool:
    gaps = (right.rect.x0 - left.rect.x1 for left, right in zip(row, row[1:], strict=False))
    return any(gap > 0.7 * row[0].rect.height for gap in gaps)


def _wide_gaps(row: Sequence[Line]) -> int:
    gaps = (right.rect.x0 - left.rect.x1 for left, right in zip(row, row[1:], strict=False))
    return sum(gap > 2 * row[0].rect.height for gap in gaps)


def _column_stops(rows: Sequence[Sequence[Line]]) -> list[float]:
    """The x of each white stripe between two columns, found where the fewest rows have text."""
    edges = sorted({edge for row in rows for line in row for edge in (line.rect.x0, line.rect.x1)})
    many = [row for row in rows if len(row) > 1]
    if not many:
        return []
    tolerance = 0.08 * len(many)
    height = median(line.rect.height for row in rows for line in row)
    stripes: list[tuple[float, float]] = []
    for left, right in zip(edges, edges[1:], strict=False):
        middle = (left + right) / 2
        crossed = sum(any(line.rect.x0 < middle < line.rect.x1 for line in row) for row in many)
        if crossed <= tolerance:
            if stripes and stripes[-1][1] == left:
                stripes[-1] = (stripes[-1][0], right)
            else:
                stripes.append((left, right))
    return [(left + right) / 2 for left, right in stripes if right - left > 0.2 * height]


def _reach(rect: Rect, stops: Sequence[float]) -> tuple[int, int]:
    """First and last column that a rectangle stands in."""
    slack = min(rect.height / 2, rect.width / 4)
    first = sum(stop < rect.x0 + slack for stop in stops)
    return first, max(first, sum(stop < rect.x1 - slack for stop in stops))


def _row_entries(
    number: int, placed: dict[int, list[Line]], spans: dict[int, int], columns: int
) -> list[Entry]:
    entries: list[Entry] = []
    column = 0
    while column < columns:
        following = min((start for start in placed if start > column), default=columns)
        colspan = min(spans.get(column, 1), following - column)
        text = _cell_text(placed.get(column, []))
        entries.append(Entry(number, column, 1, max(1, colspan), text))
        column += max(1, colspan)
    return entries
