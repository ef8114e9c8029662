"""Compares the text of a page with the ground truth. Knows no engine."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from bench.pages.grids import neighbour_of, tables_in

_REFERENCE = re.compile(r"<\|ref\|>.*?<\|/ref\|>|<\|det\|>.*?<\|/det\|>|<\|[^|>]*\|>", re.S)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}\s+|[-*+]\s+|>\s+|\|?(?:\s*:?-{3,}:?\s*\|?)+\s*$)", re.M)
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"\*{1,3}|_{2,3}|`+|\|")
_IDEOGRAPH = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_BLANK_IN_CJK = re.compile(rf"(?<={_IDEOGRAPH})\s+(?={_IDEOGRAPH})")
_WORD = re.compile(rf"{_IDEOGRAPH}|(?:(?!{_IDEOGRAPH})[^\W_])+")
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u2010\u2011\u2013\u2014\u2212", "''\"\"-----")


def plain(text: str) -> str:
    """The text to compare: no markup, references or image links; width, case, blanks folded."""
    for pattern, replacement in (
        (_REFERENCE, " "),
        (_IMAGE, " "),
        (_LINK, r"\1"),
        (_TAG, " "),
        (_LINE_MARK, " "),
        (_ESCAPE, ""),
        (_EMPHASIS, " "),
    ):
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFKC", html.unescape(text)).translate(_QUOTES).casefold()
    text = text.replace("''", '"')
    return _BLANK_IN_CJK.sub("", " ".join(text.split()))


def similarity(read: str, truth: str) -> float:
    """1 minus the edit distance over the longer length, of the plain texts. Order counts."""
    return Levenshtein.normalized_similarity(plain(read), plain(truth))


def word_recall(read: str, truth: str) -> float:
    """Share of the ground truth's words in the text, in any order; each ideograph is a word."""
    wanted, found = words(truth), words(read)
    return (wanted & found).total() / max(1, wanted.total())


def words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(plain(text)))


def passes(test: Mapping[str, Any], read: str) -> bool:
    """Whether one check of a `.tests.jsonl` file holds. Raises `ValueError` for an unknown kind."""
    kind = test["type"]
    diffs = int(test.get("max_diffs", 0))
    if kind == "present":
        return _position(test["text"], read, diffs) is not None
    if kind == "absent":
        return _position(test["text"], read, diffs) is None
    if kind == "order":
        before = _position(test["before"], read, diffs)
        after = _position(test["after"], read, diffs, last=True)
        return before is not None and after is not None and before < after
    if kind == "table":
        return _table_holds(test, read, diffs)
    if kind == "math":
        return _formula(test["math"]) in _formula(read)
    raise ValueError(f"unknown kind of check: {kind}")


def _position(wanted: str, read: str, diffs: int, *, last: bool = False) -> int | None:
    needle, text = plain(wanted), plain(read)
    exact = text.rfind(needle) if last else text.find(needle)
    if exact >= 0 or not diffs:
        return exact if exact >= 0 else None
    near = fuzz.partial_ratio_alignment(needle, text)
    if near is None or Levenshtein.distance(needle, text[near.dest_start : near.dest_end]) > diffs:
        return None
    return near.dest_start


def _table_holds(test: Mapping[str, Any], read: str, diffs: int) -> bool:
    sides = ("up", "down", "left", "right", "top_heading", "left_heading")
    for grid in tables_in(read):
        for row, line in enumerate(grid):
            for column, cell in enumerate(line):
                if _alike(cell.text, test["cell"], diffs) and all(
                    _alike(neighbour_of(grid, row, column, side) or "", test[side], diffs)
                    for side in sides
                    if test.get(side)
                ):
                    return True
    return False


def _alike(cell: str, wanted: str, diffs: int) -> bool:
    return Levenshtein.distance(plain(cell), plain(wanted)) <= diffs


def _formula(text: str) -> str:
    """TeX without spaces, sizes and optional braces, which do not change its meaning."""
    text = re.sub(r"\\(?:left|right|,|;|!|quad|mathrm|mathbf|text)\b|\\[,;! ]", "", text)
    return re.sub(r"[\s{}$]", "", text)
