"""How a page lies, by the order of its lines: an engine reads a page that lies on its side, and
says where its lines are on the page as it was given."""

from __future__ import annotations

from itertools import pairwise

from dsocr.types import Box, PageResult

_VERTICAL = 1.5
"""A line runs up or down if its box is so many times higher than wide."""
_NEAR = 4.0
"""Lines that follow each other in a column are at most so many times their height apart."""
_FULL_VOTES = 3
"""With fewer pairs of lines the confidence falls."""
_CERTAIN = 20.0
"""OCRmyPDF turns pages from 14 on; Tesseract's own numbers begin there for a page of text."""

_Rect = tuple[float, float, float, float]


def orientation_of(page: PageResult) -> tuple[int, float]:
    """The degrees, 0, 90, 180 or 270, by which the page lies turned to the right, as Tesseract
    counts them, and the confidence: 0 where the lines tell nothing, 20 where all of them agree."""
    rects = [_pixels(line.box, page) for line in page.lines if len(line.text) > 1]
    votes = {0: 0, 90: 0, 180: 0, 270: 0}
    for before, after in pairwise(rects):
        angle = _vote(before, after)
        if angle is not None:
            votes[angle] += 1
    total = sum(votes.values())
    if not total:
        return 0, 0.0
    angle = max(votes, key=lambda each: votes[each])
    agreement = (2 * votes[angle] - total) / total
    return angle, max(0.0, _CERTAIN * agreement * min(1.0, total / _FULL_VOTES))


def _vote(before: _Rect, after: _Rect) -> int | None:
    """The angle that these two lines tell; None where they are not of one column."""
    if _is_vertical(before) != _is_vertical(after):
        return None
    if _is_vertical(before):
        step = after[0] - before[0]
        overlaps = after[1] < before[3] and before[1] < after[3]
        near = abs(step) < _NEAR * (before[2] - before[0])
        return (90 if step < 0 else 270) if overlaps and near and step else None
    step = after[1] - before[1]
    overlaps = after[0] < before[2] and before[0] < after[2]
    near = abs(step) < _NEAR * (before[3] - before[1])
    return (180 if step < 0 else 0) if overlaps and near and step else None


def _is_vertical(rect: _Rect) -> bool:
    return rect[3] - rect[1] > _VERTICAL * (rect[2] - rect[0])


def _pixels(box: Box, page: PageResult) -> _Rect:
    return (
        box.x0 * page.width,
        box.y0 * page.height,
        box.x1 * page.width,
        box.y1 * page.height,
    )
