"""Tells running text from the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line, Rect

_MIN_ROWS = 7
_MIN_LETTERS = 20.0
_MAX_INDENT = 2.5  # of a line's height
_MIN_STEP, _MAX_STEP = 0.4, 2.2  # of a line's height, from row to row
_MIN_WIDTH = 0.6  # of the line above
_IDEOGRAPHS = "\u2e80"  # and all characters after it


def is_prose(lines: Sequence[Line]) -> bool:
    """Whether somewhere many long lines stand right below one another, as no table's cells do."""
    stacks: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.rect.y0):
        if text_weight(line.text) < _MIN_LETTERS:
            continue
        for stack in stacks:
            if _continues(stack[-1].rect, line.rect):
                stack.append(line)
                break
        else:
            stacks.append([line])
    return any(len(stack) >= _MIN_ROWS for stack in stacks)


def text_weight(text: str) -> float:
    """The number of its letters, an ideograph counted twice; digits and signs do not count."""
    return sum(2.0 if char > _IDEOGRAPHS else 1.0 for char in text if char.isalpha())


def _continues(above: Rect, below: Rect) -> bool:
    height = above.height
    step = below.y0 - above.y0
    return (
        abs(above.x0 - below.x0) < _MAX_INDENT * height
        and _MIN_STEP * height < step < _MAX_STEP * height
        and below.width > _MIN_WIDTH * above.width
    )
