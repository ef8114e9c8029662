"""Scores the words of a page's lines, and marks the blocks that a person should compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dsocr.engines.ppocr.geometry import Line, Rect, mean_score
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.review.layer import compared
from dsocr.engines.ppocr.review.score import probability
from dsocr.engines.ppocr.review.second_look import folded, looks_again
from dsocr.engines.ppocr.review.words import WordSigns, words_of
from dsocr.types import WordScore

DOUBTFUL = 0.9
"""Below this probability a word's line is recognized a second time."""
_MAX_LOOKS = 8
"""Lines of a page that are recognized a second time, the most doubtful first."""
REVIEW_WORD = 0.8
"""A word below this probability is to be reviewed."""
_REVIEW_BLOCK = 0.9
_WRONG_WORD = 0.5
_SCORE_DIGITS = 3

Words = tuple[WordScore, ...]


@dataclass(frozen=True, slots=True)
class PageReview:
    """The scores of a page's words."""

    lines: Sequence[Line]
    words: Sequence[Words]
    """Of each line; none for those of the text layer."""

    @property
    def mean(self) -> float | None:
        """The mean score of the recognized words; None where there are none."""
        scores = [
            score
            for line, words in zip(self.lines, self.words, strict=True)
            if not line.from_layer
            for _, _, score in words
        ]
        return sum(scores) / len(scores) if scores else None

    @property
    def share(self) -> float | None:
        """The share of the words to be reviewed; None where none was measured."""
        scores = [score for words in self.words for _, _, score in words]
        if not scores:
            return None
        return round(sum(score < REVIEW_WORD for score in scores) / len(scores), _SCORE_DIGITS)

    def block(self, rects: Sequence[Rect]) -> tuple[float | None, bool]:
        """The mean score of the words inside a block, and whether it is to be reviewed."""
        scores = [
            score
            for line, words in zip(self.lines, self.words, strict=True)
            if words and any(_has_centre(rect, line.rect) for rect in rects)
            for _, _, score in words
        ]
        if not scores:
            return None, False
        mean = sum(scores) / len(scores)
        return round(mean, _SCORE_DIGITS), mean < _REVIEW_BLOCK or min(scores) < _WRONG_WORD


def review(ocr: Ocr, image: Pixels, lines: Sequence[Line], poll: Callable[[], None]) -> PageReview:
    """The scores of the words of these lines, which are in pixels of the image."""
    page = mean_score([line for line in lines if not line.from_layer]) or 0.0
    signs = [words_of(line) for line in lines]
    doubts = [
        1.0 if line.from_layer else _lowest(own, page)
        for line, own in zip(lines, signs, strict=True)
    ]
    doubtful = [
        i for i in sorted(range(len(lines)), key=doubts.__getitem__) if _again(lines[i], doubts[i])
    ]
    chosen = doubtful[:_MAX_LOOKS]
    looks = dict(
        zip(chosen, looks_again(ocr, image, [lines[i] for i in chosen], poll), strict=True)
    )
    return PageReview(
        lines,
        [
            compared(line)
            if line.from_layer
            else _scored(line.text.strip(), own, page, looks.get(index))
            for index, (line, own) in enumerate(zip(lines, signs, strict=True))
        ],
    )


def _lowest(words: Sequence[WordSigns], page: float) -> float:
    return min((probability(word, page, agrees=None) for word in words), default=1.0)


def _again(line: Line, doubt: float) -> bool:
    return doubt < DOUBTFUL and not line.turn and line.rect.width > line.rect.height


def _scored(text: str, words: Sequence[WordSigns], page: float, look: Counter[str] | None) -> Words:
    return tuple(
        (word.start, word.end, round(_score(text, word, page, look), _SCORE_DIGITS))
        for word in words
    )


def _score(text: str, word: WordSigns, page: float, look: Counter[str] | None) -> float:
    agrees = None if look is None else folded(text[word.start : word.end]) in look
    return probability(word, page, agrees=agrees)


def _has_centre(rect: Rect, other: Rect) -> bool:
    middle = (other.x0 + other.x1) / 2
    return rect.x0 <= middle <= rect.x1 and rect.y0 <= other.centre_y <= rect.y1
