"""How reliable recognized lines are, from their scores and shapes. Knows no language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from dsocr.engines.ppocr.geometry import Line, mean_score
from dsocr.engines.ppocr.networks.quads import Quad, size_of

LOW_CONFIDENCE = "low_confidence"
UNSUPPORTED_SCRIPT = "unsupported_script"
UNCHECKED_TEXT = "unchecked_text"
"""The text layer is used, and could not be compared with the picture."""
BLANK = "blank"

LEGIBLE = 0.62
"""Below this legibility the page is in a script that the recognizer does not know."""
_LEADERS_ASPECT = 12.0  # width over height
_MIN_LEADERS = 0.4  # dots for each height of length
_DOTS = re.compile(r"[\s.\u00b7\u2026]+")
_USUAL_DENSITY = 0.9
"""Characters per line height of length. Chinese and Japanese have about 1, Latin print 2 and more.
In an unknown script the network skips most letters: Arabic has 0.2, Cyrillic 0.4."""
_GOOD_SCORE = 0.85
_MIN_MEAN = 0.9
"""Clean print has 0.95 and more; at 0.87 every other word of a coarse fax is wrong."""
_CERTAIN_SCORE = 0.9
_CERTAIN_LETTERS = 2
"""Different ones. An empty form's boxes are recognized as one sign with high scores: □, 口, 日."""
_MIN_UNREAD_LINES = 3
_MIN_UNREAD_HEIGHT = 10  # pixels: less is a rule
_UNREAD_LENGTH = 4.0  # heights of the line
_MIXED_CASE = re.compile(r"[a-z][A-Z]+[a-z]|[a-z]{2}[A-Z]{2}|[A-Z]{2}[a-z][A-Z]")
_MAX_MIXED_CASE = 0.1  # of the words
_MIXED_CASE_FACTOR = 0.5
_KNOWN = ("LATIN", "CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH")


def density(text: str, quad: Quad) -> float:
    """Characters other than blanks for each line height of the line's length."""
    sides = size_of(quad)
    aspect = max(1.0, max(sides) / max(1.0, min(sides)))
    return sum(not letter.isspace() for letter in text) / aspect


def legibility(lines: Sequence[Line], quads: Sequence[Quad]) -> float:
    """Mean score weighted by length, 0-1; lines with too few characters for their length lower it.

    `quads` are those that the lines were recognized in.
    """
    total = weights = 0.0
    for line, quad in zip(lines, quads, strict=True):
        if is_leaders(line, quad):
            continue
        weight = float(np.ptp(quad, axis=0).max())
        share = 1.0 if line.language else min(1.0, density(line.text, quad) / _USUAL_DENSITY)
        total += weight * share * line.score
        weights += weight
    if _has_mixed_case(lines):
        total *= _MIXED_CASE_FACTOR
    return total / weights if weights else 0.0


def is_leaders(line: Line, quad: Quad) -> bool:
    """Whether it is a long row of dots, which belongs to no script. Of a line in an unknown script
    the network reads a dot or two."""
    width, height = size_of(quad)
    if width <= _LEADERS_ASPECT * height or not _DOTS.fullmatch(line.text):
        return False
    return len("".join(line.text.split())) >= _MIN_LEADERS * width / height


def _has_mixed_case(lines: Sequence[Line]) -> bool:
    """Whether lines of low score mix upper and lower case in words, as Hebrew taken for Latin."""
    poor = [line.text for line in lines if line.score < _GOOD_SCORE]
    words = [word for text in poor for word in text.split() if sum(map(str.isalpha, word)) > 2]
    return sum(bool(_MIXED_CASE.search(word)) for word in words) > _MAX_MIXED_CASE * len(words)


def is_certain(line: Line) -> bool:
    """Whether it holds words even on a page without other text, where specks and rules do not."""
    letters = {letter for letter in line.text if letter.isalnum()}
    return line.score >= _CERTAIN_SCORE and len(letters) >= _CERTAIN_LETTERS


def expected_characters(lines: Sequence[Line]) -> float:
    """The expected number of correct characters: each counts with its line's score."""
    return sum(line.score * len(line.text) for line in lines)


def quality_flags(
    lines: Sequence[Line], page_legibility: float, *, detected: Sequence[Quad]
) -> list[str]:
    """The page's flags about its text, which was detected in these quads.

    A speck is detected on blank pages too; several lines without any text, or one that is as long
    as a few words, are an unknown script.
    """
    if not lines:
        unread = len(detected) >= _MIN_UNREAD_LINES or any(map(_is_long, detected))
        return [UNSUPPORTED_SCRIPT] if unread else []
    if page_legibility < LEGIBLE or is_foreign(lines):
        return [UNSUPPORTED_SCRIPT, LOW_CONFIDENCE]
    mean = mean_score(lines)
    return [LOW_CONFIDENCE] if mean is not None and mean < _MIN_MEAN else []


def _is_long(quad: Quad) -> bool:
    width, height = size_of(quad)
    return bool(height >= _MIN_UNREAD_HEIGHT and width >= _UNREAD_LENGTH * height)


def is_foreign(lines: Sequence[Line]) -> bool:
    """Whether most letters are outside Latin, Chinese and Japanese, and no network knows them."""
    unknown = [line for line in lines if not line.language]
    letters = [letter for line in lines for letter in line.text if letter.isalpha()]
    foreign = sum(
        not unicodedata.name(letter, "").startswith(_KNOWN)
        for line in unknown
        for letter in line.text
        if letter.isalpha()
    )
    return foreign > len(letters) / 2
