"""Tells which words of a page are wrong, and whether anything warns of them.

A word is wrong if the truth has it less often. A warning is a block's `review`, where the engine
gives scores, or else a low confidence of the block; or a flag of its page that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import scoring
from dsocr.types import Block, PageResult

DOUBTFUL = 0.9
"""A block below this confidence counts as doubtful where it has no score."""
WARNINGS = frozenset({"low_confidence", "unsupported_script", "unchecked_text", "unread_text"})


@dataclass(frozen=True, slots=True)
class ReadWord:
    """One word of a result: its block's confidence, and whether there is a warning of it."""

    text: str
    is_right: bool
    confidence: float | None
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class WordCounts:
    """Counts of words. The words of the truth that were not read are wrong too."""

    words: int
    wrong: int
    silent: int
    """Wrong ones of which nothing warns."""

    @property
    def share(self) -> float | None:
        """Share of the wrong words without a warning; None if none is wrong."""
        return self.silent / self.wrong if self.wrong else None


def read_words(page: PageResult, truth: str) -> Iterator[ReadWord]:
    """Every word of the page's blocks, in their order: the material for a calibration."""
    wanted = scoring.words(truth)
    is_flagged = bool(WARNINGS.intersection(page.flags))
    for block in page.blocks:
        warned = is_flagged or is_doubtful(block)
        for word, count in scoring.words(block.text).items():
            right = min(count, wanted[word])
            wanted[word] -= right
            for number in range(count):
                yield ReadWord(word, number < right, block.confidence, warned)


def is_doubtful(block: Block) -> bool:
    if block.review or block.score is not None:
        return block.review
    return block.confidence is not None and block.confidence < DOUBTFUL


def word_counts(page: PageResult, truth: str) -> WordCounts:
    """The page's words, those that are wrong or missing, and those of them without a warning."""
    read = list(read_words(page, truth))
    wrong = [word for word in read if not word.is_right]
    # a wrong word mostly stands for a missing one: only what is missing beyond that is counted
    lost = max(0, scoring.words(truth).total() - len(read))
    is_flagged = bool(WARNINGS.intersection(page.flags))
    silent = sum(not word.is_flagged for word in wrong) + (0 if is_flagged else lost)
    return WordCounts(len(read) + lost, len(wrong) + lost, silent)


def total(parts: Sequence[WordCounts]) -> WordCounts:
    return WordCounts(
        sum(part.words for part in parts),
        sum(part.wrong for part in parts),
        sum(part.silent for part in parts),
    )
