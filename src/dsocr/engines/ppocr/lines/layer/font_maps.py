"""Fonts of a text layer whose character map is wrong, found by recognizing a few of their lines.

A subset font may map its glyphs to other characters than it draws: all amounts of a ledger are then
wrong while every other word of the page is right. So each font is compared with the picture.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from rapidfuzz.distance import Levenshtein

from dsocr.engines.ppocr.geometry import Line

_LINES = 2
"""Lines of each font that are recognized."""
_ENOUGH = 8
"""Letters of a font from which a line is as good as a longer one, which takes more time."""
_MAX_FONTS = 12
_MAX_LETTERS = 120
_MIN_LETTERS = 3
"""Letters and digits from which a font can be judged."""
_MAX_RIGHT = 0.6
"""Share of a wrong font's characters that the picture confirms; one that is right has over 0.9."""
_CERTAIN = 0.9
"""Score of the recognized lines by which a font is found wrong."""


def lines_to_check(lines: Sequence[Line]) -> list[Line]:
    """For each font, short lines with enough of its characters: what `wrong_fonts` needs."""
    by_font: dict[int, list[tuple[int, Line]]] = defaultdict(list)
    for line in lines:
        if len(line.text) > _MAX_LETTERS:
            continue
        for font, count in _letters_by_font(line).items():
            by_font[font].append((count, line))
    chosen: dict[int, Line] = {}
    common = sorted(by_font.values(), key=lambda pairs: -sum(count for count, _ in pairs))
    for pairs in common[:_MAX_FONTS]:
        best = sorted(pairs, key=lambda pair: (-min(pair[0], _ENOUGH), len(pair[1].text)))[:_LINES]
        chosen.update((id(line), line) for _, line in best)
    return list(chosen.values())


def wrong_fonts(lines: Sequence[Line], recognized: Sequence[Line]) -> set[int]:
    """The fonts whose characters in `lines` the picture contradicts; `recognized` are these lines
    as the picture shows them."""
    total: dict[int, int] = defaultdict(int)
    right: dict[int, int] = defaultdict(int)
    for line, seen in zip(lines, recognized, strict=True):
        if seen.score < _CERTAIN:
            continue
        for font, is_right in _compared(line, seen):
            total[font] += 1
            right[font] += is_right
    return {
        font
        for font, count in total.items()
        if count >= _MIN_LETTERS and right[font] < _MAX_RIGHT * count
    }


def has_font(line: Line, fonts: set[int]) -> bool:
    return any(font in fonts for font, _ in line.fonts)


def _compared(line: Line, seen: Line) -> list[tuple[int, bool]]:
    """For each letter and digit of the line: its font, and whether the picture has it there."""
    own = "".join(line.text.split())
    folded, fonts = _folded(own, list(_font_of_each(line)))
    shown, _ = _folded("".join(seen.text.split()), [0] * len(seen.text))
    matched = [False] * len(folded)
    for block in Levenshtein.opcodes(folded, shown):
        if block.tag == "equal":
            matched[block.src_start : block.src_end] = [True] * (block.src_end - block.src_start)
    return list(zip(fonts, matched, strict=True))


def _folded(text: str, fonts: Sequence[int]) -> tuple[str, list[int]]:
    """Letters and digits in one case and width, with the font of each."""
    pairs = [
        (letter, font)
        for character, font in zip(text, fonts, strict=False)
        for letter in unicodedata.normalize("NFKC", character).casefold()
        if letter.isalnum()
    ]
    return "".join(letter for letter, _ in pairs), [font for _, font in pairs]


def _letters_by_font(line: Line) -> dict[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for character, font in zip("".join(line.text.split()), _font_of_each(line), strict=False):
        counts[font] += character.isalnum()
    return {font: count for font, count in counts.items() if count}


def _font_of_each(line: Line) -> chain[int]:
    return chain.from_iterable([font] * count for font, count in line.fonts)
