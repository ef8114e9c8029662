"""Rows that stand for themselves though they are about equally long: verse, lists, directions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.reading_order.text_joins import is_cjk

_MIN_ROWS = 3
_MIN_SCORED_PAIRS = 3
_ENDS_ANY = tuple(".!?,;:\u2026\u201d\"')\u2014")
_ENDS_SENTENCE = (".", "!", "?", ":", "\u2026")
_JUSTIFIED = 0.5  # of a row's height
_MOST = 0.6  # of the rows
_ROOM, _MIDDLE, _PUNCTUATION, _CAPITAL, _NONE = 2.5, 1.5, 1.5, 1.2, -2.0
_ENOUGH = 1.5  # a pair
_LONG = 60  # characters: verse has shorter lines
_SPACE = 1.5  # characters, for the blank before a word


def keeps_breaks(rows: Sequence[Line]) -> bool:
    """Whether each row of a paragraph is a line of its own: where it ends is no accident.

    A row that ends though the next word fits, with a sign, or before a capital, speaks for it.
    """
    texts = [row.text.strip() for row in rows]
    if len(rows) < _MIN_ROWS or not all(texts) or any(is_cjk(text[0]) for text in texts):
        return False
    if any(text.endswith(("-", "\u00ad")) for text in texts) or _is_justified(rows):
        return False
    if median(len(text) for text in texts) > _LONG:
        return False
    capitals = all(text[0].isupper() for text in texts)
    if capitals and not any(text.endswith(_ENDS_SENTENCE) for text in texts):
        return True
    right = max(row.rect.x1 for row in rows)
    scores = [_score(above, below, right) for above, below in pairwise(rows)]
    return len(scores) >= _MIN_SCORED_PAIRS and sum(scores) >= _ENOUGH * len(scores)


def _is_justified(rows: Sequence[Line]) -> bool:
    """Whether most rows reach as far as the widest one; the last of a paragraph need not."""
    right = max(row.rect.x1 for row in rows)
    full = [right - row.rect.x1 < _JUSTIFIED * row.height for row in rows]
    return sum(full) - 1 > _MOST * (len(rows) - 2)


def _score(above: Line, below: Line, right: float) -> float:
    text, following = above.text.strip(), below.text.strip()
    score = 0.0
    character = below.rect.width / len(following)
    if right - above.rect.x1 > (len(following.split()[0]) + _SPACE) * character:
        score += _ROOM
        if not text.endswith(_ENDS_SENTENCE) and following[0].islower():
            score += _MIDDLE  # no paragraph ends here
    if text.endswith(_ENDS_ANY):
        score += _PUNCTUATION
    if following[0].isupper():
        score += _CAPITAL
    return score or _NONE
