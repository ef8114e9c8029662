"""The words of a line, and what recognition says about each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from dsocr.engines.ppocr.geometry import Characters, Line

_IDEOGRAPH = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[^\s{_IDEOGRAPH}]+")
_CASES = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_MIXED = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_INNER_SIGN = re.compile(r"[^\W\d_][^\w\s.'\u2019\-/@&:_][^\W\d_]")


class WordSigns(NamedTuple):
    """What is known about a word."""

    start: int
    end: int
    """Its place in the text of its line."""
    lowest: float
    """The lowest probability of its characters."""
    mean: float
    gap: float
    """The lowest probability of the steps inside it, where a character may be lost."""
    odd: bool
    """Whether its characters seldom stand in one word, in any language: "lnvOice", "t0tal"."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each word; each ideograph and kana is a word."""
    return [match.span() for match in _WORD.finditer(text)]


def words_of(line: Line) -> list[WordSigns]:
    """The words of a recognized line, from left to right; none where it was not recognized.

    `start` and `end` count in the text without blanks around it.
    """
    text = line.text.strip()
    if line.from_layer or line.characters is None:
        return []
    chances, gaps = _aligned(line.characters, text, line.score)
    return [_signs(text, span, chances, gaps) for span in word_spans(text)]


def _signs(
    text: str, span: tuple[int, int], chances: Sequence[float], gaps: Sequence[float]
) -> WordSigns:
    start, end = span
    own = chances[start:end]
    inside = gaps[start : max(start + 1, end - 1)]
    mean = sum(own) / len(own)
    return WordSigns(start, end, min(own), mean, min(inside), is_odd(text[start:end]))


def is_odd(word: str) -> bool:
    """Whether cases, digits or signs are mixed inside a word of letters."""
    if _CASES.search(word) or _INNER_SIGN.search(word):
        return True
    letters, digits = sum(map(str.isalpha, word)), sum(map(str.isdigit, word))
    return letters > digits > 0 and bool(_MIXED.search(word)) and any(map(str.islower, word))


def _aligned(characters: Characters, text: str, score: float) -> tuple[list[float], list[float]]:
    """The probabilities of the text's characters; the line's score for those put in later."""
    chances, gaps = [score] * len(text), [score] * len(text)
    for block in Levenshtein.opcodes(characters.text, text).as_matching_blocks():
        for step in range(block.size):
            chances[block.b + step] = characters.chances[block.a + step]
            gaps[block.b + step] = characters.gaps[block.a + step]
    return chances, gaps
