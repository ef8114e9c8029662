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
    box = line.box
    return [
        (word, Box(left, box.y0, right, box.y1))
        for word, left, right in word_edges(line.text, box.x0, box.x1)
    ]


def word_edges(text: str, left: float, right: float) -> list[tuple[str, float, float]]:
    """The words of a line between these edges in the order of its text, each with its own edges."""
    words = text.split()
    if len(words) < 2:
        return [(word, left, right) for word in words]
    widths = [text_width(word) for word in words]
    unit = (right - left) / (sum(widths) + _BLANK * (len(words) - 1))
    if text.isascii():
        return _placed(words, widths, left, right, unit)
    order = visual_order(words)
    ordered = [words[place] for place in order], [widths[place] for place in order]
    placed = _placed(*ordered, left, right, unit)
    return [edges for _, edges in sorted(zip(order, placed, strict=True))]


def _placed(
    words: list[str], widths: list[float], left: float, right: float, unit: float
) -> list[tuple[str, float, float]]:
    """From left to right. Rounding errors put no edge behind `right`."""
    blank = _BLANK * unit
    placed = []
    for word, width in zip(words, widths, strict=True):
        end = left + width * unit
        if end > right:
            end = right
        placed.append((word, left, end))
        left = end + blank
        if left > right:
            left = right
    return placed


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
