"""Reading order of Arabic and Hebrew from the positions of their letters: files store them in
reading order, in drawing order, or in a mix of both. Knows nothing of PDF.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_MIRRORED = str.maketrans("()[]{}<>\u00ab\u00bb", ")(][}{><\u00bb\u00ab")
# Numbers keep the order of their digits and separators; the separators differ by script.
_ARABIC_PARTS = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+|.", re.S)
_HEBREW_PARTS = re.compile(
    r"[$\u20ac\u20aa%]?\d+(?:[.,:/+-]\d+)*[$\u20ac\u20aa%]?|[^\W\d_]+|.", re.S
)
_NO_BLANK = re.compile(r"(?<=[(\[{\u00ab]) | (?=[)\]}\u00bb.,:;!?\u060c\u061b\u061f])")
_BLANK = 0.18  # of the letter height: a wider gap separates two words
_TOUCHING = 0.05  # the same where the file has a space character


@dataclass(frozen=True, slots=True)
class Letter:
    """A character and its extent along the line; spaces of the file have no extent."""

    text: str
    left: float = 0.0
    right: float = 0.0


@dataclass(slots=True)
class _Glyph:
    """A letter with its vowel marks, and the number of its word in the file."""

    text: str
    left: float
    right: float
    word: int

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def has_right_to_left(text: str) -> bool:
    """Whether any letter runs from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text
    )


def reading_order_text(letters: Sequence[Letter], height: float) -> str:
    """One line's text in reading order; `letters` may come in any order."""
    arabic = any(unicodedata.bidirectional(letter.text) == "AL" for letter in letters)
    ordered: list[tuple[str, bool]] = []
    for word in reversed(_words(_glyphs(letters), height)):
        text, is_latin = _word_text(word, arabic=arabic)
        place = len(ordered)
        while is_latin and place and ordered[place - 1][1]:
            place -= 1  # Latin phrases run from left to right
        ordered.insert(place, (text, is_latin))
    line = " ".join(text for text, _ in ordered)
    brackets = [letter for letter in line if letter in "()"]
    if brackets and brackets[0] == ")" and brackets[-1] == "(":
        line = line.translate(_MIRRORED)  # this file stores brackets by meaning, not by shape
    return _NO_BLANK.sub("", line)


def _glyphs(letters: Sequence[Letter]) -> list[_Glyph]:
    """From left to right."""
    glyphs: list[_Glyph] = []
    marks: list[Letter] = []
    word = 0
    for letter in letters:
        if letter.text.isspace():
            word += 1
        elif unicodedata.combining(letter.text):
            marks.append(letter)
        else:
            glyphs.append(_Glyph(letter.text, letter.left, letter.right, word))
    for mark in marks if glyphs else ():
        middle = (mark.left + mark.right) / 2
        under = min(glyphs, key=lambda glyph: abs(glyph.middle - middle))
        under.text += mark.text
        under.left, under.right = min(under.left, mark.left), max(under.right, mark.right)
    return sorted(glyphs, key=lambda glyph: glyph.middle)


def _words(glyphs: Sequence[_Glyph], height: float) -> list[list[_Glyph]]:
    words: list[list[_Glyph]] = []
    right = float("-inf")
    for glyph in glyphs:
        same = bool(words) and words[-1][-1].word == glyph.word
        if glyph.left - right > (_BLANK if same else _TOUCHING) * height:
            words.append([])
        words[-1].append(glyph)
        right = max(right, glyph.right)
    return words


def _word_text(word: Sequence[_Glyph], *, arabic: bool) -> tuple[str, bool]:
    """The word's text, and whether it has Latin letters."""
    plain = "".join(glyph.text[0] for glyph in word)
    if not has_right_to_left(plain) and any(letter.isalpha() for letter in plain):
        return "".join(glyph.text for glyph in word), True
    parts: list[str] = []
    for found in (_ARABIC_PARTS if arabic else _HEBREW_PARTS).finditer(plain):
        own = [glyph.text for glyph in word[found.start() : found.end()]]
        if has_right_to_left(found[0]):
            parts.extend(own)
        else:
            parts.append("".join(own).translate(_MIRRORED))
    return "".join(reversed(parts)), False
