"""How far a reading can be believed. Knows scores and shapes, no language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.ocr import Quad, Reading

LOW_CONFIDENCE = "low_confidence"
UNSUPPORTED_SCRIPT = "unsupported_script"
UNCHECKED_TEXT = "unchecked_text"
"""A PDF's own text that could not be held against the picture."""
BLANK = "blank"

_FEW_CHARACTERS = 0.9
"""Characters per line height of length. Chinese and Japanese have about 1, Latin print 2 and more.
In a script it was not taught the network is silent on most letters: Arabic 0.2, Cyrillic 0.4."""
LEGIBLE = 0.62
"""Below this the page is in a script the recogniser does not know."""
_GOOD_SCORE = 0.85
_SURE_SCORE = 0.9
_SURE_LETTERS = 2
"""Different ones. An empty form's boxes are read as one sign, and surely: □, 口, 日."""
_FEW_LINES = 3
_CASELESS = re.compile(r"[a-z][A-Z]+[a-z]|[a-z]{2}[A-Z]{2}|[A-Z]{2}[a-z][A-Z]")
_MIXED = 0.1  # of the words
_GUESSED = 0.5
_KNOWN = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH")


def density(text: str, quad: Quad) -> float:
    """Characters other than blanks for each line height of the line's length."""
    sides = np.hypot(*(quad[1] - quad[0])), np.hypot(*(quad[3] - quad[0]))
    lengths = max(1.0, float(max(sides)) / max(1.0, float(min(sides))))
    return sum(not letter.isspace() for letter in text) / lengths


def legibility(readings: Sequence[Reading], quads: Sequence[Quad]) -> float:
    """Mean score of lines, less for lines that hold too few characters; weighted by length, 0-1."""
    total = weights = 0.0
    for reading, quad in zip(readings, quads, strict=True):
        weight = float(np.ptp(quad, axis=0).max())
        share = min(1.0, density(reading.line.text, quad) / _FEW_CHARACTERS)
        total += weight * share * reading.line.score
        weights += weight
    if _is_guessed(readings):
        total *= _GUESSED
    return total / weights if weights else 0.0


def _is_guessed(readings: Sequence[Reading]) -> bool:
    """Whether poor readings know no upper and lower case: `arILu`, Hebrew taken for Latin."""
    poor = [reading.line.text for reading in readings if reading.line.score < _GOOD_SCORE]
    words = [word for text in poor for word in text.split() if sum(map(str.isalpha, word)) > 2]
    return sum(bool(_CASELESS.search(word)) for word in words) > _MIXED * len(words)


def confidence(lines: Sequence[Line]) -> float | None:
    """Mean score, weighted by characters."""
    characters = sum(len(line.text) for line in lines)
    if not characters:
        return None
    return sum(line.score * len(line.text) for line in lines) / characters


def is_sure(line: Line) -> bool:
    """Whether it is believed even where no other text was found: specks and rules are no words."""
    letters = {letter for letter in line.text if letter.isalnum()}
    return line.score >= _SURE_SCORE and len(letters) >= _SURE_LETTERS


def believed_characters(lines: Sequence[Line]) -> float:
    """Their number, each counted as much as it is believed."""
    return sum(line.score * len(line.text) for line in lines)


def flags(lines: Sequence[Line], page_legibility: float, *, seen: int) -> list[str]:
    """What a person should know before believing the page on which `seen` lines were found.

    A speck is found on blank pages too; several lines of which none can be read are a script.
    """
    if not lines:
        return [UNSUPPORTED_SCRIPT] if seen >= _FEW_LINES else []
    if page_legibility < LEGIBLE or is_foreign(lines):
        return [UNSUPPORTED_SCRIPT, LOW_CONFIDENCE]
    mean = confidence(lines)
    return [LOW_CONFIDENCE] if mean is not None and mean < _GOOD_SCORE else []


def is_foreign(lines: Sequence[Line]) -> bool:
    """Mostly letters outside Latin, Chinese and Japanese."""
    letters = [letter for line in lines for letter in line.text if letter.isalpha()]
    strange = sum(not unicodedata.name(letter, "").startswith(_KNOWN) for letter in letters)
    return strange > len(letters) / 2
