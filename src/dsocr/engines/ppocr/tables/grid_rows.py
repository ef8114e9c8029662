"""Finds tables without rules among a page's rows: figures that stand below one another.

Only what is surely a table: prose, forms and receipts of two columns stay lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.reading_order.columns import Column, is_prose
from dsocr.engines.ppocr.tables.white_space import is_figure

_MIN_ROWS = 3
_MIN_CELLS = 3
_MAX_PITCH = 2.8  # of a line's height, from row to row
_SHORT = 14  # letters of a cell other than a row's first
_MIN_SHORT = 0.5  # a column of words among the figures is usual
_MIN_FIGURES = 0.3
_MANY_ROWS = 5
_MIN_FIGURES_OF_FEW = 0.6
_ALIGNED = 0.6
_MIN_GAP = 0.5  # of a line's height; wider than a blank

Row = list[Line]


def grids_in(runs: Sequence[Column]) -> list[list[Line]]:
    """The lines of each table found, by column and row as `order.arrange` gave them."""
    found: list[list[Line]] = []
    for run in runs:
        rows = [[atom.lines[0] for atom in row if atom.lines] for row in run]
        for group in _groups([row for row in rows if row]):
            if _is_grid(group):
                found.append([line for row in group for line in row])
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
    """Several pieces with room between them; a label with one figure will do inside a table."""
    if len(row) < 2:
        return False
    gaps = [right.rect.x0 - left.rect.x1 for left, right in zip(row, row[1:], strict=False)]
    height = median(line.rect.height for line in row)
    roomy = sum(gap > _MIN_GAP * height for gap in gaps)
    return roomy >= 2 or (len(row) == 2 and roomy == 1 and is_figure(row[-1].text))


def _follows(above: Row, below: Row) -> bool:
    height = median(line.rect.height for line in [*above, *below])
    step = min(line.rect.y0 for line in below) - min(line.rect.y0 for line in above)
    return step < _MAX_PITCH * height


def _is_grid(group: Sequence[Row]) -> bool:
    wide = [row for row in group if len(row) >= _MIN_CELLS]
    worded = [
        line for row in group if not any(is_figure(cell.text) for cell in row) for line in row
    ]
    if len(wide) < _MIN_ROWS or is_prose(worded):
        return False
    cells = [line for row in group for line in row[1:]]
    short = sum(sum(letter.isalpha() for letter in line.text) <= _SHORT for line in cells)
    figures = sum(is_figure(line.text) for line in cells)
    return (
        short >= _MIN_SHORT * len(cells)
        and figures
        >= (_MIN_FIGURES if len(wide) >= _MANY_ROWS else _MIN_FIGURES_OF_FEW) * len(cells)
        and _aligned(wide) >= _ALIGNED
    )


def _aligned(rows: Sequence[Row]) -> float:
    """The share of cells that begin, end or are centred as a cell of a neighbouring row is."""
    hits = total = 0
    for index, row in enumerate(rows):
        others = [
            line for near in (index - 1, index + 1) if 0 <= near < len(rows) for line in rows[near]
        ]
        for line in row:
            slack = 0.6 * line.rect.height
            total += 1
            hits += any(
                abs(line.rect.x0 - other.rect.x0) < slack
                or abs(line.rect.x1 - other.rect.x1) < slack
                or abs(line.rect.x0 + line.rect.x1 - other.rect.x0 - other.rect.x1) < 2 * slack
                for other in others
            )
    return hits / total if total else 0.0
