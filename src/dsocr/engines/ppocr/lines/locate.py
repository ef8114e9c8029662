"""Finds the places of a text on a page: exact ones, else the most similar."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Line, Rect

NOT_FOUND = "not_found"
_MIN_SIMILARITY = 80.0
_NEAR_BEST = 5.0
_MAX_PLACES = 50


def locate(query: str, lines: Sequence[Line]) -> list[Rect]:
    """The rectangles of `query` in the order of the lines; empty when it is not found."""
    wanted = _fold(query)[0]
    if not wanted:
        return []
    exact = [
        _part(line, origins[start], origins[start + len(wanted) - 1])
        for line in lines
        for text, origins in [_fold(line.text)]
        for start in _starts(wanted, text)
    ]
    return (exact or _similar(wanted, lines))[:_MAX_PLACES]


def even_centres(text: str) -> tuple[float, ...]:
    """Centres of the characters where only the line's box is known: spread evenly."""
    count = len(text)
    return tuple((index + 0.5) / count for index in range(count))


def _similar(wanted: str, lines: Sequence[Line]) -> list[Rect]:
    """The most similar places: a misrecognized letter must not hide a word."""
    found = []
    for line in lines:
        text, origins = _fold(line.text)
        if 2 * len(text) < len(wanted):
            continue
        match = fuzz.partial_ratio_alignment(wanted, text, score_cutoff=_MIN_SIMILARITY)
        if match and match.dest_end > match.dest_start:
            part = _part(line, origins[match.dest_start], origins[match.dest_end - 1])
            found.append((match.score, part))
    best = max((score for score, _ in found), default=0.0)
    return [part for score, part in found if score > best - _NEAR_BEST]


def _fold(text: str) -> tuple[str, list[int]]:
    """The text without case, spelling variants and blanks, and each letter's index of origin."""
    letters, origins = [], []
    for index, letter in enumerate(text):
        for folded in unicodedata.normalize("NFKC", letter).casefold():
            if not folded.isspace():
                letters.append(folded)
                origins.append(index)
    return "".join(letters), origins


def _starts(wanted: str, text: str) -> list[int]:
    starts, start = [], text.find(wanted)
    while start >= 0:
        starts.append(start)
        start = text.find(wanted, start + len(wanted))
    return starts


def _part(line: Line, first: int, last: int) -> Rect:
    """The part of the line's rectangle from one character to another, both included."""
    centres, rect = line.centres or even_centres(line.text), line.rect
    start = (centres[first - 1] + centres[first]) / 2 if first else 0.0
    end = (centres[last] + centres[last + 1]) / 2 if last + 1 < len(centres) else 1.0
    if rect.height > 1.5 * rect.width:  # text that runs downwards
        length = rect.height
        return Rect(rect.x0, rect.y0 + start * length, rect.x1, rect.y0 + end * length)
    return Rect(rect.x0 + start * rect.width, rect.y0, rect.x0 + end * rect.width, rect.y1)
