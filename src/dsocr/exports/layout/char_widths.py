"""Typical widths of characters in thousandths of the font's size."""

from __future__ import annotations

import unicodedata

BLANK = 280
FULL_WIDTH = 1000
_NARROW = frozenset("iljtfrI.,;:'|!()[]{}`´‘’·-")
_WIDE = frozenset("mwMW@%—…")
_NO_WIDTH = ("Mn", "Me", "Cf")


def letter_width(letter: str) -> int:
    """The width of a character that is no blank; 0 for a mark above or below another one."""
    if not letter.isascii():
        if unicodedata.category(letter) in _NO_WIDTH:
            return 0
        if unicodedata.east_asian_width(letter) in "WF":
            return FULL_WIDTH
    if letter in _NARROW:
        return 260
    if letter in _WIDE:
        return 830
    return 660 if letter.isupper() else 550 if letter.isdigit() else 500
