"""Confidence scores: the estimated probability that a word is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dsocr.types import Block, Box, PageResult, TextLine

DIGITS = 4


def page_scores(
    page: PageResult, text: str, *, with_words: bool, only_found: bool = False
) -> dict[str, Any] | None:
    """Of the words of a page; None where nothing was measured. `start_index` is the place of the
    word in `text`, or with `only_found` words that are not in it are left out; else they get the
    place where they were looked for."""
    words = list(_words(page.lines))
    if not words:
        return None
    scores = [score for _, score in words]
    answer: dict[str, Any] = {
        "average_page_confidence_score": round(sum(scores) / len(scores), DIGITS),
        "minimum_page_confidence_score": round(min(scores), DIGITS),
    }
    if with_words:
        answer["word_confidence_scores"] = list(_placed(words, text, only_found))
    return answer


def block_scores(block: Block, page: PageResult) -> dict[str, Any]:
    """Of the words whose lines lie in the block; None where nothing was measured."""
    lines = (line for line in page.lines if _lies_in(line.box, block.boxes))
    scores = [score for _, score in _words(lines)]
    return {
        "average_content_confidence_score": _rounded(sum(scores) / len(scores) if scores else None),
        "minimum_content_confidence_score": _rounded(min(scores, default=None)),
        "block_type_confidence_score": _rounded(block.confidence),
    }


def _words(lines: Iterable[TextLine]) -> Iterator[tuple[str, float]]:
    for line in lines:
        for start, end, score in line.words:
            yield line.text[start:end], score


def _placed(
    words: list[tuple[str, float]], text: str, only_found: bool
) -> Iterator[dict[str, Any]]:
    """Words are mostly in the order of the text: each is looked for behind the one before it, and
    if it is not there from the beginning."""
    at = 0
    for word, score in words:
        place = text.find(word, at)
        if place < 0 and at:
            place = text.find(word)
        if place >= 0:
            at = place + len(word)
        elif only_found:
            continue
        start = place if place >= 0 else min(at, len(text))
        yield {"text": word, "confidence": round(score, DIGITS), "start_index": start}


def _lies_in(line: Box, boxes: tuple[Box, ...]) -> bool:
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    return any(box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 for box in boxes)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
