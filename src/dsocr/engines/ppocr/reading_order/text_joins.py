"""Joins the lines of a paragraph into running text. Knows letters, not rectangles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_HYPHENS = "-\u00ad\u2010"
_WORD_END = re.compile(rf"([^\W\d_]+)[{_HYPHENS}]$")
_WORD_START = re.compile(r"^([^\W\d_]+)")

# First parts of compounds that usually keep their hyphen.
_KEPT_STARTS = frozenset(
    {
        "all",
        "cross",
        "ex",
        "full",
        "half",
        "high",
        "ill",
        "large",
        "light",
        "long",
        "low",
        "one",
        "quasi",
        "self",
        "short",
        "single",
        "so",
        "three",
        "two",
        "well",
    }
)


def join_lines(texts: Iterable[str]) -> str:
    """One paragraph: hyphenated words are joined; Chinese, Japanese and Thai lines follow each
    other without a blank."""
    joined = ""
    for text in texts:
        text = text.strip()
        if text:
            joined = join_pair(joined, text) if joined else text
    return joined


def join_pair(first: str, second: str) -> str:
    """Two lines that follow each other in a paragraph."""
    if (is_cjk(first[-1]) and is_cjk(second[0])) or (is_thai(first[-1]) and is_thai(second[0])):
        return first + second
    head, tail = _WORD_END.search(first), _WORD_START.search(second)
    if not head or not tail:
        return f"{first}{second}" if first[-1] in "/\u2014" else f"{first} {second}"
    if keeps_hyphen(head[1], tail[1], first):
        return first[:-1] + "-" + second
    return first[:-1] + second


def keeps_hyphen(head: str, tail: str, before: str) -> bool:
    """Whether a hyphen at a line's end belongs to the word: self-made, Anglo-Saxon, ABC-coded."""
    if before[-1] == "\u00ad":
        return False
    if tail[0].isupper() or (len(head) > 1 and head.isupper()):
        return True
    if re.search(rf"[{_HYPHENS}][^\W\d_]+[{_HYPHENS}]$", before):  # state-of-the-
        return True
    return head.lower() in _KEPT_STARTS or len(head) == 1


def is_cjk(char: str) -> bool:
    """Whether it is Chinese, Japanese kana or their punctuation, set without blanks. Not Korean."""
    if "\uac00" <= char <= "\ud7a3":
        return False
    return unicodedata.east_asian_width(char) in "WF" or "\u3000" <= char <= "\u30ff"


def is_thai(char: str) -> bool:
    """Whether it is Thai, set with blanks between phrases, not words."""
    return "\u0e00" <= char <= "\u0e7f"


def is_right_to_left(texts: Iterable[str]) -> bool:
    """Whether most letters are of a right-to-left script."""
    balance = 0
    for text in texts:
        for char in text:
            if char.isalpha():
                balance += 1 if unicodedata.bidirectional(char) in ("R", "AL") else -1
    return balance > 0
