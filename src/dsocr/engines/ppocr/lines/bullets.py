"""Puts the filled discs and squares that begin the items of a list before their lines.

Recognition passes over them when they are small or far from the text, and a PDF may draw them.
Only marks of one size below one another count, each alone at the left of a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.quads import Pixels

Ink = NDArray[np.uint8]
"""(H, W): 1 where something is printed."""

_ROW = 36  # pixels of a line's height in the picture that is searched
_SIDES = (0.15, 0.6)  # of a line's height
_MIN_SIDE = 3  # pixels
_MIN_FILLED = 0.68  # of the square around it; of a disc 0.79
_UNEVEN = 0.2  # of its side
_CONTRAST = 60  # grey levels below the paper
_FREE = 0.12  # of a line's height, around it
_FREE_LEFT = 0.8  # of a line's height
_MIDDLE = (0.33, 0.72)  # of the line's height: a full stop is lower, the dot of an i higher
_MAX_DISTANCE = 3.0  # of the line's height, from the mark to the text
_INSIDE = 0.7  # of the line's height: a mark in the line's box, at its start
_SAME_SIZE = 0.3
_SAME_PLACE = 0.3  # of a line's height
_MIN_LINES = 3
_MAX_STRAYS = 4, 2.0
"""Marks that begin no line, and the same for each that does: more are specks of a scan."""
_MOST_PARTS = 8000
_BULLET = "\u2022"
_MISREAD = re.compile(r"^(?:[\u2022\u00b7\u25cf\u25aa\u25a0.,:;*'\u2013-]+\s*|[oO0]\s+)(?=\S)")
"""What recognition may take a mark for, before the text."""
_LONE = re.compile(r"^[\W_oO0]$")


@dataclass(frozen=True, slots=True)
class _Marked:
    """A mark, and the index of the line that it begins."""

    rect: Rect
    line: int


def with_bullets(image: Pixels, lines: Sequence[Line]) -> list[Line]:
    """The lines; those with a mark at their left begin with a bullet and reach to the mark."""
    level = [line.rect.height for line in lines if line.rect.width > line.rect.height]
    if len(level) < _MIN_LINES:
        return list(lines)
    height = float(np.median(level))
    marks = _marks(image, height)
    found = _of_lists([m for mark in marks if (m := _with_line(mark, lines))])
    if not found or _num_strays(marks, found, lines) > max(
        _MAX_STRAYS[0], _MAX_STRAYS[1] * len(found)
    ):
        return list(lines)
    marked = list(lines)
    for mark in found:
        marked[mark.line] = _with_bullet(lines[mark.line], mark.rect)
    return [line for line in marked if not any(_is_mark(line, mark.rect) for mark in found)]


def _with_bullet(line: Line, mark: Rect) -> Line:
    text = _MISREAD.sub("", line.text) if mark.x1 > line.rect.x0 else line.text
    if text.startswith(_BULLET):
        return line
    left = min(line.rect.x0, mark.x0)
    return replace(line.with_text(f"{_BULLET} {text}"), rect=replace(line.rect, x0=left))


def _is_mark(line: Line, mark: Rect) -> bool:
    """Whether it is nothing but the mark, recognized as a line."""
    middle = (mark.x0 + mark.x1) / 2
    inside = (
        line.rect.x0 <= middle <= line.rect.x1 and line.rect.y0 <= mark.centre_y <= line.rect.y1
    )
    return inside and bool(_LONE.match(line.text.strip()))


def _num_strays(marks: Sequence[Rect], found: Sequence[_Marked], lines: Sequence[Line]) -> int:
    """How many marks begin no line and stand in none."""
    own = {id(mark.rect) for mark in found}
    rest = [mark for mark in marks if id(mark) not in own]
    return sum(not any(mark.intersection(line.rect) for line in lines) for mark in rest)


def _marks(image: Pixels, height: float) -> list[Rect]:
    """Small filled discs and squares that stand alone, in pixels of the page."""
    scale = min(1.0, _ROW / height)
    ink = _ink(image, scale)
    row = height * scale
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count > _MOST_PARTS:
        return []
    width, tall, area = stats[:, 2], stats[:, 3], stats[:, cv2.CC_STAT_AREA]
    side = np.maximum(width, tall)
    fits = (side >= max(_MIN_SIDE, _SIDES[0] * row)) & (side <= _SIDES[1] * row)
    fits &= np.abs(width - tall) <= np.maximum(1, _UNEVEN * side)
    fits &= area >= _MIN_FILLED * width * tall
    rects = [Rect(x, y, x + w, y + h) for x, y, w, h in stats[fits, :4].tolist()]
    return [
        Rect(rect.x0 / scale, rect.y0 / scale, rect.x1 / scale, rect.y1 / scale)
        for rect in rects
        if _stands_free(rect, ink, row)
    ]


def _ink(image: Pixels, scale: float) -> Ink:
    """What is darker than the paper in one colour at least, or lighter than a dark page."""
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    darkest = image.min(axis=2)
    paper = float(np.median(darkest[::4, ::4]))
    if paper < 128:
        return np.asarray(image.max(axis=2) > paper + _CONTRAST, np.uint8)
    return np.asarray(darkest < paper - _CONTRAST, np.uint8)


def _stands_free(rect: Rect, ink: Ink, row: float) -> bool:
    """Whether there is no other ink around it, and none before it."""
    free = max(1, round(_FREE * row))
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    around = ink[max(0, y0 - free) : y1 + free, max(0, x0 - free) : x1 + free]
    before = ink[y0:y1, max(0, round(x0 - _FREE_LEFT * row)) : x0]
    return int(around.sum()) == int(ink[y0:y1, x0:x1].sum()) and not before.any()


def _with_line(mark: Rect, lines: Sequence[Line]) -> _Marked | None:
    """The mark with the line that begins at its right, if one does."""
    beside = [index for index, line in enumerate(lines) if _begins(mark, line)]
    nearest = min(beside, key=lambda index: abs(lines[index].rect.x0 - mark.x1), default=None)
    return None if nearest is None else _Marked(mark, nearest)


def _begins(mark: Rect, line: Line) -> bool:
    rect = line.rect
    if _LONE.match(line.text.strip()) or line.turn or rect.width < rect.height:
        return False
    place = (mark.centre_y - rect.y0) / rect.height
    distance = rect.x0 - mark.x1
    inside = mark.x0 - rect.x0 < _INSIDE * rect.height
    is_near = distance < _MAX_DISTANCE * rect.height and inside
    return is_near and _MIDDLE[0] < place < _MIDDLE[1]


def _of_lists(found: Sequence[_Marked]) -> list[_Marked]:
    """The marks that stand below or above another of their size, before another line."""
    return [mark for mark in found if any(_are_aligned(mark, other) for other in found)]


def _are_aligned(mark: _Marked, other: _Marked) -> bool:
    if mark.line == other.line:
        return False
    sides = sorted((mark.rect.width, other.rect.width))
    near = abs(mark.rect.x0 - other.rect.x0) < max(2.0, _SAME_PLACE * mark.rect.width)
    return near and sides[1] - sides[0] <= max(1.5, _SAME_SIZE * sides[1])
