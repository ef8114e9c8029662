"""The pages' pictures with what is redacted covered, encoded again without any metadata.

A line has the box of the whole line. Its words are separated by the white gaps between them; where
their number and widths do not agree with the text, the whole line is covered.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from dsocr.exports import Assets
from dsocr.exports.layout.words import text_width, visual_order
from dsocr.exports.redaction.pages import Covered
from dsocr.types import PageImage, SourcePage, TextLine

JPEG_QUALITY = 90
_INK = 40
"""Difference from the background, of 255, from which on a pixel is ink."""
_VERTICAL = 1.5
_MAX_SIDE = 0.03
"""Of the page's height: a box is widened by a part of its shorter side, up to this."""
_CLEARER = 1.3
"""How many times wider a gap between words is than one inside them."""
_WIDTHS = (0.55, 1.8)
"""How far the width of a word may be from what is typical for its letters."""
_LIKE, _MIN_BETTER = 0.05, 0.05
"""Logarithms of ratios of widths: of words that are as wide, and how much better the text has to
fit the picture than the same text upside down."""
Pixels = tuple[int, int, int, int]


class RedactedAssets:
    """`Assets` without the source file: only covered pictures leave it."""

    def __init__(self, assets: Assets, places: Mapping[int, list[Covered]]) -> None:
        """`places` by the index of the page."""
        self._assets = assets
        self._places = places

    def page_image(self, index: int) -> bytes:
        page = self.page_pixels(index)
        out = io.BytesIO()
        dpi = {"dpi": (page.dpi, page.dpi)} if page.dpi else {}
        page.image.save(out, "JPEG", quality=JPEG_QUALITY, **dpi)
        return out.getvalue()

    def page_pixels(self, index: int) -> PageImage:
        page = self._assets.page_pixels(index)
        image = Image.frombytes("RGB", (page.width, page.height), page.image.tobytes())
        grey = np.asarray(image.convert("L")).astype(np.int16)
        draw = ImageDraw.Draw(image)
        for place in self._places.get(index, ()):
            for box in boxes_of(place, grey):
                draw.rectangle(box, fill="black")
        return PageImage(index, image, page.width, page.height, dpi=page.dpi)

    def source_page(self, index: int) -> SourcePage | None:
        return None


def boxes_of(place: Covered, grey: np.ndarray) -> list[Pixels]:
    """In pixels, last ones included."""
    height, width = grey.shape
    box = place.box
    left, right = box.x0 * width, box.x1 * width
    top, bottom = box.y0 * height, box.y1 * height
    across, up = right - left, bottom - top
    side = min(across, up, _MAX_SIDE * height)
    padded = (left - side / 3, top - side / 5, right + side / 3, bottom + side / 5)
    whole = _clipped(padded, width, height)
    if place.line is None or up > _VERTICAL * across:
        return [whole]
    words = _word_edges(grey[int(top) : int(bottom) + 1, int(left) : int(right) + 1], place.line)
    if words is None:
        return [whole]
    edges = [whole[0], *(int(left) + edge for edge in words[0]), whole[2]]
    columns = [words[1].index(number) for number in _covered_words(place)]
    return [(edges[column], whole[1], edges[column + 1], whole[3]) for column in columns]


def _clipped(sides: tuple[float, float, float, float], width: int, height: int) -> Pixels:
    left, top, right, bottom = sides
    return (
        max(0, int(left) - 1),
        max(0, int(top) - 1),
        min(width - 1, int(right) + 2),
        min(height - 1, int(bottom) + 2),
    )


def _covered_words(place: Covered) -> list[int]:
    """Numbers of the words of the line that a covered part is in."""
    assert place.line is not None
    found: list[int] = []
    at = 0
    for number, word in enumerate(place.line.text.split()):
        start = place.line.text.index(word, at)
        at = start + len(word)
        if any(one < at and end > start for one, end in place.spans):
            found.append(number)
    return found


def _word_edges(strip: np.ndarray, line: TextLine) -> tuple[list[int], list[int]] | None:
    """Columns in the middle of the gaps between the words, and the words' numbers from left to
    right; None where the ink does not agree with the text."""
    words = line.text.split()
    if len(words) < 2 or strip.size == 0:
        return None
    order = list(range(len(words))) if line.text.isascii() else visual_order(words)
    ink = np.abs(strip - np.median(strip)) > _INK
    columns = np.flatnonzero(ink.any(axis=0))
    if columns.size < len(words):
        return None
    gaps = np.diff(columns)
    ranked = np.argsort(gaps, kind="stable")[::-1]
    chosen = np.sort(ranked[: len(words) - 1])
    inside = gaps[ranked[len(words) - 1]] if gaps.size >= len(words) else 1
    if gaps[chosen].min() < max(2, _CLEARER * inside):
        return None
    starts = columns[np.concatenate(([0], chosen + 1))]
    ends = columns[np.concatenate((chosen, [columns.size - 1]))] + 1
    if not _agree(np.array([text_width(words[number]) for number in order]), ends - starts):
        return None
    return [int((end + start) // 2) for end, start in zip(ends, starts[1:], strict=False)], order


def _agree(typical: np.ndarray, widths: np.ndarray) -> bool:
    """Whether the words have their typical widths, and not those of a line that is upside down."""
    ratios = _ratios(typical, widths)
    if not np.all((ratios > _WIDTHS[0]) & (ratios < _WIDTHS[1])):
        return False
    turned = typical[::-1]
    if np.all(np.abs(np.log(turned / typical)) < _LIKE):
        return True  # turned, it would look the same
    return _misfit(typical, widths) + _MIN_BETTER < _misfit(turned, widths)


def _misfit(typical: np.ndarray, widths: np.ndarray) -> float:
    ratios = _ratios(typical, widths)
    return float(np.abs(np.log(ratios)).mean()) if ratios.size else 0.0


def _ratios(typical: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Of the widths to the typical ones; a point or an i is too short to be compared."""
    found: np.ndarray = widths / typical * (typical.sum() / widths.sum())
    return found[typical > 1]
