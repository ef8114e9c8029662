"""Numbers and Latin words inside lines of another script, as PP-OCR recognizes them.

Tesseract's networks of one language know few Latin letters; the Hebrew one knows no digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.quality import density
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left
from dsocr.engines.ppocr.scripts.tesseract import Reading, Token

_DOUBTFUL = 0.65
"""Below this a word may be of another script."""
_MIN_SCORE = 0.9
_MIN_DENSITY = 1.2  # Latin letters and digits have more
_MARGIN = 0.15  # of a line's height
_STOP_BEFORE = re.compile(r"^\.(\d+(?:[.,:/-]\d+)*)$")
"""A number with the full stop that ends its sentence, which stands left of it in Hebrew."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring words of a line that are read again together."""

    start: int
    stop: int
    rect: Rect


def with_latin_words(
    pixels: Pixels, reading: Reading, ocr: Ocr, poll: Callable[[], None]
) -> Reading:
    """The reading, with doubtful words replaced where PP-OCR recognizes Latin letters or digits."""
    runs = _doubtful_runs(reading.tokens)
    if not runs:
        return reading
    quads = [_quad_of(run.rect, pixels) for run in runs]
    seen = ocr.recognize(pixels, quads, poll=poll)
    tokens = list(reading.tokens)
    right_to_left = is_right_to_left([reading.text])
    for run, line, quad in reversed(list(zip(runs, seen, quads, strict=True))):
        if _is_latin(line, quad):
            text = line.text.strip()
            text = _STOP_BEFORE.sub(r"\1.", text) if right_to_left else text
            tokens[run.start : run.stop] = [Token(text, run.rect, line.score)]
    return Reading(" ".join(token.text for token in tokens), _mean(tokens), tuple(tokens))


def _doubtful_runs(tokens: Sequence[Token]) -> list[_Run]:
    runs = []
    for doubtful, group in groupby(enumerate(tokens), key=lambda pair: _is_doubtful(pair[1])):
        if doubtful:
            members = list(group)
            rect = members[0][1].rect
            for _, token in members[1:]:
                rect = rect.union(token.rect)
            runs.append(_Run(members[0][0], members[-1][0] + 1, rect))
    return runs


def _is_doubtful(token: Token) -> bool:
    has_digit = any(char.isascii() and char.isdigit() for char in token.text)
    return has_digit or (token.score < _DOUBTFUL and len(token.text) > 1)


def _quad_of(rect: Rect, pixels: Pixels) -> Quad:
    height, width = pixels.shape[:2]
    margin = _MARGIN * height
    x0, x1 = max(0.0, rect.x0 - margin), min(float(width), rect.x1 + margin)
    return np.array([[x0, 0], [x1, 0], [x1, height], [x0, height]], np.float32)


def _is_latin(line: Line, quad: Quad) -> bool:
    text = line.text.strip()
    return (
        line.score >= _MIN_SCORE
        and text.isascii()
        and sum(map(str.isalnum, text)) > 1
        and density(text, quad) >= _MIN_DENSITY
    )


def _mean(tokens: Sequence[Token]) -> float:
    weight = sum(len(token.text) for token in tokens)
    return sum(len(token.text) * token.score for token in tokens) / weight if weight else 0.0
