"""Finds drawn check boxes and radio buttons by their shape, and whether they are ticked.

A check box is a square frame about as tall as a line, with white around it. A radio button is a
thin ring; the letter O is one too, so a ring counts only beside others of its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import BOX_MARKS, Rect
from dsocr.engines.ppocr.networks.quads import Pixels

Ink = NDArray[np.uint8]
"""(H, W): 1 where something is printed."""

_SIDES = (0.56, 1.9)  # of a line's height
_STROKE = 0.22  # of the side, at most
_UNEVEN = 0.2  # of the side: how far edges may differ
_OBLONG = 0.15  # of the side
_SHORTEST = 0.7  # of the side: an edge between round corners
_BAR = 0.6  # of the side: the strokes of a cross are shorter where they meet
_COVERED = 0.9  # of an edge
_INSET = 0.22  # of the side, from the edge to what is inside
_CORNER = 0.1  # of the side: less is round
_STEM = 0.25  # of the side
_NARROW = 0.9
_BULGE = 0.12  # of the side
_MIDDLE = 0.6  # of the middle half of a side
_TICKED = 0.06  # of the inside
_CLEAR = 0.3, 0.15
"""White to the left and the right of a box, in heights of a line."""
_CLEAR_RING = 0.35, 0.35
"""The same for a ring: more than between the letters of typewriting."""
_ROW = 36  # pixels of a line's height in the picture that is searched
_MAX_AROUND = 0.25  # of the rows beside a box that may have ink: a tick may reach out
_MAX_STROKES = 4000  # strokes of a page: more is a screened picture
_ANGLES = np.linspace(0, 2 * np.pi, 32, endpoint=False)
_RING_SIDES = (0.6, 1.5)  # of a line's height
_RING_STROKE = 0.15  # of its diameter
_SAME_SIZE = 0.12
_NEAR = 0.08  # of a line's height: the edges of a box that slopes reach out so far
_COMB = 0.7  # of a box's side: boxes so near each other are for single letters


@dataclass(frozen=True, slots=True)
class CheckBox:
    """A box or a ring in pixels of the page."""

    rect: Rect
    is_ticked: bool

    @property
    def text(self) -> str:
        return BOX_MARKS[not self.is_ticked]


def find_check_boxes(image: Pixels, line_height: float) -> list[CheckBox]:
    """The page's boxes and rings, top to bottom. `line_height` is that of its text in pixels."""
    scale = min(1.0, _ROW / max(1.0, line_height))
    if scale < 1.0:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    height = line_height * scale
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    ink = np.asarray(dark if dark.mean() < 0.5 else 1 - dark, np.uint8)
    squares = _without_combs(_squares(ink, height))
    squares = [box for box in squares if _stands_free(box, ink, height, _CLEAR)]
    rings = [ring for ring in _rings(ink, height) if _stands_free(ring, ink, height, _CLEAR_RING)]
    boxes = [CheckBox(_scaled(rect, scale), _is_ticked(rect, ink)) for rect in squares]
    boxes += [CheckBox(_scaled(r, scale), _has_dot(r, ink)) for r in _of_one_size(rings)]
    boxes = [box for box in boxes if not (box.is_ticked and _is_oblong(box.rect))]
    return sorted(boxes, key=lambda box: (box.rect.y0, box.rect.x0))


def _is_oblong(rect: Rect) -> bool:
    """Whether it is no square: a letter with a stroke inside."""
    return abs(rect.width - rect.height) > max(1.0, _OBLONG * rect.width)


def _scaled(rect: Rect, scale: float) -> Rect:
    return Rect(rect.x0 / scale, rect.y0 / scale, rect.x1 / scale, rect.y1 / scale)


def _squares(ink: Ink, height: float) -> list[Rect]:
    """Square frames: two level strokes of one length, upright strokes at their ends."""
    least, most = (side * height for side in _SIDES)
    level = _level_strokes(ink, least, most)  # (N, 4): x0, y0, x1, y1
    thicker = cv2.dilate(ink, np.ones((3, 1), np.uint8))  # unbroken if they slope by a degree
    sloping = _level_strokes(np.asarray(thicker, np.uint8), least, most) + (0, 1, 0, -1)
    strokes = np.concatenate([level, sloping])
    found: list[Rect] = []
    letters: list[Rect] = []
    for x0, y0, x1, _ in strokes:
        width = x1 - x0
        sides = strokes[:, 3] - y0
        uneven = np.abs(np.stack([strokes[:, 0] - x0, strokes[:, 2] - x1, sides - width]))
        fits = (uneven.max(axis=0) <= max(2.0, _UNEVEN * width)) & (sides >= least)
        for left, _, right, bottom in strokes[fits]:
            rect = Rect(float(max(x0, left)), float(y0), float(min(x1, right)), float(bottom))
            if any(rect.intersection(other) for other in (*found, *letters)):
                continue
            if _has_bars(rect, level):
                continue
            if _has_upright_edges(rect, ink) and _has_corners(rect, ink):
                (letters if _is_letter(rect, ink) else found).append(rect)
    return found


def _level_strokes(ink: Ink, least: float, most: float) -> NDArray[np.int32]:
    """Sides (N, 4) of thin level strokes as long as a box is wide, top to bottom."""
    shortest = _SHORTEST * least
    # An even length would move what is opened by a pixel, and an edge would look like a tick.
    kernel = np.ones((1, max(5, round(shortest) | 1)), np.uint8)
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel)
    count, _, stats, _ = cv2.connectedComponentsWithStats(level, connectivity=8)
    if count > _MAX_STROKES:
        return np.empty((0, 4), np.int32)
    x, y, width, thick = stats[1:, :4].T
    fits = (width >= shortest) & (width <= most) & (thick <= np.maximum(4.0, _STROKE * width))
    strokes = np.stack([x, y, x + width, y + thick], axis=1)[fits]
    return np.asarray(strokes[np.argsort(strokes[:, 1], kind="stable")], np.int32)


def _has_bars(rect: Rect, strokes: NDArray[np.int32]) -> bool:
    """Whether a level stroke runs through it, as in Chinese characters with a frame."""
    margin = _UNEVEN * rect.height
    inside = (strokes[:, 1] > rect.y0 + margin) & (strokes[:, 3] < rect.y1 - margin)
    inside &= (strokes[:, 0] > rect.x0 - 2) & (strokes[:, 2] < rect.x1 + 2)
    inside &= strokes[:, 2] - strokes[:, 0] > _BAR * rect.width
    return bool(inside.any())


def _is_letter(rect: Rect, ink: Ink) -> bool:
    """Whether it is the bowl of a letter: an edge goes on below or above, or sides are round:
    two of a square frame, one of a narrow one."""
    round_sides = sum(map(_bulges, _bands_outside(rect, ink)))
    enough = 1 if rect.width < _NARROW * rect.height else 2
    return _has_stem(rect, ink) or round_sides >= enough


def _has_stem(rect: Rect, ink: Ink) -> bool:
    """Whether an upright edge goes straight on beyond a corner, as in b, d, p and q."""
    reach, length = max(2, round(_CORNER * rect.width)), max(4, round(_STEM * rect.height))
    y0, y1 = int(rect.y0), int(rect.y1)
    for x in (int(rect.x0), int(rect.x1) - 1):
        columns = slice(max(0, x - reach), x + reach + 1)
        for beyond in (ink[max(0, y0 - length) : y0, columns], ink[y1 : y1 + length, columns]):
            if len(beyond) == length and beyond.mean(axis=0).max(initial=0) == 1:
                return True
    return False


def _bands_outside(rect: Rect, ink: Ink) -> list[Ink]:
    """Along each side, whether there is ink just outside of it."""
    reach = max(2, round(_BULGE * rect.width))
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    above, below = ink[max(0, y0 - reach) : y0, x0:x1], ink[y1 : y1 + reach, x0:x1]
    left, right = ink[y0:y1, max(0, x0 - reach) : x0], ink[y0:y1, x1 : x1 + reach]
    bands = [side.max(axis=0, initial=0) for side in (above, below)]
    return [*bands, *(side.max(axis=1, initial=0) for side in (left, right))]


def _bulges(band: Ink) -> bool:
    """Whether there is ink outside the middle of a side, and none outside its ends."""
    quarter = len(band) // 4
    middle = band[quarter : len(band) - quarter]
    return bool(middle.size and middle.mean() > _MIDDLE and not band[0] and not band[-1])


def _has_upright_edges(rect: Rect, ink: Ink) -> bool:
    reach = max(2, round(_UNEVEN * rect.width))
    inset = _CORNER * rect.height
    rows = slice(int(rect.y0 + inset), int(rect.y1 - inset) + 1)
    for x in (int(rect.x0), int(rect.x1) - 1):
        edge = ink[rows, max(0, x - reach) : x + reach + 1]
        edge = cv2.dilate(edge, np.ones((1, 3), np.uint8)) if edge.size else edge
        if not edge.size or edge.mean(axis=0).max() < _COVERED:
            return False
    return True


def _has_corners(rect: Rect, ink: Ink) -> bool:
    """Whether its corners are inked, as those of round letters are not."""
    reach = max(2, round(_CORNER * rect.width))
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    corners = ((y0, x0), (y0, x1 - reach), (y1 - reach, x0), (y1 - reach, x1 - reach))
    return all(ink[max(0, y) : y + reach, max(0, x) : x + reach].any() for y, x in corners)


def _stands_free(rect: Rect, ink: Ink, height: float, clear: tuple[float, float]) -> bool:
    """Whether there is white beside it, and no more than a tick's end above and below."""
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    near = max(2, round(_NEAR * height))
    left = ink[y0:y1, max(0, round(x0 - clear[0] * height)) : max(0, x0 - near)]
    right = ink[y0:y1, x1 + near : round(x1 + clear[1] * height) + near]
    above = ink[max(0, y0 - 2 * near) : max(0, y0 - near), x0:x1]
    below = ink[y1 + near : y1 + 2 * near, x0:x1]
    beside = [side.any(axis=1).mean() for side in (left, right) if side.size]
    beside += [side.any(axis=0).mean() for side in (above, below) if side.size]
    return max(beside, default=0.0) <= _MAX_AROUND


def _is_ticked(rect: Rect, ink: Ink) -> bool:
    inset = _INSET * rect.width
    inside = ink[
        int(rect.y0 + inset) : int(rect.y1 - inset) + 1,
        int(rect.x0 + inset) : int(rect.x1 - inset) + 1,
    ]
    return bool(inside.size and inside.mean() > _TICKED)


def _without_combs(rects: Sequence[Rect]) -> list[Rect]:
    """Without boxes in a row for one letter each."""
    return [rect for rect in rects if not any(_is_next(rect, other) for other in rects)]


def _is_next(rect: Rect, other: Rect) -> bool:
    if rect is other or min(rect.y1, other.y1) - max(rect.y0, other.y0) < 0.5 * rect.height:
        return False
    return max(rect.x0, other.x0) - min(rect.x1, other.x1) < _COMB * rect.width


def _rings(ink: Ink, height: float) -> list[Rect]:
    least, most = (side * height for side in _RING_SIDES)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    rings = []
    for x, y, width, tall, area in stats[1:, :5].tolist():
        round_enough = abs(width - tall) <= max(1.0, 0.08 * width)
        if least <= width <= most and round_enough and area < 0.6 * width * tall:
            rect = Rect(x, y, x + width, y + tall)
            if _is_ring(rect, ink):
                rings.append(rect)
    return rings


def _is_ring(rect: Rect, ink: Ink) -> bool:
    """Whether ink lies all along a thin circle, and none just inside it."""
    radius = rect.width / 2
    edge = np.max([_on_circle(rect, ink, radius - step) for step in (0.5, 1.0, 1.5, 2.0)], axis=0)
    inner = _on_circle(rect, ink, radius * (1 - 2 * _RING_STROKE) - 1)
    return bool(edge.mean() > 0.97 and inner.mean() < 0.05)


def _on_circle(rect: Rect, ink: Ink, radius: float) -> NDArray[np.uint8]:
    x = (rect.x0 + rect.x1 - 1) / 2 + radius * np.cos(_ANGLES)
    y = (rect.y0 + rect.y1 - 1) / 2 + radius * np.sin(_ANGLES)
    return np.asarray(ink[y.round().astype(int), x.round().astype(int)], np.uint8)


def _has_dot(rect: Rect, ink: Ink) -> bool:
    quarter = rect.width / 4
    inside = ink[
        int(rect.y0 + 1.4 * quarter) : int(rect.y1 - 1.4 * quarter) + 1,
        int(rect.x0 + 1.4 * quarter) : int(rect.x1 - 1.4 * quarter) + 1,
    ]
    return bool(inside.size and inside.mean() > 0.5)


def _of_one_size(rings: Sequence[Rect]) -> list[Rect]:
    """Rings that stand in a row or a column with another of their size."""
    return [ring for ring in rings if any(_are_aligned(ring, other) for other in rings)]


def _are_aligned(ring: Rect, other: Rect) -> bool:
    if ring is other or abs(ring.width - other.width) > max(1.0, _SAME_SIZE * ring.width):
        return False
    same_row = abs(ring.centre_y - other.centre_y) < 0.3 * ring.height
    same_column = abs(ring.x0 - other.x0) < 0.3 * ring.width
    return same_row or same_column
