"""Splits lines of the text layer at wide white gaps of the picture: one may span several cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left

_MIN_CONTRAST = 40
_EDGE = 0.15  # of a line's height: the rules of a table run along a line's edges
_RULE = 0.95  # of a line's height: ink that is a rule between cells, no letter
_CELL_GAP = 0.7  # of a line's height
_NARROW_CELL_GAP = 0.4  # where several rows agree
_FEW_BLANKS = 2
_STANDS_OUT = 1.6  # of the line's narrowest gap: in a justified line all are wide
_SAME_GAP = 0.8  # of the gap
_AGREEING = 3
_NEAR = 5  # of a line's height


def split_at_gaps(lines: Sequence[Line], image: NDArray[np.uint8]) -> list[Line]:
    """The lines, split where the page shows far more white than between words: table cells."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gaps = [_wide_gaps(line, grey) for line in lines]
    inside = [
        (gap, line.rect)
        for line, own in zip(lines, gaps, strict=True)
        for gap in own
        if gap.width > _CELL_GAP * line.rect.height
    ]
    between = _gaps_between(lines)
    return [
        part
        for line, own in zip(lines, gaps, strict=True)
        for part in _split(
            line, [gap for gap in own if _continues(gap, line.rect, inside, between)]
        )
    ]


@dataclass(frozen=True, slots=True)
class _Gap:
    """White from `left` to `right` at the blank that is the line's character number `index`."""

    index: int
    left: float
    right: float

    @property
    def width(self) -> float:
        return self.right - self.left


_GapOfLine = tuple[_Gap, Rect]
"""A gap, and the line to its left or around it."""


def _wide_gaps(line: Line, grey: NDArray[np.uint8]) -> list[_Gap]:
    """The blanks of a line that are wide in the picture."""
    blanks = [index for index, letter in enumerate(line.text) if letter == " "]
    rect = line.rect
    if not blanks or rect.width < 1.5 * rect.height or is_right_to_left([line.text]):
        return []
    white = _white_columns(rect, grey)
    widest = sorted(white, key=lambda gap: gap[0] - gap[1])[: len(blanks)]
    if len(widest) < len(blanks):
        return []
    left = int(rect.x0)
    usual = min(x1 - x0 for x0, x1 in widest) if len(widest) > _FEW_BLANKS else 0
    return [
        _Gap(index, left + x0, left + x1)
        for index, (x0, x1) in zip(blanks, sorted(widest), strict=True)
        if x1 - x0 > max(_NARROW_CELL_GAP * rect.height, _STANDS_OUT * usual)
    ]


def _white_columns(rect: Rect, grey: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Neighbouring columns of ink in a line, from its left edge; white between them if apart."""
    edge = _EDGE * rect.height
    window = grey[int(rect.y0 + edge) : int(rect.y1 - edge), int(rect.x0) : int(rect.x1) + 1]
    if not window.size or int(window.max()) - int(window.min()) < _MIN_CONTRAST:
        return []
    dark = window < (int(window.max()) + int(window.min())) / 2
    if dark.mean() > 0.5:
        dark = ~dark
    inked = np.flatnonzero(dark.any(axis=0) & (dark.mean(axis=0) < _RULE))
    return [(int(x0), int(x1)) for x0, x1 in pairwise(inked)]


def _gaps_between(lines: Sequence[Line]) -> list[_GapOfLine]:
    """The white between neighbours that are separate lines in the layer."""
    return [
        (_Gap(0, left.rect.x1, right.rect.x0), left.rect)
        for row in line_rows(lines)
        for left, right in pairwise(row)
        if right.rect.x0 > left.rect.x1
    ]


def _continues(
    gap: _Gap, rect: Rect, inside: Sequence[_GapOfLine], between: Sequence[_GapOfLine]
) -> bool:
    """Whether rows close by have a gap at the same place; one justified line proves nothing."""
    height = rect.height
    if gap.width > _CELL_GAP * height and _rows_with(gap, rect, [*inside, *between], 0.5 * height):
        return True
    # Narrow columns of justified text have such gaps by chance, but no lines that stand apart.
    return _rows_with(gap, rect, between, _SAME_GAP * gap.width) >= _AGREEING


def _rows_with(gap: _Gap, rect: Rect, others: Sequence[_GapOfLine], shared: float) -> int:
    """The number of rows close by with a gap that shares more than so many pixels of this one."""
    near = {
        round(other.y0)
        for white, other in others
        if 0.5 * rect.height < abs(other.y0 - rect.y0) < _NEAR * rect.height
        and min(gap.right, white.right) - max(gap.left, white.left) > shared
    }
    return len(near)


def _split(line: Line, gaps: Sequence[_Gap]) -> list[Line]:
    parts, start, edge = [], 0, line.rect.x0
    for gap in gaps:
        parts.append(line.part(line.text[start : gap.index], x0=edge, x1=gap.left))
        start, edge = gap.index + 1, gap.right
    return [*parts, line.part(line.text[start:], x0=edge, x1=line.rect.x1)]
