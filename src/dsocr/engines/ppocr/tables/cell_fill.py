"""Assigns a table's lines to cells: the cell that covers a line best, or the nearest one."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.table_model import Cell

_MIN_PART = 0.8  # of the line's height: less reaches over a rule by chance
_MAX_DISTANCE = 1.5  # of the line's height

CellLines = dict[int, list[Line]]
"""The lines of each cell, by its index."""


def fill_detected(cells: Sequence[Cell], lines: Sequence[Line]) -> tuple[CellLines, list[Line]]:
    """The lines of each cell that the table model found, and the lines near no cell."""
    found: CellLines = {}
    lost: list[Line] = []
    for line in lines:
        index = nearest_cell(cells, line.rect)
        if index is None:
            lost.append(line)
        else:
            found.setdefault(index, []).append(line)
    return found, lost


def fill_ruled(cells: Sequence[Cell], lines: Sequence[Line]) -> CellLines:
    """The lines of each cell between rules; a line that crosses rules is split at them."""
    found: CellLines = {}
    for line in lines:
        for part in _split_at_rules(line, cells):
            found.setdefault(_ruled_cell(cells, part.rect), []).append(part)
    return found


def nearest_cell(cells: Sequence[Cell], rect: Rect) -> int | None:
    """The cell with the largest overlap; without any overlap, the nearest one close by."""
    best = max(range(len(cells)), key=lambda index: rect.intersection(cells[index].rect))
    if rect.intersection(cells[best].rect) > 0:
        return best
    nearest = min(range(len(cells)), key=lambda index: _distance(rect, cells[index].rect))
    close = _distance(rect, cells[nearest].rect) < _MAX_DISTANCE * rect.height
    return nearest if close else None


def _ruled_cell(cells: Sequence[Cell], rect: Rect) -> int:
    """The cell with the largest overlap, else the nearest, however far."""
    return max(
        range(len(cells)),
        key=lambda index: (
            rect.intersection(cells[index].rect),
            -_distance(rect, cells[index].rect),
        ),
    )


def _split_at_rules(line: Line, cells: Sequence[Cell]) -> list[Line]:
    """The line, split at the blanks nearest to the rules that it crosses."""
    across = [cell.rect for cell in cells if _reaches_into(line.rect, cell.rect)]
    parts = []
    for x in sorted(rect.x1 for rect in across)[:-1]:
        share = (x - line.rect.x0) / line.rect.width
        blanks = [index for index, letter in enumerate(line.text) if letter == " "]
        if not blanks:
            break
        length = len(line.text)
        split = min(blanks, key=lambda blank: abs((blank + 0.5) / length - share))
        parts.append(line.part(line.text[:split], x0=line.rect.x0, x1=x))
        line = line.part(line.text[split + 1 :], x0=x, x1=line.rect.x1)
    return [*parts, line]


def _reaches_into(rect: Rect, cell: Rect) -> bool:
    """Whether enough of a line lies in the cell, over more than half of its height."""
    shared = min(rect.y1, cell.y1) - max(rect.y0, cell.y0)
    return rect.intersection(cell) > _MIN_PART * rect.height**2 and shared > 0.5 * rect.height


def _distance(first: Rect, second: Rect) -> float:
    dx = max(first.x0 - second.x1, second.x0 - first.x1, 0.0)
    dy = max(first.y0 - second.y1, second.y0 - first.y1, 0.0)
    return dx + dy
