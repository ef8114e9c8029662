"""Finds ink that lies over the text: stamps, seals, rings of a cup. Separates it from the text.

Such ink has a colour of its own, or strokes much thicker than those of the text around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.quads import Pixels

Mask = NDArray[np.bool_]

_ROW = 24  # pixels of a line's height in the picture that is searched
_MIN_CHROMA = 32  # between a pixel's strongest and weakest channel; compression adds some to black
_THICK = 5  # pixels of that picture: strokes of bold text have 4
_MIN_HEIGHT = 1.7  # of a line's height
_MAX_SHARE = 0.5  # of the page
_MAX_FILL = 0.5  # of its rectangle: more is a picture, or a colour behind the text
_MIN_TEXT_INK = 0.01  # of its rectangle
_MAX_TEXT_INK = 0.35
_MAX_FOUND = 4
_MIN_CONTRAST = 7  # grey levels between the overlay on paper and on black text
_PALE = 90  # grey levels below the paper that the edge of a colour may be
_DARK = 70  # grey levels below the paper
_MIN_BELOW = 0.005  # of an overlay's pixels: fewer are its uneven edge


@dataclass(frozen=True, slots=True)
class Layers:
    """A part of a page as two pictures: what is printed, and what lies over it."""

    text: Pixels
    overlay: Pixels
    mask: Mask
    """The overlay's pixels."""


def find_overlays(image: Pixels, line_height: float) -> list[Rect]:
    """Rectangles of ink that may lie over text, largest first. `line_height` is the page's."""
    scale = min(1.0, _ROW / max(1.0, line_height))
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    row = line_height * scale
    ink = _ink(small)
    coloured = _coloured(small)
    found = [*_large_parts(coloured, ink, row), *_large_parts(_thick(ink, row), ink, row)]
    found.sort(key=lambda rect: -rect.area)
    return [
        Rect(rect.x0 / scale, rect.y0 / scale, rect.x1 / scale, rect.y1 / scale)
        for rect in _distinct(found)[:_MAX_FOUND]
    ]


def separate(part: Pixels, line_height: float) -> Layers:
    """The two layers of a part of the page around an overlay."""
    ink = _ink(part)
    coloured = _coloured(part)
    if coloured.sum() > (_thick(ink, line_height) & ~coloured).sum():
        return _by_colour(part, coloured)
    return _by_thickness(part, ink, line_height)


def _by_colour(part: Pixels, coloured: Mask) -> Layers:
    """Black ink stays dark below a translucent colour: what is darker than the colour is text."""
    paper = _paper(part)
    text, overlay = part.copy(), part.copy()
    text[coloured] = (_print_below(part, coloured)[..., None] * paper)[coloured].astype(np.uint8)
    value, square = part.max(axis=2), np.ones((3, 3), np.uint8)
    edge = (cv2.dilate(coloured.astype(np.uint8), square) > 0) & ~coloured
    text[edge & (value > paper.max() - _PALE)] = paper
    black = cv2.dilate((_ink(part) & ~coloured).astype(np.uint8), square) > 0
    overlay[black & ~coloured] = paper
    overlay[coloured] = np.median(part[coloured], axis=0).astype(np.uint8)
    return Layers(text, overlay, coloured)


def _print_below(part: Pixels, coloured: Mask) -> NDArray[np.float32]:
    """From 0 where black is printed below the colour to 1 where paper is, for each pixel."""
    value = part.max(axis=2).astype(np.float32)
    inner = cv2.erode(coloured.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    usual = float(np.median(value[inner if inner.any() else coloured]))
    darker = value[inner & (value < usual - _MIN_CONTRAST)]
    if len(darker) < _MIN_BELOW * inner.sum():
        return np.ones_like(value)
    dark = float(np.median(darker))
    return np.asarray(np.clip((value - dark) / (usual - dark), 0.0, 1.0), np.float32)


def _by_thickness(part: Pixels, ink: Mask, line_height: float) -> Layers:
    paper = _paper(part)
    thick = _thick(ink, line_height)
    text, overlay = part.copy(), part.copy()
    text[thick] = paper
    overlay[cv2.dilate((ink & ~thick).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = paper
    overlay[thick] = part[thick]
    return Layers(text, overlay, thick)


def _large_parts(mask: Mask, ink: Mask, row: float) -> list[Rect]:
    """Rectangles of connected parts that are taller than lines and have other ink in them."""
    joined = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = []
    for number in range(1, len(stats)):
        x, y, width, height = (int(value) for value in stats[number, :4])
        large = min(width, height) >= _MIN_HEIGHT * row
        if not large or width * height > _MAX_SHARE * mask.size:
            continue
        window = np.s_[y : y + height, x : x + width]
        own = labels[window] == number
        other = (ink[window] & (joined[window] == 0)).mean()
        if own.mean() <= _MAX_FILL and _MIN_TEXT_INK <= other <= _MAX_TEXT_INK:
            found.append(Rect(x, y, x + width, y + height))
    return found


def _distinct(rects: Sequence[Rect]) -> list[Rect]:
    """Rectangles that overlap joined to one."""
    joined: list[Rect] = []
    for rect in rects:
        apart = [other for other in joined if not other.intersection(rect)]
        for other in joined:
            if other.intersection(rect):
                rect = rect.union(other)
        joined = [*apart, rect]
    return joined


def _ink(picture: Pixels) -> Mask:
    """What is darker than the paper."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey < int(_paper(picture).max()) - _DARK, bool)


def _coloured(picture: Pixels) -> Mask:
    red, green, blue = cv2.split(picture)
    chroma = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    paper = _paper(picture)
    return np.asarray(chroma > _MIN_CHROMA + int(paper.max()) - int(paper.min()), bool)


def _thick(ink: Mask, line_height: float) -> Mask:
    """Strokes much thicker than those of text."""
    width = max(3, round(_THICK * line_height / _ROW))
    drawn = ink.astype(np.uint8)
    kernel = np.ones((width, width), np.uint8)
    cores = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.dilate(cores, np.ones((3, 3), np.uint8)) & drawn, bool)


def _paper(picture: Pixels) -> NDArray[np.uint8]:
    """The commonest bright colour."""
    return np.asarray(np.percentile(picture[::4, ::4].reshape(-1, 3), 75, axis=0), np.uint8)
