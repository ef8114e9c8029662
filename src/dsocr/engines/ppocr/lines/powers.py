"""The raised 2 and 3 of square and cubic metres, which recognition takes for digits of the row."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.quads import Pixels

_POWER = re.compile(r"(?<![A-Za-z])[kcmd]?m(?P<power>[23])(?![\w.,]*\w)")
_RAISED = {"2": "\u00b2", "3": "\u00b3"}
_LETTER = 0.4  # of a line's height: lower parts are dots and specks
_SIGN = 0.2
_STEP = 0.2  # of a line's height, from the foot of a raised sign down to the row's
_MIN_LETTERS = 3


def with_powers(image: Pixels, lines: Sequence[Line]) -> list[Line]:
    """The lines; a 2 or 3 after a unit is a power where the picture shows it raised."""
    return [_with_powers(image, line) for line in lines]


def _with_powers(image: Pixels, line: Line) -> Line:
    text = line.text
    if line.turn or len(line.centres) != len(text):
        return line
    for found in _POWER.finditer(line.text):
        place = found.start("power")
        if _is_raised(image, line, line.centres[place]):
            text = text[:place] + _RAISED[found["power"]] + text[place + 1 :]
    return line if text == line.text else line.with_text(text)


def _is_raised(image: Pixels, line: Line, centre: float) -> bool:
    """Whether the sign at this share of the line's width ends clearly above the row's foot."""
    sides = (line.rect.y0, line.rect.y1, line.rect.x0, line.rect.x1)
    y0, y1, x0, x1 = (max(0, round(side)) for side in sides)
    window = image[y0:y1, x0:x1]
    if not window.size:
        return False
    grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    _, _, stats, middles = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    tall, height = stats[1:, cv2.CC_STAT_HEIGHT], y1 - y0
    feet = stats[1:, cv2.CC_STAT_TOP] + tall
    letters = feet[tall >= _LETTER * height]
    signs = np.flatnonzero(tall >= _SIGN * height)
    if len(letters) < _MIN_LETTERS:
        return False
    away = np.abs(middles[1:, 0][signs] - centre * (x1 - x0))
    nearest = signs[away.argmin()]
    return bool(feet[nearest] <= np.median(letters) - _STEP * height)
