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
_DIGITS = 3


def compared(line: Line) -> tuple[WordScore, ...]:
    """The words of the line, in the text without blanks around it; none without a comparison.

    A word that the picture has too is right. Another is as likely wrong as the words that the
    picture has in its place are likely right.
    """
    if line.characters is None:
        return ()
    text = line.text.strip()
    seen = folded(line.characters.text)
    other = round(1 - _certainty(line, text), _DIGITS)
    return tuple(
        (start, end, _AGREED if folded(text[start:end]) in seen else other)
        for start, end in word_spans(text)
    )


def _certainty(line: Line, text: str) -> float:
    """The mean probability of the picture's words that the line lacks; 0 if it lacks none."""
    assert line.characters is not None
    look = replace(line, text=line.characters.text, from_layer=False)
    words = words_of(look)
    layer, shown = folded(text), look.text.strip()
    chances = [
        probability(word, line.score, agrees=None)
        for word in words
        if folded(shown[word.start : word.end]) not in layer
    ]
    return mean(chances) if chances else 0.0
