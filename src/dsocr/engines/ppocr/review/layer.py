"""Scores of the words of a text layer's line that was compared with the picture."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.review.score import probability
from dsocr.engines.ppocr.review.second_look import folded
from dsocr.engines.ppocr.review.words import word_spans, words_of
from dsocr.types import WordScore

_AGREED = 0.999
"""Two sources that know nothing of each other have the same word."""
_NOT_COMPARED = 0.98
"""Signs and rare letters: the recognizer does not know all of them."""
_RIGHT = 0.98
"""Of the words of a layer that agrees with the picture elsewhere."""
_DIGITS = 3


def compared(line: Line) -> tuple[WordScore, ...]:
    """The words of the line, in the text without blanks around it; none without a comparison.

    A word that the picture has too is right. If it has others in its place, either these are wrong
    or the layer's is, which is rare.
    """
    if line.characters is None:
        return ()
    text = line.text.strip()
    seen = folded(line.characters.text)
    misread = 1 - _certainty(line, text)
    other = round(_RIGHT * misread / (_RIGHT * misread + (1 - _RIGHT) * (1 - misread)), _DIGITS)
    return tuple(
        (start, end, _score(folded(text[start:end]), seen, other))
        for start, end in word_spans(text)
    )


def _score(word: str, seen: str, other: float) -> float:
    if not (word.isascii() and word.isalnum()):
        return _NOT_COMPARED
    return _AGREED if word in seen else other


def _certainty(line: Line, text: str) -> float:
    """The mean probability of the picture's words that the line lacks; 0 if it lacks none."""
    assert line.characters is not None
    look = replace(line, text=line.characters.text, from_layer=False)
    page = mean(line.characters.chances or (0.0,))
    words = words_of(look)
    layer, shown = folded(text), look.text.strip()
    chances = [
        probability(word, page, agrees=None)
        for word in words
        if folded(shown[word.start : word.end]) not in layer
    ]
    return mean(chances) if chances else 0.0
