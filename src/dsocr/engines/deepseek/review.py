"""Which blocks of the native engine a person should compare with the page.

Two signs: the probabilities of a block's tokens, and the text layer of a born-digital page, which
has the block's words unless the model misread or invented them.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Sequence

from dsocr.types import Block, TextLine

_TAG = re.compile(r"<[^<>]*>")
_WORD = re.compile(r"[^\W_]+")
_MIN_SCORE = 0.9
_MIN_LETTERS = 20
"""Of a text layer that blocks are compared with: a page number is no text of a page."""
_DIGITS = 3


def reviewed(blocks: Sequence[Block], layer: Sequence[TextLine]) -> list[Block]:
    """The blocks with score and review. `layer` is empty where the page has no reliable one.

    The score is the lower of the confidence and the share of the words that the layer has.
    """
    known = _Layer(layer)
    return [_reviewed(block, known) for block in blocks]


def review_share(blocks: Sequence[Block]) -> float | None:
    """The share of the words that are in blocks to be reviewed; None where none has a score."""
    counts = [(len(_words(block.text)), block) for block in blocks if block.score is not None]
    total = sum(count for count, _ in counts)
    if not total:
        return None
    return round(sum(count for count, block in counts if block.review) / total, _DIGITS)


class _Layer:
    """The letters of a text layer, in which words are looked up."""

    def __init__(self, lines: Sequence[TextLine]) -> None:
        self._words = {word for line in lines for word in _words(line.text)}
        self._run = "".join(word for line in lines for word in _words(line.text))

    def share(self, text: str) -> float | None:
        """The share of the text's words that it has, also divided at the end of a line."""
        words = _words(text)
        if not words or len(self._run) < _MIN_LETTERS:
            return None
        return sum(word in self._words or word in self._run for word in words) / len(words)


def _reviewed(block: Block, layer: _Layer) -> Block:
    if not block.text:
        return block
    agreement = layer.share(block.text)
    signs = [sign for sign in (block.confidence, agreement) if sign is not None]
    if not signs:
        return block
    score = min(signs)
    return dataclasses.replace(block, score=round(score, _DIGITS), review=score < _MIN_SCORE)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", _TAG.sub(" ", text)).casefold())
