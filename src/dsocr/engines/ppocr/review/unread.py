"""Ink that looks like lines of text and that no line or figure covers: text that was not read."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.quads import Pixels

UNREAD_TEXT = "unread_text"
"""Flag: parts of the page look like text, and are not in the result."""

_HEIGHT = 12
"""Pixels; lines of the searched picture are about as tall."""
_CONTRAST = 24  # grey levels below the surroundings
_AROUND = 0.3  # of a line's height: accents and underlines belong to the line
_GAP = 0.9  # of a line's height, between words of one strip
_HEIGHTS = (0.45, 1.7)  # of a usual line
_MIN_ASPECT = 4.0
_FILL = (0.1, 0.6)  # of a strip: rules and pictures have more, dust has less
_MIN_LETTERS = 5
_MIN_LENGTH = 6.0  # of all strips, in heights of a line


def has_unread_text(image: Pixels, lines: Sequence[Line], figures: Sequence[Rect]) -> bool:
    """Whether strips of ink outside the lines and figures look like text.

    The usual height of a line is that of the page's lines, so a page without any has no such strip.
    """
    heights = [line.height for line in lines if not line.turn and line.rect.width > line.height]
    if not heights:
        return False
    scale = min(1.0, _HEIGHT / max(1.0, median(heights)))
    height = median(heights) * scale
    ink = _ink(image, scale)
    for rect in [_grown(line.rect) for line in lines] + list(figures):
        ink[_window(rect, scale)] = 0
    return _length(ink, height) >= _MIN_LENGTH * height


def shrunk(grey: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """(H, W) grey levels at that scale; a strip keeps a pixel."""
    height, width = grey.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: NDArray[np.uint8] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small


def _ink(image: Pixels, scale: float) -> NDArray[np.uint8]:
    """(H, W): 1 where the shrunk picture is darker than its surroundings."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = shrunk(grey, scale)
    around = cv2.blur(small, (4 * _HEIGHT + 1, 4 * _HEIGHT + 1))
    dark: NDArray[np.uint8] = (cv2.subtract(around, small) > _CONTRAST).astype(np.uint8)
    return dark


def _length(ink: NDArray[np.uint8], height: float) -> float:
    """The length of all strips that look like text, in pixels."""
    joined = cv2.dilate(ink, np.ones((1, max(1, round(_GAP * height))), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    return float(
        sum(
            width
            for x, y, width, tall, _ in stats[1:].tolist()
            if _is_text(ink[y : y + tall, x : x + width], height)
        )
    )


def _is_text(strip: NDArray[np.uint8], height: float) -> bool:
    tall, width = strip.shape
    low, high = _HEIGHTS
    if not low * height <= tall <= high * height or width < _MIN_ASPECT * tall:
        return False
    columns = strip.any(axis=0)
    letters = int((np.diff(columns.astype(np.int8)) == 1).sum())
    return _FILL[0] <= strip.mean() <= _FILL[1] and letters >= _MIN_LETTERS


def _grown(rect: Rect) -> Rect:
    margin = _AROUND * min(rect.width, rect.height)
    return Rect(rect.x0 - margin, rect.y0 - margin, rect.x1 + margin, rect.y1 + margin)


def _window(rect: Rect, scale: float) -> tuple[slice, slice]:
    x0, y0 = max(0, int(rect.x0 * scale)), max(0, int(rect.y0 * scale))
    return slice(y0, max(0, int(rect.y1 * scale) + 1)), slice(x0, max(0, int(rect.x1 * scale) + 1))
