"""Where a page says something: exact places first, else those that look much like it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.ocr import Reading

NOT_FOUND = "not_found"
_MIN_LIKENESS = 80.0
_MAX_PLACES = 50


def locate(query: str, readings: Sequence[Reading]) -> list[Rect]:
    """The rectangles of `query` in the order of the lines; empty when it is nowhere."""
    wanted = _folded(query)[0]
    if not wanted:
        return []
    exact = [
        _part(reading, places[start], places[start + len(wanted) - 1])
        for reading in readings
        for text, places in [_folded(reading.line.text)]
        for start in _starts(wanted, text)
    ]
    return (exact or _alike(wanted, readings))[:_MAX_PLACES]


def evenly(reading_text: str) -> tuple[float, ...]:
    """Where characters stand when only the line's box is known."""
    count = len(reading_text)
    return tuple((place + 0.5) / count for place in range(count))


def _alike(wanted: str, readings: Sequence[Reading]) -> list[Rect]:
    """The places that look most like it: a misread letter must not hide a word."""
    found = []
    for reading in readings:
        text, places = _folded(reading.line.text)
        if 2 * len(text) < len(wanted):
            continue
        match = fuzz.partial_ratio_alignment(wanted, text, score_cutoff=_MIN_LIKENESS)
        if match and match.dest_end > match.dest_start:
            part = _part(reading, places[match.dest_start], places[match.dest_end - 1])
            found.append((match.score, part))
    best = max((score for score, _ in found), default=0.0)
    return [part for score, part in found if score > best - 5]


def _folded(text: str) -> tuple[str, list[int]]:
    """Letters without case, accents' variants and blanks, and where each came from."""
    letters, places = [], []
    for place, letter in enumerate(text):
        for folded in unicodedata.normalize("NFKC", letter).casefold():
            if not folded.isspace():
                letters.append(folded)
                places.append(place)
    return "".join(letters), places


def _starts(wanted: str, text: str) -> list[int]:
    starts, at = [], text.find(wanted)
    while at >= 0:
        starts.append(at)
        at = text.find(wanted, at + len(wanted))
    return starts


def _part(reading: Reading, first: int, last: int) -> Rect:
    """The part of the line's rectangle from one character to another, both included."""
    centres, rect = reading.centres, reading.line.rect
    before = (centres[first - 1] + centres[first]) / 2 if first else 0.0
    after = (centres[last] + centres[last + 1]) / 2 if last + 1 < len(centres) else 1.0
    if rect.height > 1.5 * rect.width:  # text that runs down the page
        length = rect.height
        return Rect(rect.x0, rect.y0 + before * length, rect.x1, rect.y0 + after * length)
    return Rect(rect.x0 + before * rect.width, rect.y0, rect.x0 + after * rect.width, rect.y1)
