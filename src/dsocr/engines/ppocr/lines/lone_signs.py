"""Finds single signs that detection passes over: a page number after leaders, a brace, a slash.

Only ink is looked at that stands alone, as tall as a letter or a dash, in the row of a detected
line or between two such rows. What is recognized counts when it is a letter, digit or sign of
ASCII with a high score, or an ideograph among others. A slash is known by its shape, since alone it
is taken for a 1, and a dash must have the shape of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad, rect_around, size_of
from dsocr.engines.ppocr.reading_order.contents import is_page_number
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk

Ink = NDArray[np.uint8]

_ROW = 32  # pixels of a line's height in the picture that is searched
_DOT = 0.2  # of a line's height: specks and leaders are smaller
_TALLEST, _WIDEST = 1.1, 1.8
_BAR = 0.1  # of a line's height: what is narrower is a rule
_DASH = 0.25, 0.9
"""Width of a dash, in heights of a line."""
_LOW = 0.3  # of a line's height: what is lower is a dash or nothing
_FREE = 0.35  # of a line's height, around it
_MARGIN = 0.25  # of a line's height, on each side
_NARROWEST = 0.7
"""Width of an area over its height: a narrower one is recognized as text that runs down."""
_SMALL = 0.5  # of the height of the row's box
_SAME_ROW = 0.35  # of a line's height, between the middles
_NEXT_ROW = 3.2  # of a line's height
_MOST = 24  # on a page; more are noise or a drawing
_MOST_PARTS = 4000
_MIN_LINES = 3
_MIN_SCORE = 0.85
_MIN_PAGE_SCORE = 0.7
"""Of the number of a page, with other short entries right above or below it."""
_ENTRY, _ALIGNED = 3.0, 0.6  # width, and distance of right ends, in heights of a line
_MIN_ENTRIES = 3
_MAX_CHARACTERS = 3
_MIN_SLASH = 8  # pixels
_MIN_BAR = 12  # pixels
_BAR_WIDTH = 0.18  # of its height
_STROKE = 0.5  # of its width: a level stroke, as of 7 and Z, is wider
_LEAN = 0.6  # of its width
_STRAIGHT = 0.98
_SHAPE_SCORE = 0.9
_DASHES = ("-", "\u2010", "\u2013", "\u2014", "\u4e00")
_MIDDLE = 0.35, 0.75  # of its row's height: an underscore is lower
_FRAMES = "\u4e00\u53e3\u65e5\u7530\u56de"
"""Ideographs that dashes and drawn boxes are taken for."""
_ALIKE = set("COPSUVWXZ")
_SIGNS = "{}()[]/-+=$#&%*<>;:?!"


def lone_signs(
    image: Pixels,
    quads: Sequence[Quad],
    taken: Sequence[Rect],
    *,
    has_ideographs: bool,
    ocr: Ocr,
    poll: Callable[[], None],
) -> list[Line]:
    """Lines of one to three characters beside the detected ones; `taken` are check boxes.
    `has_ideographs`: whether the page has any."""
    rects = [rect_around(quad) for quad in quads]
    level = [rect.height for rect, quad in zip(rects, quads, strict=True) if _is_level(quad)]
    if len(level) < _MIN_LINES:
        return []
    height = float(np.median(level))
    scale = min(1.0, _ROW / height)
    ink, is_dark = _ink(image, scale)
    found = _candidates(ink, scale, rects, taken, height)
    if not found or len(found) > _MOST:
        return []
    paper = 255 - image if is_dark else image  # strips are filled up with a lighter grey
    read = ocr.recognize(paper, [_quad_of(area) for area, _ in found], poll=poll)
    sized = zip(read, found, strict=True)
    lines = [_by_shape(line, area, mark, ink, scale) for line, (area, mark) in sized]
    return [
        line
        for line, (_, mark) in zip(lines, found, strict=True)
        if _is_sign(line, has_ideographs=has_ideographs)
        and line.score >= (_MIN_PAGE_SCORE if _is_entry(line, mark, rects, height) else _MIN_SCORE)
    ]


def with_bars(image: Pixels, lines: Sequence[Line]) -> list[Line]:
    """The lines; an upright stroke alone that was taken for a 1 is the bar that it shows."""
    return [
        line.with_text("|") if line.text.strip() == "1" and _is_bar(image, line.rect) else line
        for line in lines
    ]


def _is_bar(image: Pixels, rect: Rect) -> bool:
    """Whether it is one straight stroke: a 1 has a flag or a foot."""
    y0, y1, x0, x1 = (max(0, round(side)) for side in (rect.y0, rect.y1, rect.x0, rect.x1))
    window = image[y0:y1, x0:x1]
    if min(window.shape[:2]) < _MIN_SLASH:
        return False
    ink, _ = _ink(window, 1.0)
    rows = np.flatnonzero(ink.any(axis=1))
    columns = np.flatnonzero(ink.any(axis=0))
    if len(rows) < _MIN_BAR or len(columns) > max(2, _BAR_WIDTH * len(rows)):
        return False
    inner = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    starts, ends = inner.argmax(axis=1), inner[:, ::-1].argmax(axis=1)
    return bool(inner.any(axis=1).all() and max(np.ptp(starts), np.ptp(ends)) <= 1)


def _is_level(quad: Quad) -> bool:
    width, height = size_of(quad)
    return bool(width >= height)


def _is_sign(line: Line, *, has_ideographs: bool) -> bool:
    text = line.text.strip()
    known = all(sign.isascii() and sign.isalnum() or sign in _SIGNS for sign in text)
    if has_ideographs and len(text) == 1:
        known = known or (is_cjk(text) and text.isalnum() and text not in _FRAMES)
    return 0 < len(text) <= _MAX_CHARACTERS and known


def _is_entry(line: Line, mark: Rect, rects: Sequence[Rect], height: float) -> bool:
    """Whether it may be the number of a page in a column of such entries."""
    entries = [
        rect
        for rect in rects
        if rect.width < _ENTRY * height and abs(rect.x1 - mark.x1) < _ALIGNED * height
    ]
    return is_page_number(line.text.strip()) and len(entries) >= _MIN_ENTRIES


def _by_shape(line: Line, area: Rect, mark: Rect, ink: Ink, scale: float) -> Line:
    """The line; a slash, a dash, and letters that only their size tells apart go by their shape."""
    sides = (mark.y0, mark.y1, mark.x0, mark.x1)
    y0, y1, x0, x1 = (round(side * scale) for side in sides)
    window = ink[y0:y1, x0:x1]
    if mark.height < _LOW * area.height:
        middle = (mark.centre_y - area.y0) / area.height
        is_dash = line.text in _DASHES and _MIDDLE[0] < middle < _MIDDLE[1]
        return replace(line, text="-" if is_dash else "", score=_SHAPE_SCORE)
    if _is_slash(window):
        return replace(line, text="/", score=_SHAPE_SCORE)
    is_alike = set(line.text.strip()) <= _ALIKE
    is_small = mark.height < _SMALL * area.height
    return line.with_text(line.text.lower()) if is_small and is_alike else line


def _is_slash(window: Ink) -> bool:
    """Whether it is one thin straight stroke that leans to the right."""
    rows = np.flatnonzero(window.any(axis=1))
    if len(rows) < _MIN_SLASH or window.sum(axis=1).max() > _STROKE * window.shape[1]:
        return False
    centres = np.array([np.flatnonzero(window[row]).mean() for row in rows])
    lean = centres[0] - centres[-1]
    return bool(lean > _LEAN * window.shape[1] and np.corrcoef(rows, centres)[0, 1] < -_STRAIGHT)


def _candidates(
    ink: Ink, scale: float, rects: Sequence[Rect], taken: Sequence[Rect], height: float
) -> list[tuple[Rect, Rect]]:
    """Areas to recognize, each with its mark, in pixels of the page."""
    row = height * scale
    rest = ink.copy()
    for rect in (*rects, *taken):
        y0, y1, x0, x1 = (round(v * scale) for v in (rect.y0, rect.y1, rect.x0, rect.x1))
        rest[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = 0
    found = []
    for mark in _marks(rest, row):
        on_page = Rect(mark.x0 / scale, mark.y0 / scale, mark.x1 / scale, mark.y1 / scale)
        place = _row_of(on_page, rects, height)
        if place is not None and _stands_free(mark, ink, row):
            narrow = (_NARROWEST * (place[1] - place[0]) - on_page.width) / 2
            margin = max(_MARGIN * height, narrow)
            area = Rect(on_page.x0 - margin, place[0], on_page.x1 + margin, place[1])
            found.append((area, on_page))
    return found


def _ink(image: Pixels, scale: float) -> tuple[Ink, bool]:
    """What is printed on the picture at that scale, and whether the page is dark."""
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    is_dark = bool(dark.mean() > 0.5)
    return np.asarray(1 - dark if is_dark else dark, np.uint8), is_dark


def _marks(ink: Ink, row: float) -> list[Rect]:
    """Groups of ink of a letter's or a dash's size, without dots."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count > _MOST_PARTS:
        return []
    is_large = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= _DOT * row
    is_large[0] = False
    near = np.ones((1, max(1, round(_DOT * row))), np.uint8)
    joined = cv2.dilate(is_large[labels].astype(np.uint8), near)
    _, groups, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    half = near.shape[1] // 2
    boxes = stats[1:, :4].tolist()
    rects = [Rect(x + half, y, x + width - half, y + tall) for x, y, width, tall in boxes]
    return [rect for rect in rects if _has_size_of_sign(rect, row)]


def _has_size_of_sign(rect: Rect, row: float) -> bool:
    if rect.height < _LOW * row:
        return _DASH[0] * row <= rect.width <= _DASH[1] * row
    return rect.height <= _TALLEST * row and _BAR * row <= rect.width <= _WIDEST * row


def _row_of(mark: Rect, rects: Sequence[Rect], height: float) -> tuple[float, float] | None:
    """Top and bottom of the row that the mark is in; None where no text suggests one."""
    beside = [r for r in rects if abs(r.centre_y - mark.centre_y) < _SAME_ROW * height]
    if beside:
        nearest = min(beside, key=lambda r: max(r.x0 - mark.x1, mark.x0 - r.x1))
        return nearest.y0, nearest.y1
    below = [r for r in rects if 0 < r.centre_y - mark.centre_y < _NEXT_ROW * height]
    above = [r for r in rects if 0 < mark.centre_y - r.centre_y < _NEXT_ROW * height]
    left = min((r.x0 for r in (*above, *below)), default=0.0)
    if not below or not above or mark.x0 < left - height or mark.height < _LOW * height:
        return None
    margin = max(0.0, (height - mark.height) / 2)
    return mark.y0 - margin, mark.y1 + margin


def _stands_free(mark: Rect, ink: Ink, row: float) -> bool:
    """Whether there is hardly other ink around it: in drawings and rules there is."""
    free = _FREE * row
    x0, y0 = max(0, round(mark.x0 - free)), max(0, round(mark.y0 - free))
    window = ink[y0 : round(mark.y1 + free), x0 : round(mark.x1 + free)]
    inner = ink[round(mark.y0) : round(mark.y1), round(mark.x0) : round(mark.x1)]
    others = int(window.sum()) - int(inner.sum())
    return others <= (_DOT * row) ** 2


def _quad_of(rect: Rect) -> Quad:
    corners = [(rect.x0, rect.y0), (rect.x1, rect.y0), (rect.x1, rect.y1), (rect.x0, rect.y1)]
    return np.array(corners, np.float32)
