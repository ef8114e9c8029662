"""Tables drawn with rules: their cells exactly as printed. Knows ink and lines, no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.table_model import Cell
from dsocr.engines.ppocr.tables.ruled_grid import RuledGrid

Mask = NDArray[np.uint8]

_MIN_RULE = 2.0  # of a line's height: longer than any letter's stroke
_MIN_LINE_HEIGHT = 4.0  # pixels
_MIN_WIDTH = 6.0  # of a line's height
_MIN_HEIGHT = 2.0
_SAME_PLACE = 0.4  # of a line's height
_MIN_FILLED = 0.4
_MAX_CELL_LINES = 14
_MIN_SIDES, _MAX_SIDES = 3, 80


@dataclass(frozen=True, slots=True)
class RuledTable:
    """A table with its cells, in pixels of the page."""

    rect: Rect
    cells: tuple[Cell, ...]


def ruled_tables(
    image: NDArray[np.uint8], lines: Sequence[Line], line_height: float
) -> tuple[RuledTable, ...]:
    """Tables of at least two rows and columns whose rules meet, and whose cells hold text."""
    if line_height < _MIN_LINE_HEIGHT:
        return ()
    tables = (
        _table(across, down, origin, line_height)
        for across, down, origin in _connected_rules(image, line_height)
    )
    return tuple(table for table in tables if table and _holds_text(table, lines))


def _connected_rules(
    image: NDArray[np.uint8], line_height: float
) -> Iterator[tuple[Mask, Mask, tuple[int, int]]]:
    """Of each group of rules that meet, those across and those down, and its upper left corner."""
    across, down = _rules(image, line_height)
    joined = cv2.dilate(across | down, np.ones((3, 3), np.uint8))
    count, names, stats, _ = cv2.connectedComponentsWithStats(joined)
    for name in range(1, count):
        x, y, width, height, _ = (int(value) for value in stats[name])
        if width < _MIN_WIDTH * line_height or height < _MIN_HEIGHT * line_height:
            continue
        own = (names[y : y + height, x : x + width] == name).astype(np.uint8)
        window = np.s_[y : y + height, x : x + width]
        yield across[window] & own, down[window] & own, (x, y)


def _rules(image: NDArray[np.uint8], line_height: float) -> tuple[Mask, Mask]:
    """Masks of straight strokes across and down, thin ones or the edges of a shade."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    ink = cv2.adaptiveThreshold(grey, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 21, 12)
    length = max(12, int(_MIN_RULE * line_height))
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return np.asarray(across, np.uint8), np.asarray(down, np.uint8)


def _table(
    across: Mask, down: Mask, origin: tuple[int, int], line_height: float
) -> RuledTable | None:
    """The table that the rules draw; None where they draw none."""
    tolerance = max(2, round(_SAME_PLACE * line_height))
    height, width = across.shape
    ys = _with_ends(_places(across.sum(axis=1), tolerance), height, line_height)
    xs = _with_ends(_places(down.sum(axis=0), tolerance), width, line_height)
    if not all(_MIN_SIDES <= len(places) <= _MAX_SIDES for places in (xs, ys)):
        return None
    cells = RuledGrid(across, down, xs, ys, tolerance).cells()
    if cells is None or len({c.row for c in cells}) < 2 or len({c.column for c in cells}) < 2:
        return None
    moved = tuple(replace(cell, rect=cell.rect.shifted(*origin)) for cell in cells)
    return RuledTable(Rect(xs[0], ys[0], xs[-1], ys[-1]).shifted(*origin), moved)


def _places(weights: NDArray[np.int64], tolerance: int) -> list[int]:
    """Where rules run; those closer together than `tolerance` are one, at the heaviest place."""
    places: list[list[int]] = []
    for place in np.flatnonzero(weights):
        if places and place - places[-1][-1] <= tolerance:
            places[-1].append(int(place))
        else:
            places.append([int(place)])
    return [max(group, key=lambda place: weights[place]) for group in places]


def _with_ends(places: list[int], end: int, line_height: float) -> list[int]:
    """Tables are often open at their sides: there the ends of the crossing rules are the border."""
    if not places:
        return places
    before = [0] if places[0] > line_height else []
    after = [end - 1] if end - 1 - places[-1] > line_height else []
    return [*before, *places, *after]


def _holds_text(table: RuledTable, lines: Sequence[Line]) -> bool:
    """Whether it is no chart's grid, and no page whose columns are divided by rules."""
    counts = [sum(is_inside(line.rect, cell.rect) for line in lines) for cell in table.cells]
    filled = sum(count > 0 for count in counts)
    return filled >= max(3, _MIN_FILLED * len(counts)) and max(counts) <= _MAX_CELL_LINES


def is_inside(rect: Rect, around: Rect) -> bool:
    """Whether the centre of the first lies in the second."""
    x, y = (rect.x0 + rect.x1) / 2, rect.centre_y
    return around.x0 <= x < around.x1 and around.y0 <= y < around.y1
