"""Tells pictures from regions that show only words and the rules between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Line, Rect, Region, share_inside
from dsocr.engines.ppocr.networks.quads import Pixels

Mask = NDArray[np.bool_]

_MIN_LINES = 3
_PAPER = 24  # grey levels that a pixel may differ from the paper
_LEVELS = 16
_MIN_SHADE = 0.1  # of the words' area: an even colour behind words is paper too
_MARGIN = 0.25  # of a line's height around it that belongs to its letters: accents, noise
_RULE_WIDTH = 0.35  # of a line's height
_MIN_PICTURE = 0.006  # of the region: tables have 0.003 at most, a scatter plot 0.012
_FRAME = 0.7  # of the page's characters


def without_false_figures(
    regions: Sequence[Region], lines: Sequence[Line], image: Pixels
) -> list[Region]:
    """The regions without figures that show only words: tables and boxes of text."""
    return [
        region
        for region in regions
        if region.label != "figure" or shows_a_picture(region.rect, lines, image)
    ]


def without_frames(regions: Sequence[Region], lines: Sequence[Line]) -> list[Region]:
    """The regions without figures that hold most of the text: a receipt photographed on a table.

    Such a frame is the page itself, and its lines are ordered like those of any other page.
    """
    characters = sum(len(line.text) for line in lines)
    return [
        region
        for region in regions
        if region.label != "figure"
        or not characters
        or _num_characters(region, lines) <= _FRAME * characters
    ]


def _num_characters(region: Region, lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines if share_inside(line.rect, region.rect) > 0.5)


def shows_a_picture(rect: Rect, lines: Sequence[Line], image: Pixels) -> bool:
    """Whether there is ink beside the lines; always true with hardly any lines."""
    inside = [line for line in lines if rect.intersection(line.rect) > 0.5 * line.rect.area]
    if len(inside) < _MIN_LINES:
        return True
    x0, y0, x1, y1 = (int(value) for value in (rect.x0, rect.y0, rect.x1, rect.y1))
    grey = cv2.cvtColor(image[max(0, y0) : y1, max(0, x0) : x1], cv2.COLOR_RGB2GRAY)
    words = _words_mask([line.rect.shifted(-x0, -y0) for line in inside], grey.shape)
    height = float(np.median([line.rect.height for line in inside]))
    ink = ~_paper(grey, words) & ~words
    return bool((ink & ~_rules(ink, height)).mean() > _MIN_PICTURE)


def _words_mask(rects: Sequence[Rect], shape: tuple[int, ...]) -> Mask:
    words = np.zeros(shape, bool)
    for rect in rects:
        margin = _MARGIN * rect.height
        top, left = max(0, int(rect.y0 - margin)), max(0, int(rect.x0 - margin))
        words[top : int(rect.y1 + margin) + 1, left : int(rect.x1 + margin) + 1] = True
    return words


def _paper(grey: NDArray[np.uint8], words: Mask) -> Mask:
    """Pixels of the colours behind the words."""
    behind = np.bincount(grey[words] // (256 // _LEVELS), minlength=_LEVELS) / max(1, words.sum())
    paper = np.zeros(grey.shape, bool)
    for level in np.flatnonzero(behind > _MIN_SHADE):
        middle = (level + 0.5) * 256 / _LEVELS
        paper |= np.abs(grey - middle) < _PAPER
    return paper


def _rules(ink: Mask, height: float) -> Mask:
    """Thin straight strokes."""
    length, width = max(9, int(2 * height)), max(3, int(_RULE_WIDTH * height))
    drawn = ink.astype(np.uint8)
    across = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    down = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    thick = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    thin = cv2.dilate((across | down) & (1 - thick), np.ones((3, 3), np.uint8))
    return np.asarray(thin, bool)
