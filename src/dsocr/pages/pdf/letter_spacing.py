"""Words set with space between their letters: which blanks of the text layer divide words.

pdfium puts a blank between letters that stand apart, and some programs store blanks there. In such
a line most letters have the same gap, and only the wider gaps divide words. Knows nothing of PDF.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_MIN_BLANKS = 0.5  # of the gaps between letters; 0.2 in running text
_MIN_PAIRS = 4
_MIN_GAP = 0.08  # of the line's height: less is kerning
_WORD_GAP = 0.13  # of the line's height, wider than the gap between letters
_MIN_EVEN = 0.6  # of the gaps
_NEAR_GAP = 0.1  # of the line's height, from another letter-spaced line's gap
_MIN_CAPITALS = 5
_LEADERS = frozenset("._\u00b7\u2026")
"""Signs that fill the way to a price or a page's number, often with blanks between them."""

Letters = Sequence[tuple[str, float, float, int]]
"""Each character with its extent along the line and its font; blanks have no extent."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two letters that follow each other: the second one's index and the gap before it."""

    index: int
    gap: float
    """In heights of the line."""
    has_blank: bool


@dataclass(frozen=True, slots=True)
class SpacedLine:
    """A line with as many blanks as letters, and the gaps between its letters."""

    letters: Letters
    pairs: tuple[_Pair, ...]

    @property
    def gap(self) -> float:
        """Between two letters of a word, in heights of the line."""
        return median(pair.gap for pair in self.pairs)

    def words(self) -> str:
        """The text with blanks only at the wider gaps."""
        starts = {pair.index for pair in self.pairs if pair.gap > self.gap + _WORD_GAP}
        parts = [
            f" {letter[0]}" if index in starts else letter[0]
            for index, letter in enumerate(self.letters)
            if not letter[0].isspace()
        ]
        return "".join(parts)

    @property
    def is_certain(self) -> bool:
        """Whether the line alone shows it: words of evenly spaced letters."""
        words = self.words().split()
        if len(self.pairs) < _MIN_PAIRS or not self._is_even():
            return False
        if len(words) == 1:
            return _is_word(words[0])
        return any(len(word) > 2 and word.isalpha() for word in words)

    def is_like(self, gap: float) -> bool:
        """Whether its letters are spaced as those of another line."""
        return self._is_even() and abs(self.gap - gap) < _NEAR_GAP

    def _is_even(self) -> bool:
        even = sum(abs(pair.gap - self.gap) < _WORD_GAP for pair in self.pairs)
        narrow = any(pair.gap < self.gap - _WORD_GAP for pair in self.pairs)
        return self.gap > _MIN_GAP and even >= _MIN_EVEN * len(self.pairs) and not narrow


def spaced_line(letters: Letters, height: float) -> SpacedLine | None:
    """The line, if it has a blank between most of its letters; leaders are none."""
    pairs = tuple(_pairs(letters, height))
    of_words = [pair for pair in pairs if letters[pair.index][0] not in _LEADERS]
    blanks = sum(pair.has_blank for pair in of_words)
    if not of_words or blanks < _MIN_BLANKS * len(of_words):
        return None
    return SpacedLine(letters, pairs)


def letter_spaced(lines: Sequence[SpacedLine]) -> Iterator[SpacedLine]:
    """Those of a page's lines that are letter-spaced: certain ones, and short ones like them."""
    gaps = [line.gap for line in lines if line.is_certain]
    for line in lines:
        if line.is_certain or any(line.is_like(gap) for gap in gaps):
            yield line


def _pairs(letters: Letters, height: float) -> Iterator[_Pair]:
    visible = [index for index, letter in enumerate(letters) if not letter[0].isspace()]
    for before, after in pairwise(visible):
        gap = (letters[after][1] - letters[before][2]) / height
        yield _Pair(after, gap, after > before + 1)


def _is_word(text: str) -> bool:
    """Whether single letters make a word: long, and not the letters of a list (A B C D E)."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    return len(text) >= _MIN_CAPITALS and text.isalpha() and set(steps) != {1}
