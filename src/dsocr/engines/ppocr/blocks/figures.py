"""Whether a region is a picture: it shows more than the words in it and the rules between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect, Region

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_MIN_LINES = 3
_PAPER = 24  # how far a pixel's grey may lie from the paper's
_LEVELS = 16
_WIDE_SHADE = 0.1  # of the region: an even colour behind its words is paper too
_AIR = 0.25  # of a line's height that belongs to its letters: accents, noise
_RULE_WIDTH = 0.35  # of a line's height
_PICTURE = 0.006  # of the region: tables measured 0.003 at most, a scatter plot 0.012


def without_false_figures(
    regions: Sequence[Region], lines: Sequence[Line], image: Pixels
) -> list[Region]:
    """The layout model takes tables and boxes of words for figures; what is only words goes."""
    return [
        region
        for region in regions
        if region.label != "figure" or shows_a_picture(region.rect, lines, image)
    ]


def shows_a_picture(rect: Rect, lines: Sequence[Line], image: Pixels) -> bool:
    """Whether there is ink beside the lines; always true where hardly any lines are."""
    inside = [line for line in lines if rect.intersection(line.rect) > 0.5 * line.rect.area]
    if len(inside) < _MIN_LINES:
        return True
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    grey = cv2.cvtColor(image[max(0, y0) : y1, max(0, x0) : x1], cv2.COLOR_RGB2GRAY)
    words = np.zeros(grey.shape, bool)
    for line in inside:
        air = _AIR * line.rect.height
        top, left = max(0, int(line.rect.y0 - air - y0)), max(0, int(line.rect.x0 - air - x0))
        words[top : int(line.rect.y1 + air - y0) + 1, left : int(line.rect.x1 + air - x0) + 1] = 1
    height = float(np.median([line.rect.height for line in inside]))
    ink = ~_paper(grey, words) & ~words
    return bool((ink & ~_rules(ink, height)).mean() > _PICTURE)


def _paper(grey: NDArray[np.uint8], words: Mask) -> Mask:
    """Pixels of the colours that words stand on."""
    behind = np.bincount(grey[words] // (256 // _LEVELS), minlength=_LEVELS) / max(1, words.sum())
    paper = np.zeros(grey.shape, bool)
    for level in np.flatnonzero(behind > _WIDE_SHADE):
        middle = (level + 0.5) * 256 / _LEVELS
        paper |= np.abs(grey - middle) < _PAPER
    return paper


def _rules(ink: Mask, height: float) -> Mask:
    """Thin straight strokes."""
    length, width = max(9, int(2 * height)), max(3, int(_RULE_WIDTH * height))
    drawn = ink.astype(np.uint8)
    across = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    thick = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    thin = cv2.dilate((across | upright) & (1 - thick), np.ones((3, 3), np.uint8))
    return np.asarray(thin, bool)
