"""A table's lines into its cells: by its rules, by white space, or by what the model saw.

White space is believed where everything fits; the model where it does not and the model does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.table_model import Cell
from dsocr.engines.ppocr.tables.entries import Entry, divided, entries_of, to_html, without_empty
from dsocr.engines.ppocr.tables.white_space import is_clear, is_figure, lattice_of, printed_rows

_MAX_MODEL_LINES = 150
_MAX_LOST = 0.05
_MAX_SWALLOWED = 3
_MAX_ASKEW = 0.05  # of the printed rows
_STACKED = re.compile(r"(?:\(?\d[\d,.]*\)? ){3}\(?\d[\d,.]*")
_MIN_PART = 0.8  # of a line's height: less of a line reaches over a rule by chance
_SURE_FIGURE = re.compile(r"[-+(]?[$\u20ac\u00a3\u00a5]?\d[\d,]*(?:[.,]\d+|%)[%)]*|[\u2013\u2014]")


def table_html(read_cells: Callable[[], Sequence[Cell]], lines: Sequence[Line]) -> str:
    """A table without rules as HTML. `read_cells` asks the model, which white space often saves."""
    lines = [part for line in lines for part in figures_apart(line)]
    lattice = lattice_of(lines)
    if is_clear(lattice):
        return to_html(entries_of(lattice))
    cells = read_cells() if 0 < len(lines) <= _MAX_MODEL_LINES else ()
    entries = fill(cells, lines)
    if entries is None or merges_columns(cells, lines):
        entries = entries_of(lattice)
    return to_html(entries)


def figures_apart(line: Line) -> list[Line]:
    """Several figures that were taken for one line, each for itself."""
    words = line.text.split()
    if len(words) < 2 or not all(_SURE_FIGURE.fullmatch(word) for word in words):
        return [line]
    parts, start = [], 0
    for word in words:
        begin = line.text.index(word, start)
        start = begin + len(word)
        x0, x1 = (line.rect.x0 + line.rect.width * at / len(line.text) for at in (begin, start))
        parts.append(replace(line, text=word, rect=replace(line.rect, x0=x0, x1=x1)))
    return parts


def fill(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry] | None:
    """Each line into the cell that covers it best; None when that loses too much."""
    if not cells:
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
    if _is_jumbled(found, cells) or _mixes_rows(found, cells, lines):
        return None
    return without_empty(divided(cells, found))


def drawn_html(cells: Sequence[Cell], lines: Sequence[Line]) -> str:
    """A table with rules as HTML."""
    return to_html(fill_drawn(cells, lines))


def fill_drawn(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry]:
    """Each line into the drawn cell around it; rows printed without rules between are divided."""
    found: dict[int, list[Line]] = {}
    for line in lines:
        for part in _cut_at_cells(line, cells):
            found.setdefault(_drawn_cell(cells, part.rect), []).append(part)
    entries = divided(cells, found)
    stacked = [entry for entry in entries if _STACKED.search(entry.text)]
    if len(stacked) < 2:
        return entries
    # Some of its rules were too faint to be seen.
    return entries_of(lattice_of([part for parts in found.values() for part in parts]))


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
    swallowed = [sum(map(_wide_gaps, printed_rows(cell_lines))) for cell_lines in found.values()]
    if max(swallowed, default=0) > _MAX_SWALLOWED:
        return True
    return sum(swallowed) > max(2, 0.1 * sum(len(lines) for lines in found.values()))


def _mixes_rows(
    found: Mapping[int, Sequence[Line]], cells: Sequence[Cell], lines: Sequence[Line]
) -> bool:
    """Figures below one another in a cell, or one printed row in several rows: read askew."""
    stacked = sum(
        sum(is_figure(row[0].text) for row in printed_rows(inside)) > 1 for inside in found.values()
    )
    row_of = {
        id(line): cells[index].row
        for index, inside in found.items()
        for line in inside
        if cells[index].rowspan == 1
    }
    rows = [{row_of[id(line)] for line in row if id(line) in row_of} for row in printed_rows(lines)]
    torn = sum(len(numbers) > 1 for numbers in rows)
    return stacked + torn > _MAX_ASKEW * len(rows)


def merges_columns(cells: Sequence[Cell], lines: Sequence[Line]) -> bool:
    """Cells that hold figures of two columns, again and again down the table."""
    found: dict[int, list[Line]] = {}
    for line in lines:
        index = _best_cell(cells, line.rect)
        if index is not None and cells[index].colspan == 1:
            found.setdefault(index, []).append(line)
    merged = [
        index
        for index, inside in found.items()
        if any(_is_parted(row) for row in printed_rows(inside))
    ]
    return len(merged) >= max(3, 0.1 * len(found))


def _is_parted(row: Sequence[Line]) -> bool:
    gaps = (right.rect.x0 - left.rect.x1 for left, right in zip(row, row[1:], strict=False))
    return any(gap > 0.7 * row[0].rect.height for gap in gaps)


def _wide_gaps(row: Sequence[Line]) -> int:
    gaps = (right.rect.x0 - left.rect.x1 for left, right in zip(row, row[1:], strict=False))
    return sum(gap > 2 * row[0].rect.height for gap in gaps)
