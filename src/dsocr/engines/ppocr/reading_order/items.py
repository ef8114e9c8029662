"""What is put in order: lines, or regions with their lines; and the rows they form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsocr.engines.ppocr.geometry import Line, Rect

FRAME = "frame"
"""The label of an item that stands for all that a drawn frame holds."""
WHOLES = ("figure", "table", FRAME)
"""Items whose lines are ordered among themselves."""

_MAX_OVERLAP = 0.2  # of the narrower one's width: more, and they stand below one another
_MIN_SHARED = 0.5  # of the lower one's height
_MIN_SHARED_OF_TALLER = 0.3


@dataclass(frozen=True, slots=True)
class LayoutItem:
    """What is ordered as one: a line, or a region with the lines in it."""

    rect: Rect
    lines: tuple[Line, ...]
    label: str | None = None
    """The region's class; None for a line in no region."""


Column = list[list[LayoutItem]]
"""Rows of one column, each from left to right."""


def line_items(lines: Sequence[Line]) -> list[LayoutItem]:
    """Each line as an item of its own."""
    return [LayoutItem(line.rect, (line,)) for line in lines]


def rows_of(items: Sequence[LayoutItem]) -> Column:
    """Items that stand side by side, top to bottom, each row from left to right."""
    rows: Column = []
    for item in sorted(items, key=lambda item: item.rect.y0 + item.rect.y1):
        if rows and all(_is_same_row(item.rect, other.rect) for other in rows[-1]):
            rows[-1].append(item)
        else:
            rows.append([item])
    return [sorted(row, key=lambda item: item.rect.x0) for row in rows]


def line_rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand side by side, top to bottom, each row from left to right."""
    return [[item.lines[0] for item in row] for row in rows_of(line_items(lines))]


def _is_same_row(first: Rect, second: Rect) -> bool:
    overlap = min(first.x1, second.x1) - max(first.x0, second.x0)
    if overlap >= _MAX_OVERLAP * min(first.width, second.width):
        return False
    shared = min(first.y1, second.y1) - max(first.y0, second.y0)
    lower, taller = sorted((first.height, second.height))
    return shared > _MIN_SHARED * lower and shared > _MIN_SHARED_OF_TALLER * taller
