"""From what is known about a word to the probability that it is right.

Two logistic functions, fitted on degraded pages by `python -m bench.calibration --fit`: one for
words that were recognized once, one for words that were recognized twice.
"""

from __future__ import annotations

import math

from dsocr.engines.ppocr.review.words import WordSigns

ONCE = (-2.189, 0.368, 0.188, 0.208, 0.583, -1.333)
TWICE = (-2.471, 0.274, 0.211, 0.17, 0.487, -1.43, 1.144)
"""Weights of `measures`, and of the agreement."""
_MOST = 0.9999


def measures(signs: WordSigns, page: float) -> list[float]:
    """What the weights belong to. `page` is the mean score of the page's lines."""
    return [
        1.0,
        _logit(signs.lowest),
        _logit(signs.mean),
        _logit(signs.gap),
        _logit(page),
        float(signs.odd),
    ]


def probability(signs: WordSigns, page: float, *, agrees: bool | None) -> float:
    """That the word is right. `agrees`: whether a second look found it too; None without one."""
    values = measures(signs, page)
    if agrees is None:
        return _logistic(sum(map(float.__mul__, ONCE, values)))
    return _logistic(sum(map(float.__mul__, TWICE, [*values, float(agrees)])))


def _logit(chance: float) -> float:
    bounded = min(_MOST, max(1 - _MOST, chance))
    return math.log(bounded / (1 - bounded))


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
