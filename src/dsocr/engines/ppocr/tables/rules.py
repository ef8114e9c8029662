"""Tables drawn with rules: the cells exactly as printed. Knows ink and lines, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.table_model import Cell

Mask = NDArray[np.uint8]

_MIN_RULE = 2.0  # of a line's height: longer than any letter's stroke
_MIN_WIDTH = 6.0
_SAME_PLACE = 0.4
_DRAWN = 0.6  # of a cell's side
_MIN_FILLED = 0.4
_MAX_CELL_LINES = 14
_MAX_SIDES = 80


@dataclass(frozen=True, slots=True)
class RuledTable:
    """A table with its cells, in pixels of the page."""

    rect: Rect
    cells: tuple[Cell, ...]


def ruled_tables(
    image: NDArray[np.uint8], lines: Sequence[Line], line_height: float
) -> tuple[RuledTable, ...]:
    """Tables of at least two rows and columns whose rules meet, and whose cells hold text."""
    if line_height < 4:
        return ()
    across, upright = _rules(image, line_height)
    joined = cv2.dilate(across | upright, np.ones((3, 3), np.uint8))
    count, names, stats, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for name in range(1, count):
        x, y, width, height, _ = (int(value) for value in stats[name])
        if width < _MIN_WIDTH * line_height or height < 2 * line_height:
            continue
        own = (names[y : y + height, x : x + width] == name).astype(np.uint8)
        window = np.s_[y : y + height, x : x + width]
        table = _table(across[window] & own, upright[window] & own, (x, y), line_height)
        if table and _holds_text(table, lines):
            found.append(table)
    return tuple(found)


def _rules(image: NDArray[np.uint8], line_height: float) -> tuple[Mask, Mask]:
    """Masks of what is drawn straight across and straight down, thin or at a shade's edge."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    ink = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 21, 12)
    length = max(12, int(_MIN_RULE * line_height))
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return np.asarray(across, np.uint8), np.asarray(upright, np.uint8)


def _table(
    across: Mask, upright: Mask, origin: tuple[int, int], line_height: float
) -> RuledTable | None:
    tolerance = max(2, round(_SAME_PLACE * line_height))
    ys = _places(across.sum(axis=1), tolerance)
    xs = _places(upright.sum(axis=0), tolerance)
    height, width = across.shape
    ys = _with_ends(ys, height, line_height)
    xs = _with_ends(xs, width, line_height)
    if not (3 <= len(ys) <= _MAX_SIDES and 3 <= len(xs) <= _MAX_SIDES):
        return None
    cells = _cells(across, upright, xs, ys, tolerance)
    if cells is None or len({c.row for c in cells}) < 2 or len({c.column for c in cells}) < 2:
        return None
    x, y = origin
    moved = tuple(
        Cell(c.row, c.column, c.rowspan, c.colspan, _shifted(c.rect, x, y)) for c in cells
    )
    return RuledTable(Rect(xs[0] + x, ys[0] + y, xs[-1] + x, ys[-1] + y), moved)


def _shifted(rect: Rect, x: float, y: float) -> Rect:
    return Rect(rect.x0 + x, rect.y0 + y, rect.x1 + x, rect.y1 + y)


def _places(weights: NDArray[np.int64], tolerance: int) -> list[int]:
    """Where rules run, those closer together than `tolerance` as one at the heaviest place."""
    places: list[list[int]] = []
    for place in np.flatnonzero(weights):
        if places and place - places[-1][-1] <= tolerance:
            places[-1].append(int(place))
        else:
            places.append([int(place)])
    return [max(group, key=lambda place: weights[place]) for group in places]


def _with_ends(places: list[int], end: int, line_height: float) -> list[int]:
    """Tables are often open at their sides: there the crossing rules' ends are the border."""
    if not places:
        return places
    before = [0] if places[0] > line_height else []
    after = [end - 1] if end - 1 - places[-1] > line_height else []
    return [*before, *places, *after]


def _cells(
    across: Mask, upright: Mask, xs: Sequence[int], ys: Sequence[int], tolerance: int
) -> list[Cell] | None:
    """The fields of the grid, those with no rule between them joined; None if not rectangular."""
    rows, columns = len(ys) - 1, len(xs) - 1
    owner = {(r, c): (r, c) for r in range(rows) for c in range(columns)}

    def root(field: tuple[int, int]) -> tuple[int, int]:
        while owner[field] != field:
            field = owner[field]
        return field

    for r in range(rows):
        for c in range(columns):
            top, bottom, left, right = ys[r], ys[r + 1], xs[c], xs[c + 1]
            if c + 1 < columns:
                side = upright[top:bottom, max(0, right - tolerance) : right + tolerance + 1]
                if side.any(axis=1).mean() < _DRAWN:
                    owner[root((r, c + 1))] = root((r, c))
            if r + 1 < rows:
                side = across[max(0, bottom - tolerance) : bottom + tolerance + 1, left:right]
                if side.any(axis=0).mean() < _DRAWN:
                    owner[root((r + 1, c))] = root((r, c))
    fields: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for field in owner:
        fields.setdefault(root(field), []).append(field)
    cells = []
    for members in fields.values():
        first_row, last_row = min(r for r, _ in members), max(r for r, _ in members)
        first, last = min(c for _, c in members), max(c for _, c in members)
        rowspan, colspan = last_row - first_row + 1, last - first + 1
        if rowspan * colspan != len(members):
            return None
        rect = Rect(xs[first], ys[first_row], xs[last + 1], ys[last_row + 1])
        cells.append(Cell(first_row, first, rowspan, colspan, rect))
    return sorted(cells, key=lambda cell: (cell.row, cell.column))


def _holds_text(table: RuledTable, lines: Sequence[Line]) -> bool:
    """Not a chart's grid, and no page whose columns are divided by rules."""
    counts = [sum(is_inside(line.rect, cell.rect) for line in lines) for cell in table.cells]
    filled = sum(count > 0 for count in counts)
    return filled >= max(3, _MIN_FILLED * len(counts)) and max(counts) <= _MAX_CELL_LINES


def is_inside(rect: Rect, around: Rect) -> bool:
    """Whether the middle of the first lies in the second."""
    x, y = (rect.x0 + rect.x1) / 2, (rect.y0 + rect.y1) / 2
    return around.x0 <= x < around.x1 and around.y0 <= y < around.y1
