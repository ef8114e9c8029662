"""The words of a line with their boxes, where only the line's box is known.

The line's width is divided by typical widths of characters. Right-to-left text begins at the right
edge; words of the other direction inside a line keep their own order. A text without blanks, such
as Chinese, is one word: readers of these files put a blank between two words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from dsocr.exports.language.direction import is_right_to_left
from dsocr.exports.layout.char_widths import BLANK, letter_width
from dsocr.types import Box, TextLine

Direction = Literal["ltr", "rtl"]

_BLANK = BLANK / 1000


def words_of(line: TextLine) -> list[tuple[str, Box]]:
    """The words of the line in the order of its text, each with its box."""
    words = line.text.split()
    if len(words) < 2:
        return [(word, line.box) for word in words]
    widths = [text_width(word) for word in words]
    unit = (line.box.x1 - line.box.x0) / (sum(widths) + _BLANK * (len(words) - 1))
    boxes: dict[int, Box] = {}
    left = line.box.x0
    for place in range(len(words)) if line.text.isascii() else visual_order(words):
        right = min(left + widths[place] * unit, line.box.x1)
        boxes[place] = Box(left, line.box.y0, right, line.box.y1)
        left = min(right + _BLANK * unit, line.box.x1)
    return [(word, boxes[place]) for place, word in enumerate(words)]


@lru_cache(4096)
def text_width(text: str) -> float:
    """The typical width of a text in heights of its font; never 0."""
    return max(0.1, sum(map(letter_width, text)) / 1000)


def direction_of(text: str) -> Direction:
    """The direction of most letters; left to right where there are none."""
    return "rtl" if is_right_to_left(text) else "ltr"


def visual_order(words: list[str]) -> list[int]:
    """The places of the words from left to right."""
    base = direction_of(" ".join(words))
    runs: list[tuple[Direction, list[int]]] = []
    for place, direction in enumerate(_directions(words, base)):
        if runs and runs[-1][0] == direction:
            runs[-1][1].append(place)
        else:
            runs.append((direction, [place]))
    ordered = reversed(runs) if base == "rtl" else iter(runs)
    return [
        place
        for direction, places in ordered
        for place in (reversed(places) if direction == "rtl" else places)
    ]


def _directions(words: list[str], base: Direction) -> list[Direction]:
    """A word without letters, such as a number, has the direction of both its neighbours if they
    agree, else the line's."""
    known: list[Direction | None] = [
        direction_of(word) if any(letter.isalpha() for letter in word) else None for word in words
    ]
    found: list[Direction] = []
    for place, direction in enumerate(known):
        before = next((each for each in reversed(known[:place]) if each), base)
        after = next((each for each in known[place + 1 :] if each), base)
        found.append(direction or (before if before == after else base))
    return found
