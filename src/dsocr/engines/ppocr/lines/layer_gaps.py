"""Cuts the text layer's lines where the page shows white between cells: a run may span several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.columns import LayoutItem, rows_of
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left

_MIN_CONTRAST = 40
_RULE = 0.95  # of a line's height: ink that is a rule between cells, no letter
_CELL_GAP = 0.7  # of a line's height
_NARROW_CELL_GAP = 0.4  # where several rows agree
_FEW_BLANKS = 2
_STANDS_OUT = 1.6  # of the line's narrowest gap: in a justified line all are wide
_SAME_GAP = 0.8  # of the gap
_AGREEING = 3
_NEAR = 5  # of a line's height


def cut_at_gaps(lines: Sequence[Line], image: NDArray[np.uint8]) -> list[Line]:
    """Lines cut where the page shows far more white than between words: cells of a table."""
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
        for part in _cut(line, [gap for gap in own if _goes_on(gap, line.rect, inside, between)])
    ]


@dataclass(frozen=True, slots=True)
class _Gap:
    """White from `left` to `right` at the blank that is the line's character number `place`."""

    place: int
    left: float
    right: float

    @property
    def width(self) -> float:
        return self.right - self.left


_Placed = tuple[_Gap, Rect]
"""A gap, and the line to its left or around it."""


def _wide_gaps(line: Line, grey: NDArray[np.uint8]) -> list[_Gap]:
    blanks = [place for place, letter in enumerate(line.text) if letter == " "]
    rect = line.rect
    if not blanks or rect.width < 1.5 * rect.height or is_right_to_left([line.text]):
        return []
    inner = 0.15 * rect.height  # the rules of a table run along a line's edges
    window = grey[int(rect.y0 + inner) : int(rect.y1 - inner), int(rect.x0) : int(rect.x1) + 1]
    if not window.size or int(window.max()) - int(window.min()) < _MIN_CONTRAST:
        return []
    dark = window < (int(window.max()) + int(window.min())) / 2
    if dark.mean() > 0.5:
        dark = ~dark
    printed = np.flatnonzero(dark.any(axis=0) & (dark.mean(axis=0) < _RULE))
    white = [(int(x0), int(x1)) for x0, x1 in zip(printed, printed[1:], strict=False)]
    widest = sorted(white, key=lambda gap: gap[0] - gap[1])[: len(blanks)]
    if len(widest) < len(blanks):
        return []
    left = int(rect.x0)
    usual = min(x1 - x0 for x0, x1 in widest) if len(widest) > _FEW_BLANKS else 0
    return [
        _Gap(place, left + x0, left + x1)
        for place, (x0, x1) in zip(blanks, sorted(widest), strict=True)
        if x1 - x0 > max(_NARROW_CELL_GAP * rect.height, _STANDS_OUT * usual)
    ]


def _gaps_between(lines: Sequence[Line]) -> list[_Placed]:
    """The white between neighbours that the layer itself keeps apart."""
    gaps = []
    for row in rows_of([LayoutItem(line.rect, (line,)) for line in lines]):
        for left, right in zip(row, row[1:], strict=False):
            if right.rect.x0 > left.rect.x1:
                gaps.append((_Gap(0, left.rect.x1, right.rect.x0), left.rect))
    return gaps


def _goes_on(gap: _Gap, rect: Rect, inside: Sequence[_Placed], between: Sequence[_Placed]) -> bool:
    """Whether rows close by have a gap at the same place; one justified line proves nothing."""
    height = rect.height
    if gap.width > _CELL_GAP * height and _rows_with(gap, rect, [*inside, *between], 0.5 * height):
        return True
    # Narrow columns of justified text have such gaps by chance, but no pieces that stand apart.
    return _rows_with(gap, rect, between, _SAME_GAP * gap.width) >= _AGREEING


def _rows_with(gap: _Gap, rect: Rect, others: Sequence[_Placed], shared: float) -> int:
    near = {
        round(other.y0)
        for white, other in others
        if 0.5 * rect.height < abs(other.y0 - rect.y0) < _NEAR * rect.height
        and min(gap.right, white.right) - max(gap.left, white.left) > shared
    }
    return len(near)


def _cut(line: Line, gaps: Sequence[_Gap]) -> list[Line]:
    parts, start, edge = [], 0, line.rect.x0
    for gap in gaps:
        rect = replace(line.rect, x0=edge, x1=gap.left)
        parts.append(replace(line, text=line.text[start : gap.place], rect=rect))
        start, edge = gap.place + 1, gap.right
    return [*parts, replace(line, text=line.text[start:], rect=replace(line.rect, x0=edge))]
