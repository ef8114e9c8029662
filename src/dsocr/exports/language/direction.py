"""Whether a text runs from right to left."""

from __future__ import annotations

import unicodedata

RIGHT = ("R", "AL")
"""The directions of Hebrew and of Arabic letters."""


def has_right_to_left(text: str) -> bool:
    """Whether any letter runs from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(each) in RIGHT for each in text)


def is_right_to_left(text: str) -> bool:
    """Whether more letters run from right to left than from left to right."""
    if text.isascii():
        return False
    kinds = [unicodedata.bidirectional(letter) for letter in text]
    return sum(kind in RIGHT for kind in kinds) > kinds.count("L")
